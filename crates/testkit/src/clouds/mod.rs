//! The part of cloud providers' APIs that hands out objects and credentials, strict about who asks: signatures
//! are checked as the providers check them. One server plays all of them, by what a request looks like.

mod azure;
mod secrets_manager;
mod sigv4;

pub use secrets_manager::Entry;

use std::collections::BTreeMap;
use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use crate::scripted::{drip, upstream};
use crate::wire::{Message, read_request};

/// A provider on loopback.
#[derive(Clone)]
pub struct Cloud {
    /// Its port.
    pub port: u16,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// It hangs up on everybody.
    is_down: bool,
    /// Objects by path, with their number, which is their `ETag`.
    objects: BTreeMap<String, (Vec<u8>, u32)>,
    written: u32,
    /// Access keys of AWS, with their secret, and the session token that must come with them.
    aws: BTreeMap<String, (String, Option<String>)>,
    /// Tokens of Google.
    bearers: Vec<String>,
    /// Accounts of Azure, with their key.
    accounts: BTreeMap<String, String>,
    /// The signature of a shared access signature.
    shared: Option<String>,
    /// What servers of identities say: method, path without query, a header that is needed, and the answer.
    spoken: Vec<(String, String, String, String)>,
    /// Raw answers that come first, one each, and whether they drip.
    faults: Vec<(Vec<u8>, bool)>,
    /// What Secrets Manager holds.
    entries: Vec<Entry>,
    /// Operations that an access key may not use, such as `GetObject`.
    forbidden: Vec<(String, String)>,
    asked: Vec<Message>,
}

impl Cloud {
    /// Starts one that holds nothing and knows nobody.
    pub fn start() -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let shared = state.clone();
        let port = upstream(move |mut stream: TcpStream| {
            let Ok(Some(request)) = read_request(&mut BufReader::new(&stream)) else { return };
            let (answer, drips) = shared.lock().unwrap().answer(request);
            if drips {
                drip(&mut stream, &answer);
            } else {
                // Whoever asked may have gone.
                let _ = stream.write_all(&answer);
            }
        });
        Self { port, state }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Stores an object, `/bucket/key`.
    pub fn put(&self, path: &str, content: impl Into<Vec<u8>>) {
        let mut state = self.state.lock().unwrap();
        state.written += 1;
        let number = state.written;
        state.objects.insert(path.to_owned(), (content.into(), number));
    }

    /// Stores a version of a secret in Secrets Manager; the first of a name and stage is the one that is found.
    pub fn secret(&self, entry: Entry) {
        self.state.lock().unwrap().entries.insert(0, entry);
    }

    /// Forbids an access key an operation: `BatchGetSecretValue`, `GetSecretValue` or `GetObject`.
    pub fn forbid(&self, key: &str, operation: &str) {
        self.state.lock().unwrap().forbidden.push((key.to_owned(), operation.to_owned()));
    }

    /// Makes an access key of AWS known.
    pub fn aws_key(&self, key: &str, secret: &str, token: Option<&str>) {
        self.state.lock().unwrap().aws.insert(key.to_owned(), (secret.to_owned(), token.map(str::to_owned)));
    }

    /// Makes a token of Google known.
    pub fn bearer(&self, token: &str) {
        self.state.lock().unwrap().bearers.push(token.to_owned());
    }

    /// Makes an account of Azure known; the key is base64.
    pub fn account(&self, name: &str, key: &str) {
        self.state.lock().unwrap().accounts.insert(name.to_owned(), key.to_owned());
    }

    /// Makes a shared access signature known.
    pub fn shared_access(&self, signature: &str) {
        self.state.lock().unwrap().shared = Some(signature.to_owned());
    }

    /// Says something about identities to who sends a header line (lower case) or a parameter of the query;
    /// others get 401.
    pub fn say(&self, method: &str, path: &str, needs: &str, answer: &str) {
        let said = (method.to_owned(), path.to_owned(), needs.to_owned(), answer.to_owned());
        self.state.lock().unwrap().spoken.push(said);
    }

    /// Gives raw bytes for the next answer.
    pub fn fail(&self, answer: impl Into<Vec<u8>>) {
        self.state.lock().unwrap().faults.push((answer.into(), false));
    }

    /// The same, slowly.
    pub fn drip(&self, answer: impl Into<Vec<u8>>) {
        self.state.lock().unwrap().faults.push((answer.into(), true));
    }

    /// Hangs up on everybody, or no longer.
    pub fn be_down(&self, is_down: bool) {
        self.state.lock().unwrap().is_down = is_down;
    }

    /// Every request so far.
    pub fn asked(&self) -> Vec<Message> {
        self.state.lock().unwrap().asked.clone()
    }
}

impl State {
    fn answer(&mut self, request: Message) -> (Vec<u8>, bool) {
        self.asked.push(request.clone());
        if self.is_down {
            return (Vec::new(), false);
        }
        if !self.faults.is_empty() {
            return self.faults.remove(0);
        }
        (self.honest_answer(&request), false)
    }

    fn honest_answer(&self, request: &Message) -> Vec<u8> {
        let (method, target) = request.method_and_target();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        if let Some(operation) = request.header("x-amz-target").and_then(|t| t.strip_prefix("secretsmanager.")) {
            let answer = self.judge(request, query).and_then(|()| match self.forbids(request, operation) {
                true => Err("AccessDeniedException"),
                false => secrets_manager::answer(operation, &request.body, &self.entries),
            });
            return match answer {
                Ok(answer) => with_body("200 OK", "", answer.to_string().as_bytes()),
                Err(code) => with_body("400 Bad Request", "", secrets_manager::error(code).to_string().as_bytes()),
            };
        }
        if let Some((_, _, needs, said)) = self.spoken.iter().find(|said| said.0 == method && said.1 == path) {
            let has = |(name, value): &(String, String)| format!("{}: {value}", name.to_ascii_lowercase()) == *needs;
            return match needs.is_empty() || request.headers.iter().any(has) || query.split('&').any(|one| one == needs)
            {
                true => with_body("200 OK", "", said.as_bytes()),
                false => with_body("401 Unauthorized", "", b""),
            };
        }
        let allowed = self.judge(request, query).and_then(|()| match self.forbids(request, "GetObject") {
            true => Err("AccessDenied"),
            false => Ok(()),
        });
        if let Err(code) = allowed {
            let error = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>no</Message></Error>");
            return with_body("403 Forbidden", "", error.as_bytes());
        }
        // Google's clients write slashes of a key like this.
        match self.objects.get(&path.replace("%2F", "/").replace("%2E", ".")) {
            None => with_body("404 Not Found", "", b"<Error><Code>NoSuchKey</Code></Error>"),
            Some((_, number)) if request.header("if-none-match") == Some(&format!("\"{number}\"")) => {
                format!("HTTP/1.1 304 Not Modified\r\nETag: \"{number}\"\r\nConnection: close\r\n\r\n").into_bytes()
            }
            Some((content, number)) => {
                let about = format!("ETag: \"{number}\"\r\nLast-Modified: Tue, 24 Nov 2026 10:00:00 GMT\r\n");
                with_body("200 OK", &about, content)
            }
        }
    }

    fn forbids(&self, request: &Message, operation: &str) -> bool {
        let authorization = request.header("authorization").unwrap_or_default();
        let is_it = |(key, forbidden): &(String, String)| {
            forbidden == operation && authorization.contains(&format!("Credential={key}/"))
        };
        self.forbidden.iter().any(is_it)
    }

    fn judge(&self, request: &Message, query: &str) -> Result<(), &'static str> {
        let authorization = request.header("authorization").unwrap_or_default();
        if let Some(signed) = authorization.strip_prefix("AWS4-HMAC-SHA256 ") {
            return sigv4::check(request, signed, &self.aws);
        }
        if let Some(token) = authorization.strip_prefix("Bearer ") {
            return self.bearers.iter().any(|known| known == token).then_some(()).ok_or("AuthenticationRequired");
        }
        if let Some(signed) = authorization.strip_prefix("SharedKey ") {
            return azure::check(request, signed, &self.accounts);
        }
        let is_shared = self.shared.as_ref().is_some_and(|shared| query.contains(&format!("sig={shared}")));
        is_shared.then_some(()).ok_or("AccessDenied")
    }
}

fn with_body(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// A keyed hash, as every provider signs with.
fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
    sign(&Key::new(HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}
