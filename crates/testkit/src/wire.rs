//! HTTP/1.1 as bytes: a client and a reader that show exactly what was sent, header lines included.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A message head and body, header lines in order and as written.
#[derive(Clone, Debug, Default)]
pub struct Message {
    /// The start line.
    pub start: String,
    /// Header lines.
    pub headers: Vec<(String, String)>,
    /// The body, with chunk framing taken off.
    pub body: Vec<u8>,
}

impl Message {
    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The method and the target of a request.
    pub fn method_and_target(&self) -> (&str, &str) {
        let (method, rest) = self.start.split_once(' ').unwrap_or_default();
        (method, rest.split(' ').next().unwrap_or_default())
    }

    /// The status code of a response.
    pub fn status(&self) -> u16 {
        self.start.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Sends one request, written by hand, on a connection of its own, and reads the answer.
pub fn exchange(port: u16, request: &[u8], timeout: Duration) -> io::Result<Message> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_nodelay(true)?;
    stream.write_all(request)?;
    let is_head = request.starts_with(b"HEAD ");
    read_response(&mut BufReader::new(stream), is_head)
}

/// Reads one response, past interim ones.
pub fn read_response(reader: &mut impl BufRead, is_head: bool) -> io::Result<Message> {
    loop {
        let mut message = read_head(reader)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let status = message.status();
        if (100..200).contains(&status) && status != 101 {
            continue;
        }
        if !is_head && !matches!(status, 101 | 204 | 304) {
            read_body(reader, &mut message, true)?;
        }
        return Ok(message);
    }
}

/// Reads one request; `None` at the end of the connection.
pub fn read_request(reader: &mut impl BufRead) -> io::Result<Option<Message>> {
    let Some(mut message) = read_head(reader)? else { return Ok(None) };
    read_body(reader, &mut message, false)?;
    Ok(Some(message))
}

fn read_head(reader: &mut impl BufRead) -> io::Result<Option<Message>> {
    let Some(start) = read_line(reader)? else { return Ok(None) };
    let mut message = Message { start, ..Message::default() };
    loop {
        let line = read_line(reader)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        if line.is_empty() {
            return Ok(Some(message));
        }
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        message.headers.push((name.to_owned(), value.trim().to_owned()));
    }
}

fn read_body(reader: &mut impl BufRead, message: &mut Message, until_close: bool) -> io::Result<()> {
    let chunked = message.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked"));
    if chunked {
        return read_chunks(reader, &mut message.body);
    }
    match message.header("content-length").map(|value| value.parse::<usize>()) {
        Some(Ok(length)) => {
            message.body.resize(length, 0);
            reader.read_exact(&mut message.body)
        }
        Some(Err(_)) => Err(io::ErrorKind::InvalidData.into()),
        None if until_close => reader.read_to_end(&mut message.body).map(drop),
        None => Ok(()),
    }
}

fn read_chunks(reader: &mut impl BufRead, body: &mut Vec<u8>) -> io::Result<()> {
    loop {
        let line = read_line(reader)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).map_err(|_| io::ErrorKind::InvalidData)?;
        if size == 0 {
            while read_line(reader)?.is_some_and(|line| !line.is_empty()) {}
            return Ok(());
        }
        let start = body.len();
        body.resize(start + size, 0);
        reader.read_exact(&mut body[start..])?;
        read_line(reader)?;
    }
}

/// First byte of a TLS connection: no line will ever end.
const TLS_HANDSHAKE: u8 = 0x16;

fn read_line(reader: &mut impl BufRead) -> io::Result<Option<String>> {
    if first_byte(reader)? == Some(TLS_HANDSHAKE) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut line = Vec::new();
    if reader.read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    while line.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
        line.pop();
    }
    Ok(Some(line.iter().map(|byte| char::from(*byte)).collect()))
}

/// The next byte, which stays where it is. Unlike the other ways to read, this one is not repeated by the standard
/// library when a signal interrupts it.
fn first_byte(reader: &mut impl BufRead) -> io::Result<Option<u8>> {
    loop {
        match reader.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return Ok(read?.first().copied()),
        }
    }
}

/// Latin-1 text back to the bytes it was read from.
pub fn latin1_bytes(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect()
}

/// Reads whatever still comes, at most `limit` bytes.
pub fn drain(stream: &mut impl Read, limit: u64) -> Vec<u8> {
    let mut rest = Vec::new();
    // A reset at the end is as good as a close here: what was read before it counts.
    let _ = stream.take(limit).read_to_end(&mut rest);
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails once before each byte, as a read does that a signal interrupts.
    struct Interrupted<'a>(&'a [u8], bool);

    impl Read for Interrupted<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 { Err(io::ErrorKind::Interrupted.into()) } else { self.0.read(&mut buffer[..1]) }
        }
    }

    #[test]
    fn an_interrupted_read_is_repeated() {
        let sent = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n";
        let answer = read_response(&mut BufReader::new(Interrupted(sent, false)), false).unwrap();
        assert_eq!((answer.status(), answer.text().as_str()), (200, "ab"));
    }
}
