//! A token before its signature is checked: split, decoded, and its header held to the rules.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::Algorithm;
use super::headers::KnownHeaders;
use crate::pipeline::denial::Reason;
use crate::strict_json;

/// The longest token that is looked at.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// A well-formed compact JWS (RFC 7515 section 7.1), unverified.
pub(super) struct Decoded<'t> {
    pub(super) header: Arc<Header>,
    /// The header as it is written, unless it was known.
    pub(super) new_header: Option<&'t str>,
    pub(super) payload: Vec<u8>,
    pub(super) signed: &'t str,
    pub(super) signature: Vec<u8>,
}

/// What a header says that is looked at.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) algorithm: Algorithm,
    pub(super) key_id: Option<String>,
}

/// Whether a text has exactly three dot-separated parts: what makes `jwt` responsible for it.
pub fn has_three_parts(token: &str) -> bool {
    // Counting every dot is one pass of wide comparisons, however many there are.
    memchr::memchr_iter(b'.', token.as_bytes()).count() == 2
}

/// Splits and decodes; a header that is known is not read again.
pub(super) fn decode<'t>(token: &'t str, known: &KnownHeaders) -> Result<Decoded<'t>, Reason> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(Reason::TokenMalformed);
    }
    let mut dots = memchr::memchr_iter(b'.', token.as_bytes());
    let (Some(first), Some(second), None) = (dots.next(), dots.next(), dots.next()) else {
        return Err(Reason::TokenMalformed);
    };
    let (encoded_header, claims) = (&token[..first], &token[first + 1..second]);
    // What it says is not looked at before the signature is checked.
    let payload = URL_SAFE_NO_PAD.decode(claims).map_err(|_| Reason::TokenMalformed)?;
    let signature = URL_SAFE_NO_PAD.decode(&token[second + 1..]).map_err(|_| Reason::TokenMalformed)?;
    let (header, new_header) = match known.find(encoded_header) {
        Some(header) => (header, None),
        None => (Arc::new(Header::read(encoded_header)?), Some(encoded_header)),
    };
    Ok(Decoded { header, new_header, payload, signed: &token[..second], signature })
}

impl Header {
    /// `crit` and `b64` are refused: no extension is understood (RFC 7515 section 4.1.11). Keys named by the
    /// header (`jwk`, `jku`, `x5u`, `x5c`) are never looked at.
    fn read(encoded: &str) -> Result<Self, Reason> {
        let bytes = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| Reason::TokenMalformed)?;
        let header = strict_json::object(&bytes).ok_or(Reason::TokenMalformed)?;
        if header.contains_key("crit") || header.contains_key("b64") {
            return Err(Reason::TokenMalformed);
        }
        let algorithm = match header.get("alg") {
            Some(Value::String(name)) => super::algorithm(name).ok_or(Reason::SignatureInvalid)?,
            _ => return Err(Reason::TokenMalformed),
        };
        let key_id = match header.get("kid") {
            None => None,
            Some(Value::String(id)) if !id.is_empty() => Some(id.clone()),
            Some(_) => return Err(Reason::TokenMalformed),
        };
        Ok(Self { algorithm, key_id })
    }
}
