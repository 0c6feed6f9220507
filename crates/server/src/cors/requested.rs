//! Which header names a preflight may ask for. As browsers send them (Fetch standard, "CORS-unsafe
//! request-header names"): lower case, in order, each once; anything else was not sent by a browser.

use http::HeaderValue;

/// Elements without a name that are put up with (RFC 9110 section 5.6.1.2).
const MAX_EMPTY: usize = 16;

/// What `allowed_headers` says.
#[derive(Clone, Debug)]
pub(super) enum RequestedHeaders {
    Any,
    /// Lower case, sorted.
    Listed(Vec<String>),
}

impl RequestedHeaders {
    pub(super) fn new(names: &[String]) -> Self {
        if names.iter().any(|name| name == "*") {
            return Self::Any;
        }
        let mut listed: Vec<String> = names.iter().map(|name| name.to_ascii_lowercase()).collect();
        listed.sort();
        listed.dedup();
        Self::Listed(listed)
    }

    pub(super) fn allow(&self, asked: &[&HeaderValue]) -> bool {
        let Self::Listed(listed) = self else { return true };
        let (mut next, mut empty) = (0, 0);
        for name in asked.iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b',')) {
            let Some(name) = without_blanks(name) else { return false };
            if name.is_empty() {
                empty += 1;
                if empty > MAX_EMPTY {
                    return false;
                }
                continue;
            }
            match listed[next..].iter().position(|one| one.as_bytes() == name) {
                Some(position) => next += position + 1,
                None => return false,
            }
        }
        true
    }
}

/// At most one blank at either side.
fn without_blanks(name: &[u8]) -> Option<&[u8]> {
    let blank = |byte: &u8| *byte == b' ' || *byte == b'\t';
    let name = name.strip_prefix(b" ").or_else(|| name.strip_prefix(b"\t")).unwrap_or(name);
    let name = name.strip_suffix(b" ").or_else(|| name.strip_suffix(b"\t")).unwrap_or(name);
    (!name.first().is_some_and(blank) && !name.last().is_some_and(blank)).then_some(name)
}
