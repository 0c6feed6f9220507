//! Documents with rules, and a server of documents over plain HTTP whose next answers a test decides.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use crate::scripted::{drip, read_head, upstream};

/// Settings under which [`denying_rule`] works.
pub const HANDLERS: &str = "authenticators: {anonymous: {enabled: true}}\nauthorizers: {allow: {enabled: true}, deny: {enabled: true}}\n\
                            mutators: {noop: {enabled: true}}\n";

/// A rule that denies, with 403, this path of every host; other paths have none, and get 404.
pub fn denying_rule(path: &str) -> String {
    format!(
        "- id: {path}\n  match: {{url: \"http://<[^/]*>/{path}\", methods: [GET]}}\n  \
         authenticators: [{{handler: anonymous}}]\n  authorizer: {{handler: deny}}\n  mutators: [{{handler: noop}}]\n"
    )
}

/// A server on loopback.
#[derive(Clone)]
pub struct DocumentServer {
    /// Its port.
    pub port: u16,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// It hangs up on everybody.
    is_down: bool,
    /// Raw answers that come first, one each, and whether they drip.
    faults: Vec<(Vec<u8>, bool)>,
    /// Documents by path, with their `ETag`.
    documents: BTreeMap<String, (String, Option<String>)>,
    /// Request heads, lower case.
    heads: Vec<String>,
}

impl DocumentServer {
    /// Starts one that has nothing.
    pub fn start() -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let shared = state.clone();
        let port = upstream(move |mut stream: TcpStream| {
            let head = read_head(&mut stream).to_ascii_lowercase();
            let (answer, drips) = shared.lock().unwrap().answer(head);
            if drips {
                drip(&mut stream, &answer);
            } else {
                // Whoever asked may have gone.
                let _ = stream.write_all(&answer);
            }
        });
        Self { port, state }
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Has a document at a path, lower case.
    pub fn put(&self, path: &str, document: &str, etag: Option<&str>) {
        let document = (document.to_owned(), etag.map(str::to_owned));
        self.state.lock().unwrap().documents.insert(path.to_owned(), document);
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

    /// The heads of all requests so far, lower case.
    pub fn heads(&self) -> Vec<String> {
        self.state.lock().unwrap().heads.clone()
    }

    /// How many of them were for a path.
    pub fn asked(&self, path: &str) -> usize {
        let beginning = format!("get {path} ");
        self.state.lock().unwrap().heads.iter().filter(|head| head.starts_with(&beginning)).count()
    }
}

impl State {
    fn answer(&mut self, head: String) -> (Vec<u8>, bool) {
        self.heads.push(head.clone());
        if self.is_down {
            return (Vec::new(), false);
        }
        if !self.faults.is_empty() {
            return self.faults.remove(0);
        }
        let target = head.split(' ').nth(1).unwrap_or_default();
        let path = target.split('?').next().unwrap_or_default();
        let Some((document, etag)) = self.documents.get(path) else {
            return (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec(), false);
        };
        let etag = etag.as_deref().map(|etag| format!("ETag: \"{etag}\"\r\n")).unwrap_or_default();
        let condition = format!("if-none-match: {}", etag.trim_start_matches("ETag: ").trim());
        let answer = match !etag.is_empty() && head.contains(&condition) {
            true => format!("HTTP/1.1 304 Not Modified\r\n{etag}\r\n"),
            false => format!("HTTP/1.1 200 OK\r\n{etag}Content-Length: {}\r\n\r\n{document}", document.len()),
        };
        (answer.into_bytes(), false)
    }
}
