//! Everything that Keyward asks or forwards to, in every state in which it can be. The first segment of a path says
//! which; what a service received is kept.

use std::collections::BTreeMap;
use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use keyward_testkit::scripted::upstream;
use keyward_testkit::wire::{Message, read_request};

/// How services can be.
pub(crate) const STATES: [&str; 7] = ["ok", "denies", "fails", "garbage", "reset", "refused", "plain"];

/// One server that plays all of them.
pub(crate) struct Services {
    pub(crate) port: u16,
    received: Arc<Mutex<Vec<u8>>>,
    documents: Documents,
}

/// What lies where.
type Documents = Arc<Mutex<BTreeMap<String, String>>>;

impl Services {
    /// Starts it with what it says where all is well, and its documents by path.
    pub(crate) fn start(well: String, documents: Vec<(&'static str, String)>) -> Self {
        let received: Arc<Mutex<Vec<u8>>> = Arc::default();
        let kept = received.clone();
        let documents = documents.into_iter().map(|(path, text)| (path.to_owned(), text)).collect();
        let documents: Documents = Arc::new(Mutex::new(documents));
        let shared = documents.clone();
        let port = upstream(move |mut stream| serve(&mut stream, &well, &shared, &kept));
        Self { port, received, documents }
    }

    /// Puts a document in the place of another.
    pub(crate) fn put(&self, path: &str, text: &str) {
        self.documents.lock().unwrap().insert(path.to_owned(), text.to_owned());
    }

    /// The URL of a service in a state; nobody listens at one that refuses, and TLS is not spoken at a `plain` one.
    pub(crate) fn url(&self, state: &str) -> String {
        match state {
            "refused" => "http://127.0.0.1:1/refused".to_owned(),
            "plain" => format!("https://127.0.0.1:{}/plain", self.port),
            state => format!("http://127.0.0.1:{}/{state}", self.port),
        }
    }

    /// All that arrived.
    pub(crate) fn received(&self) -> Vec<u8> {
        self.received.lock().unwrap().clone()
    }
}

fn serve(stream: &mut TcpStream, well: &str, documents: &Documents, kept: &Mutex<Vec<u8>>) {
    let mut beginning = [0; 16];
    let length = stream.peek(&mut beginning).unwrap_or(0);
    match &beginning[..length] {
        // A handshake of TLS.
        [0x16, ..] => return drop(stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")),
        // The system resets a connection that is closed before everything that came was read.
        start if start.windows(6).any(|part| part == b"/reset") => return,
        _ => {}
    }
    while let Ok(Some(request)) = read_request(&mut BufReader::new(&*stream)) {
        let headers: Vec<String> = request.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        let echo = format!("{} {} {}", request.start, headers.join(" "), request.text());
        kept.lock().unwrap().extend_from_slice(echo.as_bytes());
        let (_, target) = request.method_and_target();
        let path = target.split('?').next().unwrap_or_default();
        let document = documents.lock().unwrap().get(path).cloned();
        if let Some(document) = document {
            let _ = stream.write_all(answer("200 OK", "", &document).as_bytes());
            continue;
        }
        let state = path.split('/').nth(1).unwrap_or_default();
        let out = match state {
            "ok" => answer("200 OK", "", well),
            "serves" => answer("200 OK", "", "{}"),
            "denies" => answer("403 Forbidden", "", r#"{"active": false}"#),
            // What a service that is broken shows of what it was asked.
            "fails" => answer("500 Internal Server Error", &own_headers(&request, &echo), &echo),
            "garbage" => answer("200 OK", "", &format!("{{\"active\": \"{echo}")),
            "bad_head" => format!("HTTP/1.1 200 OK\r\nX-Echo: {echo}\r\nContent-Length: one\r\n\r\n"),
            "no_http" => format!("{echo}\r\n\r\n"),
            "cut" => format!("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{echo}"),
            "echoes" => answer("200 OK", &own_headers(&request, &echo), &echo),
            "stalls" => {
                std::thread::sleep(Duration::from_millis(900));
                String::new()
            }
            _ => String::new(),
        };
        if out.is_empty() || stream.write_all(out.as_bytes()).is_err() || state == "cut" {
            return;
        }
    }
}

fn own_headers(request: &Message, echo: &str) -> String {
    let (_, target) = request.method_and_target();
    format!(
        "Location: http://elsewhere/{target}\r\nSet-Cookie: was={}\r\nX-Echo: {echo}\r\n",
        request.header("cookie").unwrap_or("x")
    )
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}
