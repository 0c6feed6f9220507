//! Where callers are sent: a URL reference, taken apart as the reference reads it.

use crate::template::url::Parts;

/// A URL, or a path on this host.
pub struct RedirectTarget {
    written: String,
    parts: Parts,
}

impl RedirectTarget {
    /// Nothing for what is no URL: broken escapes, hosts and ports, control characters, backslashes.
    pub fn parse(written: &str) -> Option<Self> {
        let parts = Parts::parse(written.as_bytes()).filter(|_| !written.contains('\\'))?;
        Some(Self { written: written.to_owned(), parts })
    }

    /// As it was written.
    pub fn written(&self) -> &str {
        &self.written
    }

    /// The query, without its question mark.
    pub fn query(&self) -> &str {
        let rest = self.written.split('#').next().unwrap_or_default();
        rest.split_once('?').map_or("", |(_, query)| query)
    }

    /// The same with another query; what had to be escaped in the rest now is.
    pub fn with_query(&self, query: &str) -> String {
        let mut parts = self.parts.clone();
        parts.raw_query = query.as_bytes().to_vec();
        String::from_utf8_lossy(&parts.written()).into_owned()
    }

    /// What is sent: a path is made absolute, starting from the directory of the path that was asked for, and dots and
    /// doubled slashes in it are resolved.
    pub fn seen_from(target: &str, path: &str) -> String {
        let parts = Parts::parse(target.as_bytes());
        if parts.is_none_or(|parts| !parts.scheme.is_empty() || !parts.host.is_empty()) {
            return target.to_owned();
        }
        let directory = match target.starts_with('/') {
            true => "",
            false => path.rfind('/').map_or("/", |slash| &path[..=slash]),
        };
        let (written, query) = target.find('?').map_or((target, ""), |at| target.split_at(at));
        let absolute = format!("{directory}{written}");
        let mut cleaned = String::from_utf8_lossy(&Parts::cleaned(absolute.as_bytes())).into_owned();
        if absolute.ends_with('/') && !cleaned.ends_with('/') {
            cleaned.push('/');
        }
        cleaned + query
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_no_url_is_no_target() {
        for written in ["http://[x", "/a%zz", "http://l/%", "http://l:port/", "\\x", "/x\t", ":x"] {
            assert!(RedirectTarget::parse(written).is_none(), "{written}");
        }
    }

    #[test]
    fn another_query_escapes_the_rest() {
        let rows = [
            ("http://l/ x", "http://l/%20x?q=1"),
            ("http://l/{x}", "http://l/%7Bx%7D?q=1"),
            ("http:///x?a", "http:///x?q=1"),
            ("//", "?q=1"),
            ("#f", "?q=1#f"),
            ("javascript:x", "javascript:x?q=1"),
            ("http://l/é", "http://l/%C3%A9?q=1"),
            ("http://u:p@l/", "http://u:p@l/?q=1"),
        ];
        for (written, expected) in rows {
            assert_eq!(RedirectTarget::parse(written).unwrap().with_query("q=1"), expected, "{written}");
        }
    }

    #[test]
    fn paths_become_absolute_and_clean() {
        let rows = [
            ("login", "/a/b", "/a/login"),
            ("login", "/", "/login"),
            ("/login", "/a/b", "/login"),
            ("?a", "/a", "/?a"),
            ("#f", "/b", "/#f"),
            ("//", "/a", "/"),
            ("//h/x", "/a", "//h/x"),
            ("/a/../b//c/?d=/../", "/a", "/b/c/?d=/../"),
            ("../x", "/a/b/c", "/a/x"),
            (" /x", "/a", "/ /x"),
            ("https://x/y/../z", "/a", "https://x/y/../z"),
        ];
        for (target, path, expected) in rows {
            assert_eq!(RedirectTarget::seen_from(target, path), expected, "{target}");
        }
    }
}
