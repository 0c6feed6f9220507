//! What a real server answered, kept in files, and a server that repeats it.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::exchange::{Answer, Exchange, Request};
use super::{Front, Server, tell};

/// The exchanges of one case.
pub(super) struct Recording {
    /// The product and its version.
    server: String,
    exchanges: Vec<Exchange>,
}

/// The product and version that is recorded now, as whoever runs the tests calls it.
pub(super) fn who_is_recorded() -> Option<String> {
    std::env::var("KEYWARD_VAULT_RECORD").ok().filter(|server| !server.is_empty())
}

fn path(case: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vault").join(format!("{case}.json"))
}

impl Recording {
    /// Tokens that the server made up are called `issued-1` and so on.
    pub(super) fn of(server: &str, exchanges: &[Exchange]) -> Self {
        let mut text = Value::from_iter(exchanges.iter().map(Exchange::to_json)).to_string();
        let mut issued: Vec<&str> = Vec::new();
        for login in exchanges.iter().filter(|exchange| exchange.request.path.ends_with("/login")) {
            issued.extend(login.answer.body["auth"]["client_token"].as_str());
        }
        for (number, token) in issued.iter().enumerate() {
            text = text.replace(token, &format!("issued-{}", number + 1));
        }
        let exchanges: Vec<Value> = serde_json::from_str(&text).unwrap();
        Self { server: server.to_owned(), exchanges: exchanges.iter().map(Exchange::from_json).collect() }
    }

    pub(super) fn read(case: &str) -> Self {
        let path = path(case);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let value: Value = serde_json::from_str(&text).unwrap();
        let exchanges = value["exchanges"].as_array().unwrap().iter().map(Exchange::from_json).collect();
        Self { server: value["server"].as_str().unwrap().to_owned(), exchanges }
    }

    pub(super) fn write(&self, case: &str) {
        let exchanges: Vec<String> = self.exchanges.iter().map(|exchange| exchange.to_json().to_string()).collect();
        let server = Value::from(&*self.server);
        let text = format!("{{\"server\": {server}, \"exchanges\": [\n{}\n]}}\n", exchanges.join(",\n"));
        fs::write(path(case), text).unwrap();
    }

    /// Panics unless the same was asked, and answered in the same way.
    pub(super) fn compare(&self, case: &str, seen: &[Exchange]) {
        let server = &self.server;
        for (number, (seen, recorded)) in seen.iter().zip(&self.exchanges).enumerate() {
            let Request { method, path, .. } = &recorded.request;
            assert_eq!(seen.request, recorded.request, "{case}: request {number} is none that {server} was sent");
            let differs = seen.answer.differs(&recorded.answer);
            assert!(differs.is_none(), "{case}: {method} {path}: {server} answers otherwise: {}", differs.unwrap());
        }
        assert_eq!(seen.len(), self.exchanges.len(), "{case}: not as many requests as {server} was sent");
    }
}

/// Repeats what was recorded, request by request.
pub(super) struct Recorded(Front);

impl Recorded {
    pub(super) fn start(recording: &Recording) -> Self {
        let mut left = recording.exchanges.clone().into_iter();
        Self(Front::start(move |message| {
            let (asked, next) = (Request::read(message), left.next());
            match next {
                Some(next) if next.request == asked => next.answer,
                next => {
                    // The case fails of it, and would not say why.
                    tell(&format!("asked: {asked:?}, and not {:?}\n", next.map(|next| next.request)));
                    Answer::new(500, json!({"errors": ["this was not recorded"]}))
                }
            }
        }))
    }
}

/// Everything that was done to the server is in what it answered.
impl Server for Recorded {
    fn front(&self) -> &Front {
        &self.0
    }

    fn put(&self, _: &str, _: &Value) {}

    fn delete(&self, _: &str, _: u64) {}

    fn destroy(&self, _: &str, _: u64) {}

    fn token(&self, _: &str, _: u64) {}

    fn logins(&self, _: u64, _: bool) {}

    fn revoke_all(&self) {}

    fn forbid(&self, _: &str) {}

    fn enter(&self, _: &str) -> bool {
        true
    }

    fn seal(&self) -> bool {
        true
    }

    fn unseal(&self) {}
}
