//! Requests of HTTP/2, frame by frame: put together at random from fields and frames that are each a little wrong, or
//! right. The same number makes the same requests.

use super::dice::Dice;
use super::stage::HIDDEN;
use super::{Attempt, Expected};
use crate::http2_frames::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, PREFACE, PRIORITY, PUSH_PROMISE,
    RST_STREAM, SETTINGS, WINDOW_UPDATE, block, data, frame, headers, settings,
};

/// Something that can be in a request, and whether nothing that has it may be forwarded.
type Piece = (&'static str, bool);
type Field = (&'static str, &'static str, bool);

const METHODS: &[Piece] = &[
    ("POST", false),
    ("get", false),
    ("", true),
    ("GE T", true),
    ("GET /hidden/request HTTP/1.1\r\n", true),
    ("CONNECT", true),
    ("TRACE", true),
];
const SCHEMES: &[Piece] = &[("https", true), ("ftp", true), ("", true), ("http://h/?", true), ("http\r\nx: y", true)];
const AUTHORITIES: &[Piece] = &[
    ("H", false),
    ("h:80", false),
    ("h.", false),
    ("", true),
    ("u:p@h", true),
    ("h/x", true),
    ("h#x", true),
    ("h x", true),
    ("h\r\nx: y", true),
    ("h,other", true),
];
const PATHS: &[Piece] = &[
    ("/x?q=1", false),
    ("/x#y", false),
    ("//x", false),
    ("/a/../x", false),
    ("/a/../hidden/request", true),
    ("/a/%2e%2e/hidden/request", true),
    ("/a%2f..%2fhidden/request", true),
    ("/a/..;/hidden/request", true),
    ("/x#/../hidden/request", false),
    ("", true),
    ("*", true),
    ("x", true),
    ("http://h/x", true),
    ("/x y", true),
    ("/x HTTP/1.1\r\nx: y", true),
    ("/x\0", true),
    ("/a\\x", true),
    ("/%00", true),
    ("/\u{e9}", true),
];
const FIELDS: &[Field] = &[
    ("x-y", "1", false),
    ("te", "trailers", false),
    ("te", "gzip", true),
    ("cookie", "a=1", false),
    ("host", "h", false),
    ("host", "other", true),
    ("connection", "keep-alive", true),
    ("connection", "x-api-key", true),
    ("keep-alive", "timeout=5", true),
    ("proxy-connection", "keep-alive", true),
    ("transfer-encoding", "chunked", true),
    ("upgrade", "websocket", true),
    ("content-length", "+5", true),
    ("content-length", "5, 5", true),
    ("content-length", "99999999999999999999", true),
    ("X-Upper", "1", true),
    ("x y", "1", true),
    ("x\"y", "1", true),
    ("x:y", "1", true),
    ("", "1", true),
    ("x-y", "a\r\nx-api-key: mine", true),
    ("x-y", "a\nb", true),
    ("x-y", "a\0b", true),
    ("x-y", " a", true),
    ("x-y", "a ", true),
    ("x-api-key", "mine", false),
    ("x_api_key", "mine", false),
    ("content_length", "50", true),
    ("x-forwarded-host", "other", false),
    ("x-http-method-override", "DELETE", true),
    ("expect", "other", true),
    (":status", "200", true),
    (":x", "1", true),
    (":path", "/hidden/request", true),
];

/// So many of them.
pub fn attempts(count: usize, seed: u64) -> Vec<Attempt> {
    let mut dice = Dice::new(seed);
    (0..count).map(|number| attempt(number, &mut dice)).collect()
}

fn attempt(number: usize, dice: &mut Dice) -> Attempt {
    let (kind, frames, expected) = match dice.below(16) {
        0 => ("sound request", Request::sound().frames(), Expected::Forwarded),
        1..=3 => spoiled_frames(dice),
        4 => flood(dice),
        _ => spoiled_request(dice),
    };
    // No table of fields is kept, so that answers can be read without one.
    let begin = [PREFACE, &settings(&[(1, 0)]), &frame(SETTINGS, ACK, 0, &[])].concat();
    Attempt { name: format!("{kind} {number}"), bytes: [begin, frames].concat(), expected }
}

struct Request {
    fields: Vec<(&'static str, &'static str)>,
    body: Option<Vec<u8>>,
    trailers: Option<(&'static str, &'static str)>,
}

impl Request {
    fn sound() -> Self {
        let fields = vec![(":method", "POST"), (":scheme", "http"), (":authority", "h"), (":path", "/x")];
        Self { fields, body: None, trailers: None }
    }

    fn frames(&self) -> Vec<u8> {
        let Some(body) = &self.body else { return headers(1, END_STREAM, &self.fields) };
        let mut bytes = headers(1, 0, &self.fields);
        bytes.extend(data(1, if self.trailers.is_some() { 0 } else { END_STREAM }, body));
        if let Some(trailer) = self.trailers {
            bytes.extend(headers(1, END_STREAM, &[trailer]));
        }
        bytes
    }
}

fn spoiled_request(dice: &mut Dice) -> (&'static str, Vec<u8>, Expected) {
    let mut request = Request::sound();
    let mut refused = false;
    for (place, others) in [METHODS, SCHEMES, AUTHORITIES, PATHS].into_iter().enumerate() {
        if dice.below(6) == 0 {
            let (value, is_wrong) = dice.one_of(others);
            request.fields[place].1 = value;
            refused |= is_wrong;
        }
    }
    let mut has_length = false;
    for _ in 0..dice.below(3) {
        let (name, value, is_wrong) = dice.one_of(FIELDS);
        request.fields.push((name, value));
        refused |= is_wrong;
        has_length |= name == "content-length";
    }
    if dice.below(3) == 0 {
        // What would be a request, if somebody lost count of where this one ends.
        let body = format!("GET {HIDDEN} HTTP/1.1\r\nHost: h\r\n\r\n");
        request.body = Some(body.into_bytes());
        match dice.below(4) {
            0 => request.trailers = Some(("x-api-key", "mine")),
            1 if !has_length => request.trailers = Some((":path", "/hidden/request")),
            2 => {
                request.fields.push(("content-length", "5"));
                refused = true;
            }
            _ => {}
        }
    }
    match dice.below(12) {
        // Doubled, missing, or late.
        0 => {
            request.fields.insert(0, (":method", "GET"));
            refused = true;
        }
        1 => {
            request.fields.remove(0);
            refused = true;
        }
        2 => {
            let late = request.fields.remove(3);
            request.fields.extend([("x-first", "1"), late]);
            refused = true;
        }
        _ => {}
    }
    ("request", request.frames(), if refused { Expected::Refused } else { Expected::Either })
}

/// Frames that break the connection they come on, before a sound request.
fn spoiled_frames(dice: &mut Dice) -> (&'static str, Vec<u8>, Expected) {
    let request = Request::sound();
    let section = block(&request.fields);
    let (kind, stream, length) = dice.one_of(&[
        (PING, 0_u32, 7_usize),
        (PING, 1, 8),
        (RST_STREAM, 1, 3),
        (RST_STREAM, 0, 4),
        (SETTINGS, 0, 5),
        (SETTINGS, 1, 6),
        (WINDOW_UPDATE, 0, 3),
        (WINDOW_UPDATE, 0, 4),
        (PRIORITY, 0, 5),
        (GOAWAY, 1, 8),
        (DATA, 0, 5),
        (DATA, 3, 5),
        (HEADERS, 0, 5),
        (CONTINUATION, 1, 5),
        (PUSH_PROMISE, 1, 8),
        (DATA, 1, 20_000),
    ]);
    let spoiled = match dice.below(6) {
        // A field block that is interrupted.
        0 => [frame(HEADERS, END_STREAM, 1, &section), frame(kind, 0, stream, &vec![0; length])].concat(),
        // More padding than there is frame.
        1 => frame(HEADERS, END_STREAM | END_HEADERS | 8, 1, &[&[255], &section[..20]].concat()),
        // A stream of the server's.
        2 => headers(2, END_STREAM, &request.fields),
        3 => settings(&[dice.one_of(&[(2, 2), (4, 0x8000_0000), (5, 1), (5, 0x0100_0000)])]),
        _ => frame(kind, 0, stream, &vec![0; length]),
    };
    ("frame", [spoiled, headers(3, END_STREAM, &request.fields)].concat(), Expected::Refused)
}

/// Many frames that cost little, before a sound request: served or cut off, but nothing else.
fn flood(dice: &mut Dice) -> (&'static str, Vec<u8>, Expected) {
    const MANY: usize = 1000;
    let one = dice.one_of(&[
        (PING, 0_u32, 8_usize),
        (SETTINGS, 0, 0),
        (PRIORITY, 3, 5),
        (DATA, 1, 0),
        (CONTINUATION, 1, 0),
        (RST_STREAM, 1, 4),
        (0xbe, 0, 16),
    ]);
    let (kind, stream, length) = one;
    let sound = Request::sound();
    let begin = match kind {
        DATA | RST_STREAM => headers(1, 0, &sound.fields),
        CONTINUATION => frame(HEADERS, END_STREAM, 1, &block(&sound.fields)),
        _ => Vec::new(),
    };
    let many = frame(kind, 0, stream, &vec![0; length]).repeat(MANY);
    let last = if begin.is_empty() { headers(1, END_STREAM, &sound.fields) } else { Vec::new() };
    ("flood", [begin, many, last].concat(), Expected::Either)
}
