//! Where a rule sends requests: the destination is bound when the rule is compiled, and nothing in a
//! request can change it.

use std::fmt;
use std::sync::Arc;

use http::HeaderValue;

use crate::gate::Scheme;
use crate::gate::path::encode_literal;
use crate::rule::alike::Interned;
use crate::rule::base_path;

/// Scheme, host and port of an upstream: the key of connection pools, the name checked by TLS.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UpstreamOrigin {
    /// Plain or TLS.
    pub scheme: Scheme,
    /// Host name or address, lower case; IPv6 without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

impl UpstreamOrigin {
    /// The `Host` of requests to it: the port only where it is not the scheme's default.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == self.scheme.default_port() { host } else { format!("{host}:{}", self.port) }
    }
}

/// What the rules of one upstream share.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Destination {
    origin: Arc<UpstreamOrigin>,
    host: HeaderValue,
}

/// A rule's upstream, ready to use.
#[derive(Clone, Debug)]
pub struct Upstream {
    destination: Arc<Destination>,
    base_path: Box<str>,
    strip_path: Box<str>,
    /// Send the caller's `Host` instead of the upstream's.
    pub preserve_host: bool,
    /// Send on whatever authenticated the caller (an extension; off unless the rule says so).
    pub forward_caller_credential: bool,
    /// Accept `%2F` in the path (an extension; off unless the rule says so).
    pub allow_encoded_slashes: bool,
    /// Protocols a caller may upgrade to, lower case (an extension; none unless the rule says so).
    pub upgrade: Box<[String]>,
}

impl Upstream {
    /// Parses `upstream.url` and `upstream.strip_path`. Query, fragment and user information of the
    /// URL are refused rather than silently dropped.
    pub fn parse(url: &str, strip_path: &str) -> Result<Self, String> {
        let (scheme, rest) = match url.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (Scheme::Http, rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (Scheme::Https, rest),
            Some((scheme, _)) => return Err(format!("scheme `{scheme}` is not `http` or `https`")),
            None => return Err("it has no scheme".to_owned()),
        };
        let (authority, path) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, ""),
        };
        if authority.contains('@') {
            return Err("it holds user information; inject credentials with a mutator".to_owned());
        }
        if rest.contains(['?', '#']) {
            return Err("it holds a query or fragment, which would be ignored".to_owned());
        }
        if authority.is_empty() || !authority.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("it has no host, or one with characters that are not allowed in a URL".to_owned());
        }
        // In the rest they can be encoded, but these are of no use to anybody.
        if path.bytes().any(|byte| byte.is_ascii_control()) {
            return Err("it holds control characters".to_owned());
        }
        let (host, port) = split_port(authority)?;
        let origin = UpstreamOrigin {
            scheme,
            host: host.trim_end_matches('.').to_ascii_lowercase(),
            port: port.unwrap_or_else(|| scheme.default_port()),
        };
        let base_path = base_path::canonical(path)?;
        let host = HeaderValue::from_str(&origin.authority()).map_err(|error| error.to_string())?;
        // Requests' paths are in canonical form; what is stripped from them has to be, too.
        let trimmed = encode_literal(strip_path.trim_matches('/'));
        Ok(Self {
            destination: Arc::new(Destination { origin: Arc::new(origin), host }),
            base_path: base_path.into(),
            strip_path: if trimmed.is_empty() { String::new() } else { ["/", &trimmed].concat() }.into(),
            preserve_host: false,
            forward_caller_credential: false,
            allow_encoded_slashes: false,
            upgrade: Box::default(),
        })
    }

    /// Takes the copy of its destination that other rules have.
    pub(super) fn share(&mut self, destinations: &Interned<Destination>) {
        self.destination = destinations.copy_of(self.destination.clone());
    }

    /// Where requests go.
    pub fn origin(&self) -> &Arc<UpstreamOrigin> {
        &self.destination.origin
    }

    /// The `Host` header of the upstream.
    pub fn host(&self) -> &HeaderValue {
        &self.destination.host
    }

    /// The request target for a canonical path and a query. `strip_path` is removed only as a leading
    /// prefix that ends at a segment border; a trailing slash of the caller survives.
    pub fn target(&self, path: &str, query: Option<&str>) -> String {
        let rest = self.below_base_path(path);
        let mut target =
            String::with_capacity(self.base_path.len() + rest.len() + query.map_or(0, |query| query.len() + 1));
        target.push_str(&self.base_path);
        target.push_str(rest);
        if let Some(query) = query {
            target.push('?');
            target.push_str(query);
        }
        target
    }

    /// Where a request for a canonical path goes, without its query.
    pub fn url<'a>(&'a self, path: &'a str) -> UpstreamUrl<'a> {
        UpstreamUrl { upstream: self, rest: self.below_base_path(path) }
    }

    /// What of a path stands behind the upstream's own.
    fn below_base_path<'a>(&self, path: &'a str) -> &'a str {
        let rest = match path.strip_prefix(&*self.strip_path) {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => rest,
            _ => path,
        };
        match (rest, self.base_path.is_empty()) {
            ("/", false) => "",
            ("", true) => "/",
            _ => rest,
        }
    }
}

/// The URL of a request to an upstream, without query; in pieces, since records are many.
#[derive(Clone, Copy, Debug)]
pub struct UpstreamUrl<'a> {
    upstream: &'a Upstream,
    rest: &'a str,
}

impl<'a> UpstreamUrl<'a> {
    /// The pieces, in order. ASCII, as every part of a URL.
    pub fn pieces(&self) -> [&'a [u8]; 5] {
        let Upstream { destination, base_path, .. } = self.upstream;
        let Destination { origin, host } = &**destination;
        [origin.scheme.as_str().as_bytes(), b"://", host.as_bytes(), base_path.as_bytes(), self.rest.as_bytes()]
    }
}

impl fmt::Display for UpstreamUrl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pieces().iter().try_for_each(|piece| f.write_str(&String::from_utf8_lossy(piece)))
    }
}

/// What no name of a host holds (RFC 3986 section 3.2.2), and escapes.
const NOT_IN_HOSTS: [char; 12] = ['[', ']', '\\', '%', '"', '<', '>', '^', '`', '{', '|', '}'];

fn split_port(authority: &str) -> Result<(&str, Option<u16>), String> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']').ok_or("its IPv6 address has no closing bracket")?;
            host.parse::<std::net::Ipv6Addr>().map_err(|_| format!("`[{host}]` is not an IPv6 address"))?;
            (host, after.strip_prefix(':'))
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    // Dots at the end name the root, below which there has to be something.
    if host.trim_end_matches('.').is_empty() || (!authority.starts_with('[') && host.contains(NOT_IN_HOSTS)) {
        return Err(format!("`{host}` is not a host name"));
    }
    match port {
        None => Ok((host, None)),
        Some(port) => match port.parse::<u16>() {
            Ok(number) if number != 0 => Ok((host, Some(number))),
            _ => Err(format!("port `{port}` is not a number from 1 to 65535")),
        },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// [T] and [X] of serving spec 4.4, and the intended differences. Hosts are in the scenario `rows-strip`.
    #[test]
    fn targets_join_strip_and_keep_the_callers_slash() {
        // (upstream, strip, path, target)
        let rows = [
            ("http://localhost/", "", "/api/users/1234", "/api/users/1234"),
            ("http://localhost:4000/", "/api/", "/api/users/1234", "/users/1234"),
            ("http://localhost:4000/", "api/", "/api/users/1234", "/users/1234"),
            ("http://localhost:4000/", "/api", "/api/users/1234", "/users/1234"),
            ("http://localhost:4000/", "api", "/api/users/1234", "/users/1234"),
            ("http://localhost:4000/foo/", "api", "/api/users/1234", "/foo/users/1234"),
            ("http://u/foo/", "", "/", "/foo"),
            ("http://u/foo/", "", "/a/", "/foo/a/"),
            ("http://u/a//b/../c d", "", "/e", "/a/c%20d/e"),
            ("http://u", "/api", "/api", "/"),
            ("http://u", "/api", "/api/", "/"),
            ("http://u", "/api", "/other", "/other"),
            ("http://u", "/api", "/apiary/x", "/apiary/x"),
            ("http://u", "/api", "/v1/api/x", "/v1/api/x"),
            ("http://u", "/", "/a/b", "/a/b"),
            ("http://u", "/a b/", "/a%20b/c", "/c"),
            ("http://u", "/a%20b", "/a%20b/c", "/c"),
            ("http://u", "/ä", "/%C3%A4/c", "/c"),
        ];
        for (url, strip, path, expected) in rows {
            let upstream = Upstream::parse(url, strip).unwrap();
            assert_eq!(upstream.target(path, None), expected, "{url} {strip} {path}");
            let origin = format!("http://{}", upstream.origin().authority());
            assert_eq!(upstream.url(path).to_string(), format!("{origin}{expected}"), "{url} {strip} {path}");
        }
    }

    #[test]
    fn the_query_is_passed_byte_for_byte() {
        let upstream = Upstream::parse("http://u", "").unwrap();
        for query in ["x=1", "x=1;y=2", "x=%zz", "b=2&a=1", ""] {
            assert_eq!(upstream.target("/a", Some(query)), format!("/a?{query}"));
        }
    }

    /// [T] of serving spec 5.2: the second row.
    #[test]
    fn hosts_and_ports_are_bound_at_load() {
        let rows = [
            ("https://Your-Org.atlassian.net", Some(("your-org.atlassian.net", 443, "your-org.atlassian.net"))),
            ("http://tasks.foo-bar_baz", Some(("tasks.foo-bar_baz", 80, "tasks.foo-bar_baz"))),
            ("http://[::1]:8080/x", Some(("::1", 8080, "[::1]:8080"))),
            ("http://h:443", Some(("h", 443, "h:443"))),
            ("ftp://h", None),
            ("h:80", None),
            ("http://", None),
            ("http://u:p@h", None),
            ("http://h:0", None),
            ("http://h:99999", None),
            ("http://h/a/..%2Fb", None),
            ("http://h/a\tb", None),
            ("http://h/?x=1", None),
            ("http://h\n", None),
            ("http://h`x", None),
            ("http://h.:80/x", Some(("h", 80, "h"))),
            ("http://.", None),
            ("http://..:80/x", None),
            ("http://{h}", None),
        ];
        for (url, expected) in rows {
            let parsed = Upstream::parse(url, "").ok();
            let shown = parsed.as_ref().map(|upstream| {
                (upstream.origin().host.as_str(), upstream.origin().port, upstream.host().to_str().unwrap())
            });
            assert_eq!(shown, expected, "{url}");
        }
    }
}
