//! Values that cannot be printed, and values of which only a part may be.

use std::borrow::Cow;
use std::fmt;

use zeroize::Zeroizing;

/// A secret text: no `Display`, a `Debug` that hides it, wiped on drop.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes ownership of a secret text.
    pub fn new(value: impl Into<String>) -> Self {
        Self(Zeroizing::new(value.into()))
    }

    /// The value itself. Name the reason where you call it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// A URL as it may be shown: user information and query can hold credentials and are left out.
pub fn shown_url(url: &str) -> Cow<'_, str> {
    const HIDDEN: &str = "[redacted]";
    let (address, mark, hidden) = match url.find(['?', '#']) {
        Some(end) => (&url[..end], &url[end..=end], HIDDEN),
        None => (url, "", ""),
    };
    let start = address.find("://").map_or(0, |scheme| scheme + 3);
    let authority = &address[start..];
    let authority = &authority[..authority.find('/').unwrap_or(authority.len())];
    match authority.rfind('@') {
        Some(at) => Cow::Owned(format!("{}{HIDDEN}{}{mark}{hidden}", &address[..start], &address[start + at..])),
        None if mark.is_empty() => Cow::Borrowed(url),
        None => Cow::Owned(format!("{address}{mark}{hidden}")),
    }
}

#[cfg(test)]
mod tests {
    use super::shown_url;

    #[test]
    fn urls_are_shown_without_what_may_be_a_credential() {
        let rows = [
            ("https://issuer/jwks.json", "https://issuer/jwks.json"),
            ("https://issuer/jwks.json?key=s3cr3t", "https://issuer/jwks.json?[redacted]"),
            ("https://issuer?key=s3cr3t#s3cr3t", "https://issuer?[redacted]"),
            ("https://u:s3cr3t@issuer/@x", "https://[redacted]@issuer/@x"),
            ("https://u:s3cr3t@issuer?k=s3cr3t", "https://[redacted]@issuer?[redacted]"),
            ("file:///etc/keys@home.json", "file:///etc/keys@home.json"),
            ("s3cr3t@issuer/x", "[redacted]@issuer/x"),
            ("", ""),
        ];
        for (url, shown) in rows {
            assert_eq!(shown_url(url), shown, "{url}");
        }
    }
}
