//! Moto, a server that plays AWS and was written by others: Secrets Manager, S3, STS and IAM, with signatures and
//! permissions checked.

use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::ports::{ReservedPort, reserve};
use crate::scripted::upstream;
use crate::wire::{Message, exchange, read_request};

/// How long it may take to start: it is much Python.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running server, which ends when it is dropped.
pub struct Moto {
    child: Child,
    port: ReservedPort,
}

impl Moto {
    /// Starts one that knows nobody and holds nothing; `None` where it is not installed: as `moto_server` or as a
    /// module of `python3`.
    pub fn start() -> Option<Self> {
        let works = |program: &str, arguments: &[&str]| {
            let mut command = Command::new(program);
            command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            command.status().is_ok_and(|status| status.success())
        };
        let mut command = if works("moto_server", &["--help"]) {
            Command::new("moto_server")
        } else if works("python3", &["-c", "import moto.server"]) {
            let mut command = Command::new("python3");
            command.args(["-m", "moto.server"]);
            command
        } else {
            return None;
        };
        let port = reserve();
        command.args(["-H", "127.0.0.1", "-p", &port.number().to_string()]);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut moto = Self { child, port };
        let begun = Instant::now();
        while moto.ask("GET /moto-api/data.json", "", "").is_err() {
            assert!(moto.child.try_wait().unwrap().is_none() && begun.elapsed() < PATIENCE, "moto does not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(moto)
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port.number())
    }

    /// Checks signatures and permissions from now on, or takes every request for allowed.
    pub fn enforce(&self, strict: bool) {
        let requests_before = if strict { "0" } else { "inf" };
        self.told("POST /moto-api/reset-auth", "", requests_before);
    }

    /// The URL of its STS. Moto knows an operation without a signature by the body alone; AWS reads the query as well.
    pub fn sts(&self) -> String {
        let port = self.port.number();
        let relay = upstream(move |mut stream: TcpStream| {
            let Ok(Some(request)) = read_request(&mut BufReader::new(&stream)) else { return };
            let body = request.method_and_target().1.split_once('?').unwrap_or_default().1;
            let form = "Content-Type: application/x-www-form-urlencoded\r\n";
            let Ok(answer) = ask(port, "POST /", form, body) else { return };
            let head = format!("HTTP/1.1 {} X\r\nContent-Length: {}\r\n\r\n", answer.status(), answer.body.len());
            let _ = stream.write_all(&[head.as_bytes(), &answer.body].concat());
        });
        format!("http://127.0.0.1:{relay}")
    }

    /// An operation of Secrets Manager.
    pub fn secrets_manager(&self, operation: &str, input: &Value) {
        let target = format!(
            "X-Amz-Target: secretsmanager.{operation}\r\nContent-Type: application/x-amz-json-1.1\r\n{}",
            scope("secretsmanager")
        );
        self.told("POST /", &target, &input.to_string());
    }

    /// Stores an object, `/bucket/key`. The bucket exists afterwards.
    pub fn put(&self, path: &str, content: &str) {
        let bucket = path.trim_start_matches('/').split('/').next().unwrap_or_default();
        let place = "<CreateBucketConfiguration><LocationConstraint>eu-central-1</LocationConstraint>\
                     </CreateBucketConfiguration>";
        let made = self.ask(&format!("PUT /{bucket}"), &scope("s3"), place).unwrap();
        assert!([200, 409].contains(&made.status()), "{}", made.text());
        self.told(&format!("PUT {path}"), &scope("s3"), content);
    }

    /// Makes a user that may do what `actions` say, such as `s3:*`; its access key with the secret.
    pub fn user(&self, name: &str, actions: &[&str]) -> (String, String) {
        self.iam(&format!("Action=CreateUser&UserName={name}"));
        let statement = json!({"Effect": "Allow", "Action": actions, "Resource": "*"});
        let policy = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
        let policy: String = policy.bytes().map(|byte| format!("%{byte:02X}")).collect();
        if !actions.is_empty() {
            let action = format!("Action=PutUserPolicy&UserName={name}&PolicyName=all&PolicyDocument={policy}");
            self.iam(&action);
        }
        let made = self.iam(&format!("Action=CreateAccessKey&UserName={name}")).text();
        let element = |name: &str| {
            let rest = made.split_once(&format!("<{name}>")).unwrap().1;
            rest.split_once('<').unwrap().0.to_owned()
        };
        (element("AccessKeyId"), element("SecretAccessKey"))
    }

    fn iam(&self, action: &str) -> Message {
        let headers = format!("Content-Type: application/x-www-form-urlencoded\r\n{}", scope("iam"));
        self.told("POST /", &headers, &format!("{action}&Version=2010-05-08"))
    }

    fn told(&self, what: &str, headers: &str, body: &str) -> Message {
        let answer = self.ask(what, headers, body).unwrap();
        assert_eq!(answer.status(), 200, "{what}: {}", answer.text());
        answer
    }

    fn ask(&self, what: &str, headers: &str, body: &str) -> std::io::Result<Message> {
        ask(self.port.number(), what, headers, body)
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What tells Moto which service is meant. Nothing is signed while permissions are not enforced.
fn scope(service: &str) -> String {
    format!(
        "Authorization: AWS4-HMAC-SHA256 Credential=setup/20261124/eu-central-1/{service}/aws4_request, \
         SignedHeaders=host, Signature=0\r\n"
    )
}

fn ask(port: u16, what: &str, headers: &str, body: &str) -> std::io::Result<Message> {
    let request = format!(
        "{what} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    exchange(port, request.as_bytes(), Duration::from_secs(30))
}
