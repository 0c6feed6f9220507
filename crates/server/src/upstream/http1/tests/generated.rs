//! Answers out of a grammar, and what can be done to them.

use std::ops::Range;

use bytes::Bytes;
use http::Method;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// An answer that is right, and what it says.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) method: Method,
    pub(super) bytes: Bytes,
    /// Where its head ends, after interim ones.
    pub(super) head: usize,
    /// It has no other end than the connection's.
    pub(super) ends_with_connection: bool,
    /// The connection may have another request afterwards.
    pub(super) keeps: bool,
    pub(super) status: u16,
    pub(super) body: Bytes,
    /// Names in lower case.
    pub(super) trailers: Vec<Field>,
}

type Field = (String, Vec<u8>);

#[derive(Clone, Debug)]
enum Framing {
    Length,
    /// With extensions, and where chunks end.
    Chunks(Vec<(usize, &'static str)>, Vec<Field>),
    TheRest,
}

fn name() -> impl Strategy<Value = String> {
    "[xX]-[a-zA-Z0-9!#$%&'*+.^_`|~-]{0,8}"
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![20 => 0x21..=0x7e_u8, 2 => Just(b' '), 1 => Just(b'\t'), 2 => 0x80..=0xff_u8];
    vec(byte, 0..16).prop_map(|bytes| bytes.trim_ascii().to_vec())
}

fn fields(count: Range<usize>) -> impl Strategy<Value = Vec<Field>> {
    vec((name(), value()), count)
}

/// A body, now and then one of several reads.
fn body(longest: usize) -> impl Strategy<Value = Vec<u8>> {
    let long = (0..longest).prop_map(|length| (0..=250).cycle().take(length).collect());
    prop_oneof![12 => vec(any::<u8>(), 0..40), 1 => long]
}

fn framing() -> impl Strategy<Value = Framing> {
    let extension = select(vec!["", "", ";a", ";a=\"b;c\"", " ;a", "\t", ";\u{e9}"]);
    let chunks = vec((1..40_000_usize, extension), 0..4);
    let trailers = prop_oneof![2 => Just(Vec::new()), 1 => fields(1..4)];
    prop_oneof![
        3 => Just(Framing::Length),
        3 => (chunks, trailers).prop_map(|(chunks, trailers)| Framing::Chunks(chunks, trailers)),
        1 => Just(Framing::TheRest),
    ]
}

/// An answer to GET, POST or HEAD with a body of at most so many bytes.
pub(super) fn answers(longest: usize) -> impl Strategy<Value = Answer> {
    let method = prop_oneof![4 => Just(Method::GET), 1 => Just(Method::HEAD), 1 => Just(Method::POST)];
    let interim = (select(vec!["100 Continue", "102 Processing", "103 Early Hints", "199"]), fields(0..2));
    let status = select(vec![200, 200, 200, 200, 201, 204, 205, 206, 302, 304, 401, 404, 500, 599, 999_u16]);
    let reason = select(vec![" OK", " ", "", " not \u{e9} so\tbad"]);
    let connection =
        select(vec![None, None, None, Some("close"), Some("keep-alive"), Some("x, Close"), Some("y , Keep-Alive")]);
    let line = (any::<bool>(), status, reason, connection);
    (method, vec(interim, 0..3), line, fields(0..6), framing(), body(longest)).prop_map(
        |(method, interims, (is_10, status, reason, connection), fields, framing, body)| {
            let mut bytes = Vec::new();
            for (line, fields) in interims {
                put_head(&mut bytes, &format!("HTTP/1.1 {line}"), &fields);
            }
            let is_10 = is_10 && !matches!(framing, Framing::Chunks(..));
            let mut fields = fields;
            fields.extend(connection.map(|value| ("Connection".to_owned(), value.into())));
            match &framing {
                Framing::Length => fields.push(("content-Length".to_owned(), body.len().to_string().into())),
                Framing::Chunks(..) => fields.push(("Transfer-Encoding".to_owned(), "chunked".into())),
                Framing::TheRest => {}
            }
            put_head(&mut bytes, &format!("HTTP/1.{} {status}{reason}", u8::from(!is_10)), &fields);
            let head = bytes.len();
            let has_body = method != Method::HEAD && !matches!(status, 204 | 304);
            let ends_with_connection = has_body && matches!(framing, Framing::TheRest);
            let options = connection.unwrap_or_default().to_ascii_lowercase();
            let keeps = if is_10 { options.contains("keep-alive") } else { !options.contains("close") };
            let (body, trailers) = if has_body { put_body(&mut bytes, framing, body) } else { Default::default() };
            let keeps = keeps && !ends_with_connection;
            Answer {
                method,
                bytes: bytes.into(),
                head,
                ends_with_connection,
                keeps,
                status,
                body: body.into(),
                trailers,
            }
        },
    )
}

fn put_fields(bytes: &mut Vec<u8>, fields: &[Field]) {
    for (name, value) in fields {
        bytes.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
    }
    bytes.extend(b"\r\n");
}

fn put_head(bytes: &mut Vec<u8>, line: &str, fields: &[Field]) {
    bytes.extend([line.as_bytes(), b"\r\n"].concat());
    put_fields(bytes, fields);
}

/// Frames a body; gives it back with its trailers.
fn put_body(bytes: &mut Vec<u8>, framing: Framing, body: Vec<u8>) -> (Vec<u8>, Vec<Field>) {
    let Framing::Chunks(mut chunks, trailers) = framing else {
        bytes.extend(&body);
        return (body, Vec::new());
    };
    chunks.push((usize::MAX, ""));
    let mut rest = &body[..];
    for (size, extension) in chunks {
        let (chunk, after) = rest.split_at(size.min(rest.len()));
        if !chunk.is_empty() {
            bytes.extend(format!("{:x}{extension}\r\n", chunk.len()).into_bytes());
            bytes.extend([chunk, b"\r\n"].concat());
        }
        rest = after;
    }
    bytes.extend(b"0\r\n");
    put_fields(bytes, &trailers);
    (body, trailers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect())
}

/// Something that is done to the bytes of an answer.
#[derive(Clone, Debug)]
enum Edit {
    Insert(&'static [u8]),
    Remove(usize),
    Repeat(usize),
    Set(u8),
}

/// What makes readers disagree.
const SPICE: &[&[u8]] = &[
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b" ",
    b"\t",
    b"\x0c",
    b"\x0b",
    b"\x7f",
    b"\x80",
    b":",
    b";",
    b",",
    b"0",
    b"+1",
    b"0x1",
    b"\r\n\r\n",
    b"\n\n",
    b" folded\r\n",
    b"\tfolded\r\n",
    b"HTTP/1.0 ",
    b"HTTP/1.1 100 \r\n\r\n",
    b"HTTP/1.1 101 \r\n\r\n",
    b"Content-Length: 3\r\n",
    b"Content-Length: 5\r\n",
    b"Content-Length: 3, 3\r\n",
    b"Content-Length: +3\r\n",
    b"Content-Length:\r\n",
    b"Content-Length : 3\r\n",
    b"Content-Length: 18446744073709551616\r\n",
    b"0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: gzip, chunked\r\n",
    b"Transfer-Encoding: identity\r\n",
    b"Transfer-Encoding:\x0bchunked\r\n",
    b"Connection: close\r\n",
    b"Connection: keep-alive\r\n",
    b"ffffffffffffffff\r\n",
    b"Upgrade: h2c\r\n",
];

/// An answer with one to three things done to it, mostly where lines begin, and the method it answers.
pub(super) fn mutated() -> impl Strategy<Value = (Method, Bytes)> {
    let what = prop_oneof![
        5 => select(SPICE).prop_map(Edit::Insert),
        1 => (1..12_usize).prop_map(Edit::Remove),
        1 => (1..40_usize).prop_map(Edit::Repeat),
        1 => any::<u8>().prop_map(Edit::Set),
    ];
    let edits = vec((any::<Index>(), any::<bool>(), what), 1..4);
    (answers(200), edits).prop_map(|(answer, edits)| {
        let mut bytes = answer.bytes.to_vec();
        for (index, at_line, edit) in edits {
            let lines = bytes.windows(2).enumerate().filter(|(_, pair)| pair == b"\r\n").map(|(at, _)| at);
            let places: Vec<usize> = if at_line { lines.flat_map(|at| [at, at + 2]).collect() } else { Vec::new() };
            let at = if places.is_empty() { index.index(bytes.len() + 1) } else { *index.get(&places) };
            let to = |count: usize| (at + count).min(bytes.len());
            match edit {
                Edit::Insert(spice) => drop(bytes.splice(at..at, spice.iter().copied())),
                Edit::Remove(count) => drop(bytes.drain(at..to(count))),
                Edit::Repeat(count) => {
                    let again = bytes[at..to(count)].to_vec();
                    drop(bytes.splice(at..at, again));
                }
                Edit::Set(byte) => drop(bytes.splice(at..to(1), [byte])),
            }
        }
        (answer.method, bytes.into())
    })
}

/// Any bytes, by themselves or where a head or a chunk is expected.
pub(super) fn arbitrary() -> impl Strategy<Value = Bytes> {
    let before = select(vec![
        "",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
    ]);
    let byte = prop_oneof![3 => any::<u8>(), 3 => select(b"\r\n\t :;,0123456789aAfFxX=\"".as_slice())];
    (before, vec(byte, 0..80)).prop_map(|(before, bytes)| [before.as_bytes(), &bytes].concat().into())
}

/// Where bytes are cut into pieces.
pub(super) fn cuts() -> impl Strategy<Value = Vec<Index>> {
    vec(any::<Index>(), 0..10)
}

/// The pieces of bytes that are cut there; single bytes when there are few.
pub(super) fn pieces<'b>(bytes: &'b [u8], cuts: &[Index]) -> Vec<&'b [u8]> {
    if cuts.is_empty() && bytes.len() < 600 {
        return bytes.chunks(1).collect();
    }
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    places.windows(2).map(|ends| &bytes[ends[0]..ends[1]]).filter(|piece| !piece.is_empty()).collect()
}
