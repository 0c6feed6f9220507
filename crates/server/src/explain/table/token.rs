//! Tokens out of claims, signed with keys that exist for one run of tests.

use std::collections::BTreeMap;
use std::time::Duration;

use keyward_core::diagnostic::Diagnostic;
use keyward_core::document::duration::GoDuration;
use keyward_core::document::to_json;
use keyward_core::jwt::generate::generate;
use keyward_core::jwt::sign::SigningKey;
use keyward_core::jwt::{KeySet, SigningSet, algorithm};
use keyward_core::ports::UnixTime;
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error, StrDeserializer};
use serde_json::{Value, json};

use super::{TestFile, TokenFile};

/// The algorithm of tokens that name none, as in rules.
const USUAL: &str = "RS256";
/// How long tokens live that do not say.
const USUAL_LIFE: i64 = 900;

/// Keys by algorithm.
pub(super) struct TestKeys {
    keys: BTreeMap<String, SigningKey>,
    documents: Vec<Value>,
}

impl TestKeys {
    /// Makes a key for every algorithm that a file's tokens name.
    pub(super) fn for_tokens_of(file: &TestFile) -> Result<Self, Diagnostic> {
        let (mut keys, mut documents) = (BTreeMap::new(), Vec::new());
        for token in file.tests.iter().filter_map(|test| test.request.token.as_ref()) {
            let name = token.alg.as_deref().unwrap_or(USUAL);
            if keys.contains_key(name) {
                continue;
            }
            let (key, document) = make(name).map_err(Diagnostic::error)?;
            keys.insert(name.to_owned(), key);
            documents.push(document);
        }
        Ok(Self { keys, documents })
    }

    /// The set that stands for every configured one; none when the file signs nothing.
    pub(super) fn set(&self) -> Option<KeySet> {
        if self.documents.is_empty() {
            return None;
        }
        KeySet::parse(json!({"keys": self.documents}).to_string().as_bytes()).ok()
    }

    /// A token, signed.
    pub(super) fn sign(&self, token: &TokenFile, now: UnixTime) -> Result<String, String> {
        let name = token.alg.as_deref().unwrap_or(USUAL);
        let key = self.keys.get(name).ok_or_else(|| format!("there is no key for `{name}`"))?;
        let signed = key.sign(&claims(token, now)?).map_err(|error| error.to_string())?;
        Ok(if token.tampered { tampered(&signed) } else { signed })
    }
}

/// A set to sign with, for rules whose own private keys are not at hand.
pub(super) fn signing_set() -> Result<SigningSet, Diagnostic> {
    let document = generate(USUAL, "test", 0).map_err(Diagnostic::error)?;
    let set = SigningSet::parse(json!({"keys": [document]}).to_string().as_bytes());
    set.map_err(|error| Diagnostic::error(error.to_string()))
}

fn make(name: &str) -> Result<(SigningKey, Value), String> {
    let known = algorithm(name).ok_or_else(|| format!("tokens cannot be signed with `{name}`"))?;
    let document = generate(name, &format!("test-{name}"), 0)?;
    let key =
        SigningKey::read(document.to_string().as_bytes(), Some(known), None).map_err(|error| error.to_string())?;
    // A symmetric key has no other half.
    let published = key.public_jwk().cloned().unwrap_or(document);
    Ok((key, published))
}

fn claims(token: &TokenFile, now: UnixTime) -> Result<Value, String> {
    let UnixTime(now) = now;
    let mut claims = match token.claims.as_ref().map(to_json) {
        None | Some(Value::Null) => serde_json::Map::new(),
        Some(Value::Object(claims)) => claims,
        Some(_) => return Err("`claims` must be a map".to_owned()),
    };
    claims.entry("iat").or_insert(now.into());
    claims.entry("exp").or_insert((now + USUAL_LIFE).into());
    for name in ["iat", "nbf", "exp"] {
        match claims.get(name) {
            Some(Value::Null) => {
                claims.remove(name);
            }
            Some(Value::String(text)) => {
                let seconds = offset(text).ok_or_else(|| format!("`{name}`: `{text}` is no time such as `+15m`"))?;
                claims.insert(name.to_owned(), now.saturating_add(seconds).into());
            }
            _ => {}
        }
    }
    Ok(Value::Object(claims))
}

/// `+15m` and `-1h` in seconds.
fn offset(text: &str) -> Option<i64> {
    let (sign, duration) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let duration: StrDeserializer<'_, Error> = duration.into_deserializer();
    let GoDuration(duration): GoDuration = Deserialize::deserialize(duration).ok()?;
    Some(sign * seconds(duration))
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

/// The same token with another first letter of its signature.
fn tampered(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').unwrap_or((token, ""));
    let first = if signature.starts_with('A') { 'B' } else { 'A' };
    format!("{signed}.{first}{}", signature.get(1..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::offset;

    #[test]
    fn times_are_written_from_now() {
        for (text, expected) in [
            ("+15m", Some(900)),
            ("-1h", Some(-3600)),
            ("+0s", Some(0)),
            ("15m", None),
            ("+", None),
            ("", None),
            ("+1x", None),
        ] {
            assert_eq!(offset(text), expected, "{text}");
        }
    }
}
