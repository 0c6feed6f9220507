//! Sees every byte of an HTTP/1 connection before hyper does, and notes what hyper would repair in
//! silence: a length beside a transfer coding, doubled framing fields, bare line feeds, folded lines,
//! fragments (RFC 9112 sections 2.2, 3, 5 and 6).
//!
//! It judges heads and follows bodies only far enough to know where the next head begins. hyper stays
//! the parser; where the two could disagree, this one finds a violation and the request is refused.

use keyward_core::gate::RefusalReason;

/// The longest line that is held while it arrives in pieces.
const MAX_LINE: usize = 64 * 1024;
/// What may stand behind a chunk's size.
const MAX_CHUNK_LINE: usize = 16 + 256;
/// Empty lines tolerated before a request line (RFC 9112 section 2.2).
const MAX_BLANK_LINES: u8 = 2;

/// The scanner of one connection.
#[derive(Debug, Default)]
pub struct HeadScanner {
    state: State,
    partial: Vec<u8>,
    head: Head,
    heads: u64,
    violation: Option<(u64, RefusalReason)>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    RequestLine,
    Fields,
    Length(u64),
    ChunkSize,
    Chunk(u64),
    ChunkEnd,
    Trailers,
    /// After an upgrade or a violation: nothing is looked at any more.
    Blind,
}

#[derive(Clone, Copy, Debug, Default)]
struct Head {
    blank_lines: u8,
    is_http_10: bool,
    length: Option<u64>,
    codings: u8,
    violation: Option<RefusalReason>,
}

/// Chunk framing that no strict reader accepts: the connection has to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrokenChunks {
    /// How many of the bytes came before the broken line.
    pub sound: usize,
}

/// A line of chunk framing that is none.
#[derive(Clone, Copy, Debug)]
struct BrokenLine;

impl HeadScanner {
    /// Takes the next bytes of the connection.
    pub fn feed(&mut self, mut bytes: &[u8]) -> Result<(), BrokenChunks> {
        let fed = bytes.len();
        while !bytes.is_empty() {
            bytes = match self.state {
                State::Blind => return Ok(()),
                State::Length(left) => {
                    let (taken, rest) = skip(bytes, left);
                    self.state = if taken == left { State::RequestLine } else { State::Length(left - taken) };
                    rest
                }
                State::Chunk(left) => {
                    let (taken, rest) = skip(bytes, left);
                    self.state = if taken == left { State::ChunkEnd } else { State::Chunk(left - taken) };
                    rest
                }
                State::RequestLine | State::Fields | State::ChunkSize | State::ChunkEnd | State::Trailers => {
                    self.take_line(bytes).map_err(|BrokenLine| BrokenChunks { sound: fed - bytes.len() })?
                }
            };
        }
        Ok(())
    }

    /// The first head that breaks the rules: which one on this connection, from 0, and why.
    pub fn violation(&self) -> Option<(u64, RefusalReason)> {
        self.violation
    }

    /// Heads that have ended.
    pub fn heads(&self) -> u64 {
        self.heads
    }

    /// Whether a head has begun and not ended: slow heads are limited in time.
    pub fn is_inside_head(&self) -> bool {
        match self.state {
            State::RequestLine => !self.partial.is_empty() || self.head.blank_lines > 0,
            State::Fields => true,
            _ => false,
        }
    }

    /// Whether everything that was begun has been read to its end.
    pub fn is_between_requests(&self) -> bool {
        self.state == State::RequestLine && !self.is_inside_head()
    }

    fn take_line<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], BrokenLine> {
        let found = match self.state {
            State::RequestLine | State::Fields => end_in_head(bytes),
            _ => memchr::memchr(b'\n', bytes).map(|end| (end, true)),
        };
        let Some((end, is_clean)) = found else {
            if self.partial.len() + bytes.len() > MAX_LINE {
                self.note(RefusalReason::FieldSize);
                self.finish_head();
            } else {
                self.partial.extend_from_slice(bytes);
            }
            return Ok(&[]);
        };
        let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
        if self.partial.is_empty() {
            self.line(line, is_clean)?;
        } else {
            let mut whole = std::mem::take(&mut self.partial);
            whole.extend_from_slice(&bytes[..=end]);
            let is_clean = end_in_head(&whole).is_some_and(|(_, is_clean)| is_clean);
            self.line(&whole[..whole.len() - 1], is_clean)?;
        }
        Ok(rest)
    }

    /// One line, without its line feed. A line of a head is clean without NUL, and with no other CR than at its end.
    fn line(&mut self, line: &[u8], is_clean: bool) -> Result<(), BrokenLine> {
        let (text, has_cr) = match line.strip_suffix(b"\r") {
            Some(text) => (text, true),
            None => (line, false),
        };
        match self.state {
            State::RequestLine | State::Fields => {
                if !has_cr || !is_clean {
                    self.note(RefusalReason::Syntax);
                }
                if self.state == State::RequestLine {
                    self.request_line(text)
                } else {
                    self.field_line(text)
                }
                Ok(())
            }
            State::ChunkSize => self.chunk_size(text, has_cr),
            State::ChunkEnd if text.is_empty() && has_cr => {
                self.state = State::ChunkSize;
                Ok(())
            }
            State::Trailers if has_cr => {
                if text.is_empty() {
                    self.state = State::RequestLine;
                }
                Ok(())
            }
            _ => Err(BrokenLine),
        }
    }

    fn request_line(&mut self, line: &[u8]) {
        if line.is_empty() {
            self.head.blank_lines += 1;
            if self.head.blank_lines > MAX_BLANK_LINES {
                self.note(RefusalReason::Syntax);
                self.finish_head();
            }
            return;
        }
        let words = line.strip_suffix(b" HTTP/1.1").or_else(|| {
            self.head.is_http_10 = true;
            line.strip_suffix(b" HTTP/1.0")
        });
        match words.and_then(|words| memchr::memchr(b' ', words).map(|end| words.split_at(end))) {
            Some((method, target)) if !method.is_empty() => match memchr::memchr2(b' ', b'#', &target[1..]) {
                // hyper drops a fragment; others would not.
                Some(found) if target[1 + found] == b'#' => self.note(RefusalReason::Path),
                Some(_) => self.note(RefusalReason::Syntax),
                None => {}
            },
            _ => self.note(RefusalReason::Syntax),
        }
        self.state = State::Fields;
    }

    fn field_line(&mut self, line: &[u8]) {
        if line.is_empty() {
            return self.finish_head();
        }
        if matches!(line[0], b' ' | b'\t') {
            return self.note(RefusalReason::Syntax);
        }
        let Some(colon) = memchr::memchr(b':', line) else { return self.note(RefusalReason::Syntax) };
        let name = &line[..colon];
        if name.is_empty() || matches!(name.last(), Some(b' ' | b'\t')) {
            return self.note(RefusalReason::Syntax);
        }
        match name.len() {
            14 if name.eq_ignore_ascii_case(b"content-length") => self.content_length(line[colon + 1..].trim_ascii()),
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                self.head.codings = self.head.codings.saturating_add(1);
                let value = trim_space(&line[colon + 1..]);
                if self.head.codings > 1 || !value.eq_ignore_ascii_case(b"chunked") {
                    self.note(RefusalReason::Framing);
                }
            }
            _ => {}
        }
    }

    fn content_length(&mut self, value: &[u8]) {
        let digits = (1..=18).contains(&value.len()) && value.iter().all(u8::is_ascii_digit);
        let length =
            value.iter().fold(0_u64, |length, digit| length.wrapping_mul(10).wrapping_add(u64::from(digit & 15)));
        if !digits || self.head.length.replace(length).is_some() {
            self.note(RefusalReason::Framing);
        }
    }

    fn note(&mut self, reason: RefusalReason) {
        self.head.violation.get_or_insert(reason);
    }

    fn finish_head(&mut self) {
        let head = std::mem::take(&mut self.head);
        let mixes = head.codings > 0 && (head.length.is_some() || head.is_http_10);
        let violation = head.violation.or(mixes.then_some(RefusalReason::Framing));
        self.state = match (violation, head.codings, head.length) {
            (Some(reason), ..) => {
                self.violation = Some((self.heads, reason));
                State::Blind
            }
            (None, 1.., _) => State::ChunkSize,
            (None, 0, Some(length)) if length > 0 => State::Length(length),
            _ => State::RequestLine,
        };
        self.heads += 1;
    }

    fn chunk_size(&mut self, line: &[u8], has_cr: bool) -> Result<(), BrokenLine> {
        let size_end = line.iter().position(|byte| !byte.is_ascii_hexdigit()).unwrap_or(line.len());
        let (size, extension) = line.split_at(size_end);
        let well_formed =
            has_cr && line.len() <= MAX_CHUNK_LINE && (1..=15).contains(&size.len()) && is_chunk_extension(extension);
        let size = std::str::from_utf8(size).ok().and_then(|text| u64::from_str_radix(text, 16).ok());
        match size {
            Some(0) if well_formed => self.state = State::Trailers,
            Some(size) if well_formed => self.state = State::Chunk(size),
            _ => return Err(BrokenLine),
        }
        Ok(())
    }
}

/// Where the line feed of a head's first line is, and whether the line is clean. One search for all that counts: nearly
/// always, the first that is found is the end.
fn end_in_head(bytes: &[u8]) -> Option<(usize, bool)> {
    let found = memchr::memchr3(b'\n', b'\r', 0, bytes)?;
    let next = found + 1;
    match (bytes[found], bytes.get(next)) {
        (b'\n', _) => Some((found, true)),
        (b'\r', Some(b'\n')) => Some((next, true)),
        _ => memchr::memchr(b'\n', &bytes[next..]).map(|end| (next + end, false)),
    }
}

/// Nothing, or `;` and something that begins with a name (RFC 9112 section 7.1.1).
fn is_chunk_extension(text: &[u8]) -> bool {
    if text.is_empty() {
        return true;
    }
    let Some(name) = trim_space(text).strip_prefix(b";") else { return false };
    trim_space(name).first().is_some_and(u8::is_ascii_graphic) && memchr::memchr2(b'\r', 0, text).is_none()
}

fn skip(bytes: &[u8], left: u64) -> (u64, &[u8]) {
    let taken = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
    (taken as u64, &bytes[taken..])
}

/// Spaces and tabs only: other whitespace is no whitespace in HTTP.
fn trim_space(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn scan(bytes: &[u8]) -> HeadScanner {
        let mut scanner = HeadScanner::default();
        let _ = scanner.feed(bytes);
        scanner
    }

    #[test]
    fn heads_are_judged_and_bodies_followed() {
        use RefusalReason::{Framing, Path, Syntax};
        let good = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello";
        let chunked =
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5;x=1\r\nhello\r\n0\r\nA: b\r\n\r\n";
        let rows: &[(String, Option<(u64, RefusalReason)>)] = &[
            (good.repeat(3), None),
            (chunked.repeat(2) + good, None),
            (format!("{good}{chunked}GET /#x HTTP/1.1\r\n\r\n"), Some((2, Path))),
            ("GET / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n".into(), Some((0, Framing))),
            ("GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n".into(), Some((0, Framing))),
            ("GET / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n".into(), Some((0, Framing))),
            (
                "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n".into(),
                Some((0, Framing)),
            ),
            ("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n".into(), Some((0, Framing))),
            ("GET / HTTP/1.1\nHost: h\r\n\r\n".into(), Some((0, Syntax))),
            ("GET / HTTP/1.1\r\nHost: h\r\n folded\r\n\r\n".into(), Some((0, Syntax))),
            ("GET / HTTP/1.1\r\nHost : h\r\n\r\n".into(), Some((0, Syntax))),
            ("GET  / HTTP/1.1\r\n\r\n".into(), Some((0, Syntax))),
            ("GET /\r\n\r\n".into(), Some((0, Syntax))),
            ("GET / HTTP/1.1\r\nA: b\rc\r\n\r\n".into(), Some((0, Syntax))),
            ("\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n".into(), None),
        ];
        for (bytes, expected) in rows {
            assert_eq!(scan(bytes.as_bytes()).violation(), *expected, "{bytes:?}");
        }
    }

    #[test]
    fn lines_of_heads_hold_no_nul_and_no_bare_carriage_return_in_whatever_pieces_they_come() {
        let rows = [
            ("A: b", true),
            ("A: b\r", false),
            ("A: \rb", false),
            ("\rA: b", false),
            ("A: b\0", false),
            ("A: \0b", false),
            ("\0A: b", false),
        ];
        for (field, is_clean) in rows {
            let head = format!("GET / HTTP/1.1\r\nHost: h\r\n{field}\r\nB: c\r\n\r\n");
            for cut in 0..head.len() {
                let mut scanner = HeadScanner::default();
                for piece in [&head.as_bytes()[..cut], &head.as_bytes()[cut..]] {
                    scanner.feed(piece).unwrap();
                }
                let expected = (!is_clean).then_some((0, RefusalReason::Syntax));
                assert_eq!((scanner.violation(), scanner.heads()), (expected, 1), "{field:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn chunk_framing_is_strict() {
        let head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
        let long = format!("5;{}\r\n", "x".repeat(300));
        let rows = [
            ("5\nhello\r\n", 0),
            ("5\r\nhelloX\r\n", 8),
            ("g\r\n", 0),
            ("\r\n", 0),
            ("+5\r\n", 0),
            ("5 x\r\n", 0),
            ("fffffffffffffffff\r\n", 0),
            (&long, 0),
        ];
        for (body, sound) in rows {
            let broken = HeadScanner::default().feed(format!("{head}{body}").as_bytes());
            assert_eq!(broken, Err(BrokenChunks { sound: head.len() + sound }), "{body:?}");
        }
    }

    /// Every line of `vectors/own/framing-lines.json`: only what is exactly `chunked` passes.
    #[test]
    fn spoiled_framing_lines_never_pass() {
        use base64::Engine;
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../../../vectors/own/framing-lines.json")).unwrap();
        let cases = vectors["cases"].as_array().unwrap();
        assert_eq!(cases.len(), 682);
        for case in cases {
            let line = base64::engine::general_purpose::STANDARD.decode(case["line_b64"].as_str().unwrap()).unwrap();
            if case["expect"] == "chunked" {
                let request =
                    [b"POST / HTTP/1.1\r\nHost: h\r\n", &line[..], b"\r\n\r\n5\r\nhello\r\n0\r\n\r\n"].concat();
                assert_eq!(scan(&request).violation(), None, "{}", case["name"]);
            }
        }
    }

    proptest! {
        #[test]
        fn slicing_makes_no_difference_and_nothing_panics(
            bytes in "(GET|POST) /[a#]? HTTP/1\\.[01]\r?\n(Content-Length: [0-9]{1,2}\r\n|Transfer-Encoding: chunked\r\n|A: [b\r\0]{1,3}\r?\n){0,3}\r\n(5\r\nhello\r\n|0\r\n\r\n|x){0,4}",
            cut in 0_usize..120,
        ) {
            let bytes = bytes.as_bytes();
            let mut whole = HeadScanner::default();
            let one = whole.feed(bytes);
            let mut parts = HeadScanner::default();
            let cut = cut.min(bytes.len());
            let two = parts.feed(&bytes[..cut]).and_then(|()| parts.feed(&bytes[cut..]));
            prop_assert_eq!(one.is_ok(), two.is_ok());
            prop_assert_eq!(whole.violation(), parts.violation());
        }
    }
}
