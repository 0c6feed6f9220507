//! Where a secret may be sent: host names, with wildcards for whole labels in front, and ports.

use std::fmt;
use std::sync::Arc;

/// Hosts, of which one must be the destination.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Hosts(Arc<[HostPattern]>);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct HostPattern {
    /// Lower case, without a trailing dot; IPv6 without brackets.
    host: String,
    /// Any names below `host`, and not `host` itself.
    below: bool,
    port: Option<u16>,
}

impl Hosts {
    /// Reads `host`, `host:port`, `*.host`; IPv6 addresses in brackets. The error says what is wrong with which.
    pub fn parse<T: AsRef<str>>(written: &[T]) -> Result<Self, String> {
        let patterns = written.iter().map(|text| {
            let text = text.as_ref();
            HostPattern::parse(text).ok_or_else(|| format!("`{text}` is not a host"))
        });
        patterns.collect::<Result<Vec<_>, _>>().map(|patterns| Self(patterns.into()))
    }

    /// Whether `host`, in any case, and `port` are covered. A pattern without a port covers every port.
    pub fn cover(&self, host: &str, port: u16) -> bool {
        let host = plain(host);
        self.0.iter().any(|pattern| {
            let is_below =
                || host.strip_suffix(pattern.host.as_str()).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'));
            let is_host = if pattern.below { is_below() } else { host == pattern.host };
            is_host && pattern.port.is_none_or(|only| only == port)
        })
    }
}

impl HostPattern {
    fn parse(text: &str) -> Option<Self> {
        let (below, rest) = text.strip_prefix("*.").map_or((false, text), |rest| (true, rest));
        let (host, port) = match rest.strip_prefix('[') {
            Some(inside) => {
                let (address, after) = inside.split_once(']')?;
                address.parse::<std::net::Ipv6Addr>().ok().filter(|_| !below)?;
                let port = if after.is_empty() { None } else { Some(after.strip_prefix(':')?) };
                (address, port)
            }
            None => rest.split_once(':').map_or((rest, None), |(host, port)| (host, Some(port))),
        };
        let port = match port {
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => Some(digits.parse().ok()?),
            Some(_) => return None,
            None => None,
        };
        let host = plain(host);
        let is_label = |label: &str| {
            !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        let is_host = host.split('.').all(is_label) || host.parse::<std::net::Ipv6Addr>().is_ok();
        is_host.then_some(Self { host, below, port })
    }
}

fn plain(host: &str) -> String {
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

/// As they are written, for messages.
impl fmt::Display for Hosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, HostPattern { host, below, port }) in self.0.iter().enumerate() {
            let (comma, star) = (if index > 0 { ", " } else { "" }, if *below { "*." } else { "" });
            let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
            write!(f, "{comma}`{star}{host}{}`", port.map_or_else(String::new, |port| format!(":{port}")))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::Hosts;

    #[test]
    fn hosts_are_covered_by_whole_labels_in_any_case() {
        let rows = [
            ("acme.net", "acme.net", 443, true),
            ("ACME.net.", "acme.NET", 80, true),
            ("acme.net", "acme.net.", 443, true),
            ("acme.net", "x.acme.net", 443, false),
            ("acme.net", "evilacme.net", 443, false),
            ("*.acme.net", "x.acme.net", 443, true),
            ("*.acme.net", "y.x.acme.net", 443, true),
            ("*.acme.net", "acme.net", 443, false),
            ("*.acme.net", ".acme.net", 443, false),
            ("*.acme.net", "evilacme.net", 443, false),
            ("*.acme.net", "acme.net.evil.com", 443, false),
            ("acme.net:8443", "acme.net", 8443, true),
            ("acme.net:8443", "acme.net", 443, false),
            ("*.acme.net:8443", "x.acme.net", 8443, true),
            ("127.0.0.1", "127.0.0.1", 80, true),
            ("[::1]", "::1", 80, true),
            ("[::1]:81", "::1", 80, false),
        ];
        for (pattern, host, port, covered) in rows {
            let hosts = Hosts::parse(&[pattern]).unwrap();
            assert_eq!(hosts.cover(host, port), covered, "{pattern} {host}:{port}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        let rows = [
            "",
            "*",
            "*.",
            "*acme.net",
            "a.*.net",
            "https://acme.net",
            "acme.net/x",
            "u@acme.net",
            "acme.net:x",
            "acme.net:",
            "acme.net:99999",
            "acme..net",
            "a b",
            "[::1",
            "*.[::1]",
            "[acme.net]",
            "::1",
        ];
        for text in rows {
            assert!(Hosts::parse(&[text]).is_err(), "{text}");
        }
    }

    #[test]
    fn messages_show_them_as_they_are_written() {
        let hosts = Hosts::parse(&["Acme.net", "*.acme.net:8443", "[::1]:80"]).unwrap();
        assert_eq!(hosts.to_string(), "`acme.net`, `*.acme.net:8443`, `[::1]:80`");
    }
}
