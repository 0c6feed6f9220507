//! HTTP Basic credentials of OAuth 2.0 clients (RFC 7617, RFC 6749 section 2.3.1).

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderValue};
use keyward_core::secret::Secret;
use keyward_core::side_url::basic_credentials;
use zeroize::Zeroizing;

use crate::form;

/// A client as it identifies itself.
pub(crate) struct ClientCredentials {
    pub(crate) id: String,
    pub(crate) secret: Secret,
}

/// What a request carries.
pub(crate) enum Found {
    /// No Basic credentials.
    Nothing,
    /// Credentials whose escapes are broken, or that are no text.
    Broken,
    /// Credentials.
    Credentials(ClientCredentials),
}

/// Reads the credentials of a request. Both halves are form-encoded inside (RFC 6749 section 2.3.1).
pub(crate) fn read(headers: &HeaderMap) -> Found {
    let encoded = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| {
        let (scheme, rest) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("basic").then_some(rest)
    });
    let Some(bytes) = encoded.and_then(|encoded| BASE64_STANDARD.decode(encoded).ok()).map(Zeroizing::new) else {
        return Found::Nothing;
    };
    if !bytes.contains(&b':') {
        return Found::Nothing;
    }
    let halves = std::str::from_utf8(&bytes).ok().and_then(|text| text.split_once(':'));
    let Some((id, secret)) = halves else { return Found::Broken };
    match (form::unescape(id), form::unescape(secret)) {
        (Some(id), Some(secret)) => Found::Credentials(ClientCredentials { id, secret: Secret::new(secret) }),
        _ => Found::Broken,
    }
}

impl ClientCredentials {
    /// The header that presents them, marked as sensitive.
    pub(crate) fn header(&self) -> HeaderValue {
        let secret = Zeroizing::new(form::escape(self.secret.expose()));
        basic_credentials(form::escape(&self.id).as_bytes(), secret.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn found(value: &str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, value.parse().unwrap());
        match read(&headers) {
            Found::Nothing => "nothing".to_owned(),
            Found::Broken => "broken".to_owned(),
            Found::Credentials(client) => format!("{}|{}", client.id, client.secret.expose()),
        }
    }

    #[test]
    fn both_halves_are_decoded_twice() {
        let encoded = |plain: &[u8]| format!("Basic {}", BASE64_STANDARD.encode(plain));
        let rows = [
            (encoded(b"id:se"), "id|se"),
            (encoded(b"a%3Ab+c:s%2Be:x"), "a:b c|s+e:x"),
            (encoded(b"id:"), "id|"),
            (encoded(b"id"), "nothing"),
            (encoded(b"%zz:se"), "broken"),
            (encoded(b"id:%4"), "broken"),
            (encoded(b"\xff:se"), "broken"),
            (encoded(b"id:se").replace("Basic", "bAsIc"), "id|se"),
            ("Basic !!!".to_owned(), "nothing"),
            ("Basic".to_owned(), "nothing"),
            ("Bearer aWQ6c2U=".to_owned(), "nothing"),
        ];
        for (value, expected) in rows {
            assert_eq!(found(&value), expected, "{value}");
        }
    }

    #[test]
    fn credentials_are_presented_as_they_were_read() {
        let client = ClientCredentials { id: "a:b c".into(), secret: Secret::new("s+e:é") };
        assert_eq!(found(client.header().to_str().unwrap()), "a:b c|s+e:é");
        assert!(client.header().is_sensitive());
    }
}
