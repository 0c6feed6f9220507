//! A collector of traces: takes OTLP over HTTP, reads it with the types that the OpenTelemetry project generates, and
//! answers as a test wants.

use std::collections::BTreeMap;
use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
pub use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use prost::Message as _;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::process::PATIENCE;
use crate::scripted;
use crate::wire::{self, Message};

/// Runs until the process ends; connections are served by threads.
pub struct Collector {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    script: Mutex<Vec<Reply>>,
    exports: Mutex<Vec<Message>>,
    spans: Mutex<Vec<Seen>>,
}

/// What one export is answered with.
#[derive(Clone, Copy, Debug)]
pub enum Reply {
    /// This status, with a header line or none. Nothing is taken.
    Status(u16, &'static str),
    /// So many spans are said to be refused.
    Partly(i64),
    /// Nothing, for so long.
    Stall(Duration),
}

/// A span that was taken.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Its name.
    pub name: String,
    /// Server, client or internal.
    pub kind: SpanKind,
    /// The id of its trace, in hex.
    pub trace: String,
    /// Its id, in hex.
    pub id: String,
    /// Its parent's, in hex; empty where it has none.
    pub parent: String,
    /// `flags` of the span.
    pub flags: u32,
    /// Beginning and end, in nanoseconds since 1970.
    pub times: [u64; 2],
    /// Attributes, numbers as text.
    pub attributes: BTreeMap<String, String>,
    /// The status is an error.
    pub is_error: bool,
    /// Attributes of whoever sent it.
    pub resource: BTreeMap<String, String>,
}

impl Seen {
    /// An attribute; empty where it is missing.
    pub fn get(&self, key: &str) -> &str {
        self.attributes.get(key).map_or("", String::as_str)
    }
}

impl Collector {
    /// Starts one.
    pub fn start() -> Self {
        Self::launch(|state, stream| state.serve(stream))
    }

    /// Starts one that speaks TLS.
    pub fn start_tls(config: Arc<ServerConfig>) -> Self {
        Self::launch(move |state, stream| {
            if let Ok(connection) = ServerConnection::new(config.clone()) {
                state.serve(StreamOwned::new(connection, stream));
            }
        })
    }

    fn launch(serve: impl Fn(&State, TcpStream) + Send + Sync + 'static) -> Self {
        let state = Arc::new(State::default());
        let (shared, serve) = (state.clone(), Arc::new(serve));
        let port = scripted::upstream(move |stream| serve(&shared, stream));
        Self { port, state }
    }

    /// The answers to the next exports, the first one first. Those after them are taken.
    pub fn script(&self, replies: &[Reply]) {
        *self.state.script.lock().unwrap() = replies.iter().rev().copied().collect();
    }

    /// Everything that was sent, taken or not.
    pub fn exports(&self) -> Vec<Message> {
        self.state.exports.lock().unwrap().clone()
    }

    /// The spans that were taken.
    pub fn spans(&self) -> Vec<Seen> {
        self.state.spans.lock().unwrap().clone()
    }

    /// The spans that were taken, once there are so many.
    ///
    /// # Panics
    /// When there are more, or too much time passes.
    pub fn wait_for(&self, count: usize) -> Vec<Seen> {
        let begun = Instant::now();
        while self.spans().len() < count && begun.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(20));
        }
        let spans = self.spans();
        assert_eq!(spans.len(), count, "{spans:#?}");
        spans
    }
}

impl State {
    fn serve(&self, stream: impl Read + Write) {
        let mut stream = BufReader::new(stream);
        while let Ok(Some(request)) = wire::read_request(&mut stream) {
            self.exports.lock().unwrap().push(request.clone());
            let reply = self.script.lock().unwrap().pop();
            let (head, body) = match reply {
                Some(Reply::Stall(time)) => {
                    thread::sleep(time);
                    return;
                }
                Some(Reply::Status(status, line)) => (format!("{status} X\r\n{line}"), Vec::new()),
                Some(Reply::Partly(rejected_spans)) => {
                    let error_message = "some of them".to_owned();
                    let partial_success = Some(ExportTracePartialSuccess { rejected_spans, error_message });
                    let answer = ExportTraceServiceResponse { partial_success };
                    ("200 OK\r\n".to_owned(), answer.encode_to_vec())
                }
                None => {
                    self.take(&request);
                    ("200 OK\r\n".to_owned(), ExportTraceServiceResponse::default().encode_to_vec())
                }
            };
            let head = format!("HTTP/1.1 {head}Content-Length: {}\r\n\r\n", body.len());
            let writer = stream.get_mut();
            let written = writer.write_all(head.as_bytes()).and_then(|()| writer.write_all(&body));
            if written.and_then(|()| writer.flush()).is_err() {
                return;
            }
        }
    }

    fn take(&self, request: &Message) {
        let export = ExportTraceServiceRequest::decode(&request.body[..]).unwrap();
        let mut spans = self.spans.lock().unwrap();
        for sent in export.resource_spans {
            let resource = text_of(&sent.resource.unwrap().attributes);
            for span in sent.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                spans.push(seen(&span, &resource));
            }
        }
    }
}

fn seen(span: &Span, resource: &BTreeMap<String, String>) -> Seen {
    Seen {
        name: span.name.clone(),
        kind: span.kind(),
        trace: hex(&span.trace_id),
        id: hex(&span.span_id),
        parent: hex(&span.parent_span_id),
        flags: span.flags,
        times: [span.start_time_unix_nano, span.end_time_unix_nano],
        attributes: text_of(&span.attributes),
        is_error: span.status.as_ref().is_some_and(|status| status.code() == StatusCode::Error),
        resource: resource.clone(),
    }
}

fn text_of(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |attribute: &KeyValue| match attribute.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    };
    attributes.iter().map(|attribute| (attribute.key.clone(), text(attribute))).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
