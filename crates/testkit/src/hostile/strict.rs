//! An upstream that takes exactly what RFC 9112 lets a sender write, and calls everything else by its name.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::thread;

use crate::ports::listener;

/// The field that brings the credential.
pub const FIELD: &str = "x-api-key";
/// What is injected.
pub const CREDENTIAL: &str = "canary-5f1c0e";

/// Running until the process ends; each connection has a thread.
pub struct StrictUpstream {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    seen: Arc<Mutex<Seen>>,
}

/// What arrived.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Method and target of each request that was as it should be.
    pub requests: Vec<String>,
    /// What was not as it should be.
    pub faults: Vec<String>,
}

impl StrictUpstream {
    /// Starts one. It answers every request with a small document.
    pub fn start() -> Self {
        let listener = listener();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let shared = Arc::clone(&seen);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let seen = Arc::clone(&shared);
                thread::spawn(move || serve(stream, &seen));
            }
        });
        Self { port, seen }
    }

    /// What arrived since the last call.
    pub fn take(&self) -> Seen {
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

fn serve(stream: TcpStream, seen: &Mutex<Seen>) {
    let mut reader = BufReader::new(stream);
    loop {
        match read(&mut reader) {
            Ok(None) => return,
            Ok(Some(request)) => seen.lock().unwrap().requests.push(request),
            // Whoever leaves in the middle of a request says nothing that could be taken for another.
            Err(Fault::Ended) => return,
            Err(Fault::Odd(what)) => {
                seen.lock().unwrap().faults.push(what);
                return;
            }
        }
        let answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
        if reader.get_mut().write_all(answer).is_err() {
            return;
        }
    }
}

enum Fault {
    Ended,
    Odd(String),
}

fn odd<T>(what: &str, bytes: &[u8]) -> Result<T, Fault> {
    Err(Fault::Odd(format!("{what}: {:?}", String::from_utf8_lossy(bytes))))
}

/// One request: its method and target.
fn read(reader: &mut impl BufRead) -> Result<Option<String>, Fault> {
    if reader.fill_buf().map_err(|_| Fault::Ended)?.is_empty() {
        return Ok(None);
    }
    let start = line(reader)?;
    let words: Vec<&[u8]> = start.split(|byte| *byte == b' ').collect();
    let [method, target, b"HTTP/1.1"] = words[..] else { return odd("a request line", &start) };
    if method.is_empty() || !method.iter().all(u8::is_ascii_alphabetic) {
        return odd("a method", method);
    }
    check_target(target)?;
    let mut fields: Vec<(String, Vec<u8>)> = Vec::new();
    loop {
        let line = line(reader)?;
        if line.is_empty() {
            break;
        }
        fields.push(field(&line)?);
    }
    let length = framing(&fields)?;
    match length {
        Body::Length(length) => drop(exactly(reader, length)?),
        Body::Chunked => chunks(reader)?,
    }
    Ok(Some(format!("{} {}", String::from_utf8_lossy(method), String::from_utf8_lossy(target))))
}

/// Up to CRLF, in which neither CR nor LF stands alone.
fn line(reader: &mut impl BufRead) -> Result<Vec<u8>, Fault> {
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line).map_err(|_| Fault::Ended)?;
    if !line.ends_with(b"\n") {
        return Err(Fault::Ended);
    }
    match line.strip_suffix(b"\r\n") {
        Some(text) if !text.contains(&b'\r') => Ok(text.to_vec()),
        _ => odd("a line end", &line),
    }
}

/// A path from the root, without dot segments however they are written, and a query.
fn check_target(target: &[u8]) -> Result<(), Fault> {
    let allowed = |byte: &u8| byte.is_ascii_graphic() && !b"#\\\"<>^`{|}".contains(byte);
    if !target.starts_with(b"/") || !target.iter().all(allowed) {
        return odd("a target", target);
    }
    let path = target.split(|byte| *byte == b'?').next().unwrap_or_default().to_ascii_lowercase();
    let path = String::from_utf8_lossy(&path).replace("%2e", ".");
    let hides = |segment: &str| matches!(segment.split(';').next(), Some("." | ".."));
    if path.starts_with("//") || path.split('/').any(hides) {
        return odd("a path that leads elsewhere", target);
    }
    Ok(())
}

fn field(line: &[u8]) -> Result<(String, Vec<u8>), Fault> {
    let token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^`|~".contains(byte);
    let Some(colon) = line.iter().position(|byte| *byte == b':') else { return odd("a field", line) };
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    let value = value.strip_prefix(b" ").unwrap_or(value);
    let plain = |byte: &u8| *byte == b'\t' || *byte == b' ' || byte.is_ascii_graphic() || *byte >= 0x80;
    // `_` is left out of names: behind many servers it means `-`.
    if name.is_empty() || !name.iter().all(token) || !value.iter().all(plain) {
        return odd("a field", line);
    }
    Ok((String::from_utf8_lossy(name).to_lowercase(), value.to_vec()))
}

enum Body {
    Length(usize),
    Chunked,
}

/// Fields of this hop, and the credential, each as often as it has to be there.
fn framing(fields: &[(String, Vec<u8>)]) -> Result<Body, Fault> {
    let all = |wanted: &str| {
        fields.iter().filter(|(name, _)| name == wanted).map(|(_, value)| &value[..]).collect::<Vec<_>>()
    };
    for name in ["keep-alive", "proxy-connection", "trailer", "upgrade", "proxy-authorization"] {
        if let Some(value) = all(name).first() {
            return odd(name, value);
        }
    }
    // That trailers are welcome is the one thing a proxy says about its own connection (RFC 9110 section 10.1.4).
    match (all("connection").as_slice(), all("te").as_slice()) {
        ([], []) => {}
        ([connection], [te]) if *connection == b"te" && *te == b"trailers" => {}
        (connection, te) => return odd("fields of this hop", format!("{connection:?} {te:?}").as_bytes()),
    }
    if !matches!(all("expect").as_slice(), [] | [b"100-continue"]) {
        return odd("expectations", b"");
    }
    let hosts = all("host");
    if hosts.len() != 1 {
        return odd("hosts", hosts.join(&b", "[..]).as_slice());
    }
    let credentials = all(FIELD);
    if credentials != [CREDENTIAL.as_bytes()] {
        return odd("credentials", credentials.join(&b", "[..]).as_slice());
    }
    match (all("content-length").as_slice(), all("transfer-encoding").as_slice()) {
        ([], []) => Ok(Body::Length(0)),
        ([], [coding]) if *coding == b"chunked" => Ok(Body::Chunked),
        ([length], []) if !length.is_empty() && length.iter().all(u8::is_ascii_digit) => {
            match String::from_utf8_lossy(length).parse() {
                Ok(length) => Ok(Body::Length(length)),
                Err(_) => odd("a length", length),
            }
        }
        (lengths, codings) => odd("framing", format!("{lengths:?} {codings:?}").as_bytes()),
    }
}

fn exactly(reader: &mut impl BufRead, length: usize) -> Result<Vec<u8>, Fault> {
    let mut bytes = vec![0; length];
    reader.read_exact(&mut bytes).map_err(|_| Fault::Ended)?;
    Ok(bytes)
}

/// Chunks without extensions, and no trailers.
fn chunks(reader: &mut impl BufRead) -> Result<(), Fault> {
    loop {
        let size = line(reader)?;
        let text = String::from_utf8_lossy(&size).into_owned();
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let Some(length) = digits.then(|| usize::from_str_radix(&text, 16).ok()).flatten() else {
            return odd("the size of a chunk", &size);
        };
        if length > 0 {
            exactly(reader, length)?;
        }
        let end = line(reader)?;
        if !end.is_empty() {
            return odd("the end of a chunk", &end);
        }
        if length == 0 {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_takes_what_a_sender_may_write_and_nothing_else() {
        let head = "GET /x HTTP/1.1\r\nhost: h\r\nx-api-key: canary-5f1c0e\r\n";
        let good = [
            format!("{head}\r\n"),
            format!("{head}content-length: 2\r\n\r\nab"),
            format!("{head}transfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"),
        ];
        for text in good {
            assert!(matches!(read(&mut text.as_bytes()), Ok(Some(_))), "{text:?}");
        }
        let bad = [
            head.replace("/x", "/a/../x"),
            head.replace("/x", "/a/%2E./x"),
            head.replace("/x", "x"),
            head.replace("/x", "/#"),
            head.replace("HTTP/1.1", "HTTP/1.0"),
            head.replace("\r\nhost", "\nhost"),
            head.replace("host: h", "host: h\r\nhost: h"),
            head.replace("x-api-key: canary-5f1c0e", "x-api-key: mine"),
            format!("{head}x_y: 1\r\n"),
            format!("{head}x: a\rb\r\n"),
            format!("{head} folded\r\n"),
            format!("{head}connection: x\r\n"),
            format!("{head}content-length: +2\r\n"),
            format!("{head}content-length: 2\r\ncontent-length: 2\r\n"),
            format!("{head}content-length: 2\r\ntransfer-encoding: chunked\r\n"),
            format!("{head}transfer-encoding: chunked\r\n\r\n2;x\r\nab\r\n0\r\n"),
            format!("{head}transfer-encoding: chunked\r\n\r\n2\nab\r\n0\r\n"),
            format!("{head}transfer-encoding: chunked\r\n\r\n0\r\nx: y\r\n"),
        ];
        for text in bad {
            let text = format!("{text}\r\n");
            assert!(matches!(read(&mut text.as_bytes()), Err(Fault::Odd(_))), "{text:?}");
        }
    }
}
