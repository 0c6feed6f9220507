//! Heads of requests: one to hand to the gate, and a reader that owes nothing to the one that wrote them.

use http::{HeaderName, HeaderValue, Request};
use keyward_core::gate::{Arrival, GatePolicy, GatedRequest, RefusalReason, admit};
use keyward_server::proxy::head_scan::HeadScanner;

/// More fields than the gate allows, so that it is the gate that refuses them.
pub(crate) const MAX_FIELDS: usize = 256;

/// A request as hyper hands it to the gate.
pub(crate) struct Arrived {
    pub(crate) head: http::request::Parts,
    violation: Option<RefusalReason>,
}

impl Arrived {
    /// Nothing for what hyper would answer itself.
    pub(crate) fn read(data: &[u8]) -> Option<Self> {
        let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut parsed = httparse::Request::new(&mut fields);
        let Ok(httparse::Status::Complete(end)) = parsed.parse(data) else { return None };
        let mut scanner = HeadScanner::default();
        // Only chunks can be broken, and the head has none.
        let _ = scanner.feed(&data[..end]);
        let mut request = Request::builder().method(parsed.method?).uri(parsed.path?);
        for field in parsed.headers.iter() {
            let name = HeaderName::from_bytes(field.name.as_bytes()).ok()?;
            request = request.header(name, HeaderValue::from_bytes(field.value).ok()?);
        }
        let (mut head, ()) = request.body(()).ok()?.into_parts();
        if parsed.version == Some(0) {
            head.version = http::Version::HTTP_10;
        }
        Some(Self { head, violation: scanner.violation().map(|(_, reason)| reason) })
    }

    pub(crate) fn arrival(&self, tls: bool) -> Arrival {
        Arrival { tls, peer: ([127, 0, 0, 1], 50_000).into(), violation: self.violation }
    }

    /// Whether a body follows, as its fields announce it.
    pub(crate) fn announces_body(&self) -> bool {
        let length = self.head.headers.get(http::header::CONTENT_LENGTH);
        self.head.headers.contains_key(http::header::TRANSFER_ENCODING)
            || length.is_some_and(|length| length.as_bytes().iter().any(|digit| *digit != b'0'))
    }

    /// What its fields `Connection` name.
    pub(crate) fn named_by_connection(&self) -> Vec<String> {
        let lines = self.head.headers.get_all(http::header::CONNECTION).iter();
        let options = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
        options.map(|option| String::from_utf8_lossy(option.trim_ascii()).to_ascii_lowercase()).collect()
    }

    pub(crate) fn admit(self, policy: &GatePolicy) -> Result<GatedRequest, RefusalReason> {
        let arrival = self.arrival(false);
        let mut head = self.head;
        admit(&mut head, &arrival, policy)
    }
}

/// A head that was read to the letter of RFC 9112, without any of its tolerance.
#[derive(Debug)]
pub(crate) struct Written<'h> {
    pub(crate) method: &'h str,
    pub(crate) target: &'h str,
    /// In their order; names as they are written.
    pub(crate) fields: Vec<(&'h str, &'h [u8])>,
}

impl<'h> Written<'h> {
    /// Panics when the bytes are anything but one head.
    pub(crate) fn read(bytes: &'h [u8]) -> Self {
        let shown = bytes.escape_ascii();
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or_else(|| panic!("no end: {shown}"));
        assert_eq!(end + 4, bytes.len(), "bytes after the head: {shown}");
        let text = &bytes[..end + 2];
        for (place, byte) in text.iter().enumerate() {
            match byte {
                b'\r' => assert_eq!(text.get(place + 1), Some(&b'\n'), "a lone carriage return: {shown}"),
                b'\n' => assert!(place > 0 && text[place - 1] == b'\r', "a lone line feed: {shown}"),
                0 => panic!("a NUL: {shown}"),
                _ => {}
            }
        }
        let mut lines = text[..end].split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let line = std::str::from_utf8(lines.next().unwrap_or_default()).unwrap_or_else(|_| panic!("{shown}"));
        let words: Vec<&str> = line.split(' ').collect();
        let [method, target, "HTTP/1.1"] = words[..] else { panic!("another request line: {shown}") };
        assert!(!method.is_empty() && method.bytes().all(is_token), "the method: {shown}");
        assert!(target.starts_with('/') && target.bytes().all(|byte| byte.is_ascii_graphic()), "the target: {shown}");
        let fields = lines.map(|line| {
            let colon = line.iter().position(|byte| *byte == b':').unwrap_or_else(|| panic!("no colon: {shown}"));
            let name = std::str::from_utf8(&line[..colon]).unwrap_or_else(|_| panic!("{shown}"));
            assert!(!name.is_empty() && name.bytes().all(is_token), "the name `{name}`: {shown}");
            (name, line[colon + 1..].trim_ascii())
        });
        Self { method, target, fields: fields.collect() }
    }

    /// The values of a name.
    pub(crate) fn values(&self, name: &str) -> Vec<&'h [u8]> {
        self.fields.iter().filter(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| *value).collect()
    }

    /// The names that software which takes `_` for `-` would read as this one.
    pub(crate) fn looking_like(&self, name: &str) -> usize {
        self.fields.iter().filter(|(given, _)| given.replace('_', "-").eq_ignore_ascii_case(name)).count()
    }
}

/// tchar of RFC 9110 section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
