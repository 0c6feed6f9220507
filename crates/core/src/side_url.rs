//! The address of a side service: taken apart once, when a handler is bound, as the reference reads it.

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Uri};
use percent_encoding::{AsciiSet, CONTROLS, percent_encode};
use zeroize::Zeroizing;

use crate::rule::upstream::{Upstream, UpstreamOrigin};
use crate::template::url::Parts;

/// What no request line may hold in a query; everything else is sent as it is written.
const IN_QUERY: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>');

/// Where a side service is called. Deliberately without `Debug`: it may hold a credential.
#[derive(Clone)]
pub struct SideUrl {
    /// Scheme and authority.
    origin: String,
    destination: Arc<UpstreamOrigin>,
    path: String,
    query: Option<String>,
    authorization: Option<HeaderValue>,
    has_fragment: bool,
}

impl SideUrl {
    /// Reads an absolute `http` or `https` URL. The error repeats nothing of it.
    pub fn parse(written: &str) -> Result<Self, String> {
        Self::of(&parts(written)?)
    }

    /// Reads the URL of a service and goes on to one of its addresses, an absolute path.
    pub fn parse_below(written: &str, path: &str) -> Result<Self, String> {
        let mut parts = parts(written)?;
        parts.go_below(path);
        Self::of(&parts)
    }

    fn of(parts: &Parts) -> Result<Self, String> {
        let scheme = text(&parts.scheme)?;
        if !matches!(&*scheme, "http" | "https") {
            return Err("it is not an absolute `http` or `https` URL".to_owned());
        }
        let host = text(&parts.host)?;
        // A colon without a port means the usual port.
        let origin = format!("{scheme}://{}", host.strip_suffix(':').unwrap_or(&host));
        let destination = Upstream::parse(&origin, "")?.origin().clone();
        let path = match text(&parts.escaped_path())?.into_owned() {
            path if path.is_empty() => "/".to_owned(),
            path => path,
        };
        let query = parts.has_query().then(|| percent_encode(&parts.raw_query, IN_QUERY).to_string());
        let authorization = parts.user.as_ref().map(|user| basic_credentials(user.name(), user.password()));
        let url = Self { origin, destination, path, query, authorization, has_fragment: !parts.fragment.is_empty() };
        url.whole().parse::<Uri>().map_err(|_| "no request can be made to it")?;
        Ok(url)
    }

    /// Scheme and authority, without user information.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The host and the port that it leads to.
    pub fn destination(&self) -> &Arc<UpstreamOrigin> {
        &self.destination
    }

    /// The path as it is sent.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What follows the question mark, if there is one, as it is sent.
    pub fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    /// Whether it names a part of a document, which no server gets to know.
    pub fn has_fragment(&self) -> bool {
        self.has_fragment
    }

    /// Path and query, as a request line holds them.
    pub fn target(&self) -> String {
        match &self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        }
    }

    /// The URL to ask, without user information.
    pub fn whole(&self) -> String {
        self.origin.clone() + &self.target()
    }

    /// The URL as logs may hold it: its query may hold a key.
    pub fn shown(&self) -> String {
        format!("{}{}", self.origin, self.path)
    }

    /// Presents the user information, unless a request has an authorization already.
    pub fn authorize(&self, headers: &mut HeaderMap) {
        if let Some(authorization) = &self.authorization
            && headers.get(AUTHORIZATION).is_none_or(HeaderValue::is_empty)
        {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
    }

    /// The header that user information becomes.
    pub fn authorization(&self) -> Option<&HeaderValue> {
        self.authorization.as_ref()
    }
}

fn parts(written: &str) -> Result<Parts, String> {
    // Some readers take a backslash for a slash; in a URL it is neither.
    let written = Some(written).filter(|written| !written.contains('\\'));
    written.and_then(|written| Parts::parse(written.as_bytes())).ok_or_else(|| "it is not a URL".to_owned())
}

fn text(part: &[u8]) -> Result<Cow<'_, str>, String> {
    std::str::from_utf8(part).map(Cow::Borrowed).map_err(|_| "it is not a URL".to_owned())
}

/// The header value that presents HTTP Basic credentials (RFC 7617), marked as sensitive.
pub fn basic_credentials(name: &[u8], password: &[u8]) -> HeaderValue {
    let plain = Zeroizing::new([name, b":", password].concat());
    let mut encoded = Zeroizing::new(String::from("Basic "));
    BASE64_STANDARD.encode_string(&*plain, &mut encoded);
    // Base64 is always a header value.
    let mut value = HeaderValue::from_str(&encoded).unwrap_or(HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn authorization(url: &SideUrl) -> &str {
        url.authorization().map_or("", |value| value.to_str().unwrap())
    }

    #[test]
    fn urls_are_sent_as_the_reference_sends_them() {
        let rows = [
            ("https://some-url", "https://some-url/", ""),
            ("HTTP://host/x", "http://host/x", ""),
            ("http://host:/x", "http://host/x", ""),
            ("http://hydra:4445/oauth2/introspect?tenant=a", "http://hydra:4445/oauth2/introspect?tenant=a", ""),
            ("http://host/x?", "http://host/x?", ""),
            ("http://host/x?q=1#f", "http://host/x?q=1", ""),
            ("http://host/x?q=a b\"é", "http://host/x?q=a%20b%22%C3%A9", ""),
            ("http://host/x?q=%zz", "http://host/x?q=%zz", ""),
            ("http://host/a//b/../c/", "http://host/a//b/../c/", ""),
            ("http://host/a b", "http://host/a%20b", ""),
            ("http://host/a%2fb;c[1]", "http://host/a%2fb;c[1]", ""),
            ("http://host/é", "http://host/%C3%A9", ""),
            ("http://[::1]:81/x", "http://[::1]:81/x", ""),
            ("http://u:p@host/x", "http://host/x", "Basic dTpw"),
            ("http://u@host/x", "http://host/x", "Basic dTo="),
            ("http://u%40b:p%3Aq@host/x", "http://host/x", "Basic dUBiOnA6cQ=="),
            ("http://@host/x", "http://host/x", "Basic Og=="),
        ];
        for (written, whole, expected) in rows {
            let url = SideUrl::parse(written).unwrap_or_else(|problem| panic!("{written}: {problem}"));
            assert_eq!((url.whole().as_str(), authorization(&url)), (whole, expected), "{written}");
            assert_eq!(url.shown(), whole.split('?').next().unwrap(), "{written}");
        }
    }

    #[test]
    fn addresses_of_a_service_stand_below_its_url() {
        let rows = [
            ("http://host", "http://host/a/b"),
            ("http://host/x/", "http://host/x/a/b"),
            ("http://host/x//y/../z?q=1", "http://host/x/z/a/b?q=1"),
            ("http://host/%7Ex%2Fy é", "http://host/~x/y%20%C3%A9/a/b"),
        ];
        for (written, whole) in rows {
            assert_eq!(SideUrl::parse_below(written, "/a/b").unwrap().whole(), whole, "{written}");
        }
    }

    /// [T] of pipeline spec 2.7 and 2.8: what is no usable URL breaks the rule.
    #[test]
    fn what_cannot_be_called_is_refused() {
        let rows = [
            "",
            "c",
            "/oauth2/token",
            "//host/x",
            "host:80/x",
            "ftp://host/x",
            "https://",
            "https:///x",
            "http:x",
            "http://ho st/",
            "http://u p@host/x",
            "http://host/%zz",
            "http://host/\t",
            "http://host:x/",
            "http://é/",
            "http://host/a\\b",
        ];
        for written in rows {
            let problem = SideUrl::parse(written).map(|url| url.whole()).unwrap_err();
            assert!(written.is_empty() || !problem.contains(written), "{written}: {problem}");
        }
    }

    #[test]
    fn user_information_gives_way_to_an_authorization() {
        let url = SideUrl::parse("http://u:p@host/").unwrap();
        for (present, expected) in [(None, "Basic dTpw"), (Some(""), "Basic dTpw"), (Some("Bearer t"), "Bearer t")] {
            let mut headers = HeaderMap::new();
            headers.extend(present.map(|value| (AUTHORIZATION, HeaderValue::from_static(value))));
            url.authorize(&mut headers);
            assert_eq!(headers[AUTHORIZATION], expected);
        }
    }
}
