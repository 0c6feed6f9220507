//! Which origins a pattern admits.

/// One entry of `allowed_origins`, lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OriginPattern {
    /// This one.
    Exact(String),
    /// Everything between two ends. The second end begins with a dot and holds a registrable domain, so that
    /// nobody else can own a name that fits.
    Wildcard {
        /// Before the `*`.
        start: String,
        /// After it.
        end: String,
    },
}

impl OriginPattern {
    /// Reads an entry other than `*`. The error says why no request should be admitted by it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let text = text.to_ascii_lowercase();
        let Some((start, end)) = text.split_once('*') else { return Ok(Self::Exact(text)) };
        if end.contains('*') {
            return Err("it has more than one `*`");
        }
        let Some(after) = end.strip_prefix('.') else {
            return Err("a dot must follow the `*`, or anybody could register a name that fits");
        };
        let host = after.split(['/', ':']).next().unwrap_or_default();
        // Nobody can have a name below an address.
        let is_address = host.rsplit('.').next().is_some_and(|label| label.bytes().all(|byte| byte.is_ascii_digit()));
        match psl::domain_str(host) {
            Some(_) if !is_address => Ok(Self::Wildcard { start: start.to_owned(), end: end.to_owned() }),
            _ => Err("what follows the `*.` must hold a registrable domain, or anybody could have a name that fits"),
        }
    }

    /// Compares with an `Origin` as it was sent.
    pub(super) fn allows(&self, origin: &[u8]) -> bool {
        match self {
            Self::Exact(exact) => origin == exact.as_bytes(),
            Self::Wildcard { start, end } => {
                origin.len() >= start.len() + end.len()
                    && origin.starts_with(start.as_bytes())
                    && origin.ends_with(end.as_bytes())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SEC-6, and the rows of serving spec 3.5.
    #[test]
    fn wildcards_end_at_a_registrable_domain() {
        let rows = [
            ("https://*.example.com", "https://a.example.com", true),
            ("https://*.example.com", "https://a.b.example.com", true),
            ("https://*.example.com", "https://example.com", false),
            ("https://*.example.com", "https://evilexample.com", false),
            ("https://*.example.com", "http://a.example.com", false),
            ("https://*.Example.com", "https://a.example.com", true),
            ("https://*.example.com", "https://a.EXAMPLE.com", false),
            ("https://*.example.co.uk:8443", "https://a.example.co.uk:8443", true),
            ("https://*.example.co.uk:8443", "https://a.example.co.uk", false),
            ("https://example.com", "https://example.com", true),
            ("https://example.com", "https://example.com.evil.test", false),
            ("http://localhost:3000", "http://localhost:3000", true),
        ];
        for (pattern, origin, expected) in rows {
            let found = OriginPattern::parse(pattern).map(|pattern| pattern.allows(origin.as_bytes()));
            assert_eq!(found, Ok(expected), "{pattern} {origin}");
        }
        for pattern in [
            "https://*foo.com",
            "https://*.com",
            "https://*.co.uk",
            "https://*.vercel.app",
            "https://*.1.2.3.4",
            "https://www.ory.*",
            "http://localhost:*",
            "http://*.localhost",
            "https://*.example",
            "https://*.*.example.com",
            "https://*.",
        ] {
            assert!(OriginPattern::parse(pattern).is_err(), "{pattern}");
        }
    }
}
