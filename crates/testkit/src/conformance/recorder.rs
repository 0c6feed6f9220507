//! A scripted HTTP server that records what reaches it: the upstream and the side services.

use std::collections::HashMap;
use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use crate::scripted;
use crate::wire::{self, Message};

/// Running until dropped with the process; connections are served by threads.
pub struct Recorder {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    state: Arc<State>,
}

struct State {
    seen: Mutex<Vec<Value>>,
    script: Mutex<Vec<Value>>,
    counts: Mutex<HashMap<usize, u64>>,
    echoes: bool,
}

impl Recorder {
    /// Starts one. Unscripted requests get an echo of method and target, or a 404.
    pub fn start(echoes: bool) -> Self {
        Self::launch(echoes, |state, stream| state.serve(stream))
    }

    /// Starts one that speaks TLS.
    pub fn start_tls(echoes: bool, config: Arc<ServerConfig>) -> Self {
        Self::launch(echoes, move |state, stream| {
            if let Ok(connection) = ServerConnection::new(config.clone()) {
                state.serve(StreamOwned::new(connection, stream));
            }
        })
    }

    fn launch(echoes: bool, serve: impl Fn(&State, TcpStream) + Send + Sync + 'static) -> Self {
        let state =
            Arc::new(State { seen: Mutex::default(), script: Mutex::default(), counts: Mutex::default(), echoes });
        let (shared, serve) = (state.clone(), Arc::new(serve));
        let port = scripted::upstream(move |stream| serve(&shared, stream));
        Self { port, state }
    }

    /// Sets the scripted answers, placeholders filled in; none of them was given yet.
    pub fn script(&self, script: Vec<Value>) {
        self.state.counts.lock().unwrap().clear();
        *self.state.script.lock().unwrap() = script;
    }

    /// Takes what was recorded and returns the values of a header, one for each request: empty where it is missing,
    /// joined with `+` where it is there more than once.
    pub fn take_header(&self, name: &str) -> Vec<String> {
        let value = |request: &Value| {
            let lines = request["headers"].as_array().unwrap().iter();
            let found = lines.filter(|line| line[0].as_str().unwrap().eq_ignore_ascii_case(name));
            found.map(|line| line[1].as_str().unwrap()).collect::<Vec<_>>().join("+")
        };
        self.take().iter().map(value).collect()
    }

    /// What arrived since the last call.
    pub fn take(&self) -> Vec<Value> {
        std::mem::take(&mut *self.state.seen.lock().unwrap())
    }
}

impl State {
    fn serve(&self, stream: impl Read + Write) {
        let mut stream = BufReader::new(stream);
        while let Ok(Some(request)) = wire::read_request(&mut stream) {
            let answer = self.answer(&request);
            let writer = stream.get_mut();
            if writer.write_all(&answer).and_then(|()| writer.flush()).is_err() {
                return;
            }
        }
    }

    fn answer(&self, request: &Message) -> Vec<u8> {
        let mut words = request.start.split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let headers: Vec<Value> = request.headers.iter().map(|(name, value)| json!([name, value])).collect();
        self.seen.lock().unwrap().push(json!({
            "method": method, "target": target, "headers": headers, "body": request.text(),
        }));
        let path = target.split('?').next().unwrap_or_default();
        if let Some(entry) = self.scripted(method, path) {
            if let Some(delay) = entry["delay_ms"].as_u64() {
                thread::sleep(Duration::from_millis(delay));
            }
            let body = match &entry["body"] {
                Value::String(text) => text.clone(),
                Value::Null => String::new(),
                other => other.to_string(),
            };
            let headers = match entry["headers"].as_object() {
                Some(map) if !map.is_empty() => {
                    map.iter().map(|(name, value)| (name.clone(), text_of(value))).collect()
                }
                _ => vec![("Content-Type".to_owned(), "application/json".to_owned())],
            };
            return render(method, entry["status"].as_u64().unwrap_or(200), &headers, body.as_bytes());
        }
        let json_type = [("Content-Type".to_owned(), "application/json".to_owned())];
        if self.echoes {
            let body = format!("{{\"method\": {}, \"target\": {}}}", json!(method), json!(target));
            render(method, 200, &json_type, body.as_bytes())
        } else {
            render(method, 404, &json_type, b"{\"error\":\"not scripted\"}")
        }
    }

    fn scripted(&self, method: &str, path: &str) -> Option<Value> {
        let script = self.script.lock().unwrap();
        let mut counts = self.counts.lock().unwrap();
        for (index, entry) in script.iter().enumerate() {
            let fits = entry["path"] == path && entry["method"].as_str().is_none_or(|wanted| wanted == method);
            let used = counts.entry(index).or_default();
            if fits && entry["times"].as_u64().is_none_or(|times| *used < times) {
                *used += 1;
                return Some(entry.clone());
            }
        }
        None
    }
}

/// A scalar as text.
pub fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn render(method: &str, status: u64, headers: &[(String, String)], body: &[u8]) -> Vec<u8> {
    let reason = u16::try_from(status).ok().and_then(|code| http::StatusCode::from_u16(code).ok());
    let reason = reason.and_then(|code| code.canonical_reason()).unwrap_or_default();
    let mut answer = format!("HTTP/1.1 {status} {reason}\r\n").into_bytes();
    for (name, value) in headers {
        answer.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    answer.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
    if method != "HEAD" {
        answer.extend_from_slice(body);
    }
    answer
}
