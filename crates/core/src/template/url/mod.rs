//! `*url.URL`: URLs as Go takes them apart and puts them together.

mod escape;
mod methods;
mod object;
mod parse;
pub(super) mod query;
mod resolve;

pub(super) use object::{URL, Url};

pub(super) use escape::query_escape;
use escape::{Place, escape, is_escaped, unescape};

/// The parts of a URL; text is decoded unless its name says otherwise.
#[derive(Clone, Default)]
pub(crate) struct Parts {
    pub(crate) scheme: Vec<u8>,
    /// What follows the scheme where that is no path.
    pub(super) opaque: Vec<u8>,
    pub(crate) user: Option<User>,
    pub(crate) host: Vec<u8>,
    pub(super) path: Vec<u8>,
    /// The path as it was written, where Go would write it differently.
    pub(super) raw_path: Vec<u8>,
    /// A question mark with nothing behind it.
    force_query: bool,
    pub(crate) raw_query: Vec<u8>,
    pub(crate) fragment: Vec<u8>,
    raw_fragment: Vec<u8>,
    /// `scheme:/path`, without an empty host.
    omit_host: bool,
}

/// The user information before the host.
#[derive(Clone)]
pub(crate) struct User {
    name: Vec<u8>,
    password: Option<Vec<u8>>,
}

impl User {
    /// Reads what stands before `@`.
    pub(super) fn of(written: &[u8]) -> Option<Self> {
        if !written.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(byte)) {
            return None;
        }
        let (name, password) = cut(written, b':');
        let password = password.map(|password| unescape(password, Place::User).ok_or(())).transpose().ok()?;
        Some(Self { name: unescape(name, Place::User)?, password })
    }

    /// The name.
    pub(crate) fn name(&self) -> &[u8] {
        &self.name
    }

    /// The password; empty when there is none.
    pub(crate) fn password(&self) -> &[u8] {
        self.password.as_deref().unwrap_or_default()
    }

    /// As it stands before `@`.
    pub(super) fn written(&self) -> Vec<u8> {
        let mut written = escape(&self.name, Place::User);
        if let Some(password) = &self.password {
            written.push(b':');
            written.extend(escape(password, Place::User));
        }
        written
    }
}

impl Parts {
    /// Takes a path as it is written. False if its encoding is broken.
    pub(super) fn set_path(&mut self, written: &[u8]) -> bool {
        let Some(path) = unescape(written, Place::Path) else { return false };
        self.raw_path = if escape(&path, Place::Path) == written { Vec::new() } else { written.to_vec() };
        self.path = path;
        true
    }

    fn set_fragment(&mut self, written: &[u8]) -> bool {
        let Some(fragment) = unescape(written, Place::Fragment) else { return false };
        self.raw_fragment = if escape(&fragment, Place::Fragment) == written { Vec::new() } else { written.to_vec() };
        self.fragment = fragment;
        true
    }

    pub(crate) fn escaped_path(&self) -> Vec<u8> {
        if self.path == b"*" {
            return self.path.clone();
        }
        written_or_escaped(&self.raw_path, &self.path, Place::Path)
    }

    /// Whether a question mark was written.
    pub(crate) fn has_query(&self) -> bool {
        self.force_query || !self.raw_query.is_empty()
    }

    fn escaped_fragment(&self) -> Vec<u8> {
        written_or_escaped(&self.raw_fragment, &self.fragment, Place::Fragment)
    }

    /// The host without its port and without brackets.
    pub(super) fn hostname(&self) -> &[u8] {
        let host = self.split_host().0;
        host.strip_prefix(b"[").and_then(|host| host.strip_suffix(b"]")).unwrap_or(host)
    }

    fn port(&self) -> &[u8] {
        self.split_host().1
    }

    fn split_host(&self) -> (&[u8], &[u8]) {
        match self.host.iter().rposition(|byte| *byte == b':') {
            Some(colon) if parse::is_port(&self.host[colon..]) => (&self.host[..colon], &self.host[colon + 1..]),
            _ => (&self.host, b""),
        }
    }

    /// The whole URL.
    pub(crate) fn written(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if !self.scheme.is_empty() {
            out.extend(&self.scheme);
            out.push(b':');
        }
        if self.opaque.is_empty() {
            self.write_hierarchy(&mut out);
        } else {
            out.extend(&self.opaque);
        }
        self.write_query(&mut out);
        if !self.fragment.is_empty() {
            out.push(b'#');
            out.extend(self.escaped_fragment());
        }
        out
    }

    /// The user, the host and the path.
    fn write_hierarchy(&self, out: &mut Vec<u8>) {
        let (has_user, has_host) = (self.user.is_some(), !self.host.is_empty());
        let omitted = self.omit_host && !has_host && !has_user;
        if (!self.scheme.is_empty() || has_host || has_user) && !omitted {
            if has_host || has_user || !self.path.is_empty() {
                out.extend(b"//");
            }
            if let Some(user) = &self.user {
                out.extend(user.written());
                out.push(b'@');
            }
            out.extend(escape(&self.host, Place::Host));
        }
        let path = self.escaped_path();
        if has_host && path.first().is_some_and(|byte| *byte != b'/') {
            out.push(b'/');
        }
        // A colon in the first segment would make it a scheme.
        if out.is_empty() && cut(&path, b'/').0.contains(&b':') {
            out.extend(b"./");
        }
        out.extend(path);
    }

    fn write_query(&self, out: &mut Vec<u8>) {
        if self.has_query() {
            out.push(b'?');
            out.extend(&self.raw_query);
        }
    }

    /// What a request line says: the path and the query.
    fn request_uri(&self) -> Vec<u8> {
        let mut out = self.opaque.clone();
        if out.is_empty() {
            out = self.escaped_path();
            if out.is_empty() {
                out.push(b'/');
            }
        } else if out.starts_with(b"//") {
            out = [&self.scheme, b":".as_slice(), &out].concat();
        }
        self.write_query(&mut out);
        out
    }
}

/// A path, percent-encoded: as it was written, if that is proper and still says the same.
pub(crate) fn written_path(decoded: &str, written: &str) -> Vec<u8> {
    written_or_escaped(written.as_bytes(), decoded.as_bytes(), Place::Path)
}

/// The text as it was written, if that is proper and still says the same.
fn written_or_escaped(written: &[u8], decoded: &[u8], place: Place) -> Vec<u8> {
    let holds = !written.is_empty()
        && is_escaped(written, place)
        && unescape(written, place).is_some_and(|says| says == decoded);
    if holds { written.to_vec() } else { escape(decoded, place) }
}

/// The text before the first separator, and that after it.
fn cut(text: &[u8], separator: u8) -> (&[u8], Option<&[u8]>) {
    match memchr::memchr(separator, text) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    }
}
