//! A server with something to protect: `/admin/` takes a token and brings a credential with it, `/public/` takes everybody.

use std::io::{BufReader, ErrorKind, Write};
use std::net::TcpStream;
use std::time::Duration;

use keyward_testkit::conformance::recorder::Recorder;
use keyward_testkit::process::{Keyward, Running};
use keyward_testkit::wire;
use serde_json::Value;

/// For an answer. Some requests get none: the connection ends.
const FOR_AN_ANSWER: Duration = Duration::from_secs(10);

/// What is put into requests to `/admin/`.
pub(crate) const CREDENTIAL: &str = "the-real-credential";

const CONFIG: &str = "
authenticators: {anonymous: {enabled: true}, unauthorized: {enabled: true}}
authorizers: {allow: {enabled: true}}
mutators: {header: {enabled: true}, noop: {enabled: true}}
";

/// The server, and what is behind it.
pub(crate) struct Stage {
    pub(crate) running: Running,
    /// Behind `/public/`, and `/stripped/` without that.
    pub(crate) open: Recorder,
    /// Behind `/admin/`, which nobody in these tests may reach, and `/with-key/`, which everybody may.
    pub(crate) protected: Recorder,
}

impl Stage {
    pub(crate) fn start() -> Self {
        Self::start_with("")
    }

    /// With settings besides.
    pub(crate) fn start_with(settings: &str) -> Self {
        let (open, protected) = (Recorder::start(true), Recorder::start(true));
        let rule = |id: &str, authenticator: &str, mutator: &str, upstream: &str| {
            format!(
                "- id: {id}\n  match: {{url: \"<https?>://api.example/{id}/<.*>\", methods: [GET, POST, HEAD, OPTIONS]}}\n  \
                 authenticators: [{{handler: {authenticator}}}]\n  authorizer: {{handler: allow}}\n  mutators: [{mutator}]\n  \
                 upstream: {{{upstream}}}\n"
            )
        };
        let key = format!("{{handler: header, config: {{headers: {{X-Api-Key: {CREDENTIAL}}}}}}}");
        let (noop, to) = ("{handler: noop}", |port: u16| format!("url: \"http://127.0.0.1:{port}\""));
        let rules = [
            rule("public", "anonymous", noop, &to(open.port)),
            rule("stripped", "anonymous", noop, &format!("{}, strip_path: /stripped", to(open.port))),
            rule("socket", "anonymous", &key, &format!("{}, upgrade: [websocket]", to(protected.port))),
            rule("with-key", "anonymous", &key, &to(protected.port)),
            rule("admin", "unauthorized", &key, &to(protected.port)),
        ];
        let config = format!("{CONFIG}{settings}\n");
        let running = Keyward::new(env!("CARGO_BIN_EXE_keyward")).with(&config, &rules.concat()).start();
        Self { running, open, protected }
    }

    /// Sends bytes on a connection of their own. What became of them in short: the status of the first answer (0 without
    /// one), `closed` where the connection takes no request after it, and a line for each request that came out behind:
    /// `open GET /target` or `protected GET /target`.
    pub(crate) fn play(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.running.proxy)).unwrap();
        stream.set_read_timeout(Some(FOR_AN_ANSWER)).unwrap();
        // It may have been answered, and closed, before all of it is sent.
        let _ = stream.write_all(bytes);
        let mut reader = BufReader::new(stream);
        let is_head = bytes.starts_with(b"HEAD ");
        let mut outcome = wire::read_response(&mut reader, is_head).map_or(0, |answer| answer.status()).to_string();
        if takes_no_more(&mut reader) {
            outcome.push_str(" closed");
        }
        for (name, recorder) in [("open", &self.open), ("protected", &self.protected)] {
            for call in recorder.take() {
                let text = |member: &str| call[member].as_str().unwrap().to_owned();
                outcome.push_str(&format!(", {name} {} {}", text("method"), text("target")));
                if !text("body").is_empty() {
                    outcome.push_str(&format!(" {}", text("body")));
                }
            }
        }
        outcome
    }

    /// Plays a request line and fields: `Host` and the end are added.
    pub(crate) fn request(&self, line: &str, fields: &str) -> String {
        self.play(format!("{line} HTTP/1.1\r\nHost: api.example\r\n{fields}\r\n").as_bytes())
    }

    /// Each row is a request line with fields below it, and what must come of it.
    pub(crate) fn all(&self, rows: &[(&str, &str)]) {
        let mut wrong = Vec::new();
        for (request, expected) in rows {
            let (line, fields) = request.split_once('\n').unwrap_or((request, ""));
            let fields: String = fields.lines().map(|field| format!("{field}\r\n")).collect();
            let outcome = self.request(line, &fields);
            if outcome != *expected {
                wrong.push(format!("{request}: {outcome}, not {expected}"));
            }
        }
        assert!(wrong.is_empty(), "{}\n{}", wrong.join("\n"), self.running.log());
    }

    /// The fields of what reached the protected upstream with a request.
    pub(crate) fn fields(&self, line: &str, fields: &str) -> Vec<(String, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.running.proxy)).unwrap();
        stream.set_read_timeout(Some(keyward_testkit::process::PATIENCE)).unwrap();
        write!(stream, "{line} HTTP/1.1\r\nHost: api.example\r\n{fields}\r\n").unwrap();
        let status = wire::read_response(&mut BufReader::new(stream), false).unwrap().status();
        assert_eq!(status, 200, "{line} {fields}: {}", self.running.log());
        let calls = self.protected.take();
        assert_eq!(calls.len(), 1);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        calls[0]["headers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|line| (text(&line[0]).to_lowercase(), text(&line[1])))
            .collect()
    }
}

/// Whether a connection takes no further request. Whatever else was on its way is answered first.
fn takes_no_more(reader: &mut BufReader<TcpStream>) -> bool {
    let _ = reader.get_mut().write_all(b"GET /another HTTP/1.1\r\nHost: api.example\r\n\r\n");
    loop {
        match wire::read_response(reader, false).map(|answer| answer.status()) {
            Ok(404) => return false,
            Ok(_) => {}
            Err(error) => return !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        }
    }
}
