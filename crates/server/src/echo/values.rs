//! What is looked for: the secret part of each credential, as a server could plausibly repeat it.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use http::HeaderValue;
use keyward_core::pipeline::grant::Injected;
use memchr::memmem::Finder;
use zeroize::Zeroizing;

/// Shorter values are not looked for: they are part of ordinary text by chance, and whoever sees which text was taken out
/// learns what they are.
pub(super) const MIN_BYTES: usize = 8;

/// Base64 as it is written in practice.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A part of a field, wiped on drop.
type Part = Zeroizing<Vec<u8>>;

/// The values of one request. Not printable: it holds them. Neither fields nor what searches are made of can be wiped.
pub struct Values {
    /// The fields that they are from, each the same memory for as long as this is there.
    of: Box<[HeaderValue]>,
    pub(super) finders: Box<[Finder<'static>]>,
    /// One of them may be written in another way than it is.
    pub(super) may_be_encoded: bool,
    /// The lengths of the shortest and the longest, in bytes.
    pub(super) shortest: usize,
    pub(super) longest: usize,
}

impl Values {
    /// Those of a request; nothing when there is nothing to look for.
    pub fn of(injected: &Injected) -> Option<Self> {
        Self::of_fields(injected.values().cloned().collect())
    }

    pub(super) fn of_fields(fields: Box<[HeaderValue]>) -> Option<Self> {
        let mut secrets: Vec<Part> = fields.iter().flat_map(|field| secrets(field.as_bytes())).collect();
        secrets.sort_unstable_by(|one, other| one.as_slice().cmp(other));
        secrets.dedup();
        let shortest = secrets.iter().map(|secret| secret.len()).min()?;
        let longest = secrets.iter().map(|secret| secret.len()).max()?;
        let may_be_encoded = !secrets.iter().all(|secret| secret.iter().copied().all(is_unreserved));
        let finders = secrets.iter().map(|secret| Finder::new(secret.as_slice()).into_owned()).collect();
        Some(Self { of: fields, finders, may_be_encoded, shortest, longest })
    }

    /// Whether they are those of this request, told by the memory that fields share.
    pub(super) fn are_of(&self, injected: &Injected) -> bool {
        let mut own = self.of.iter();
        injected.values().all(|value| own.next().is_some_and(|own| std::ptr::eq(own.as_bytes(), value.as_bytes())))
            && own.next().is_none()
    }

    /// How much of a text the longest of them may take, however it is written.
    pub(super) fn reach(&self) -> usize {
        if self.may_be_encoded { self.longest.saturating_mul(super::decoded::MOST_BYTES) } else { self.longest }
    }
}

/// What is secret in a field's value: of `Bearer TOKEN` the token, of `Token name="VALUE"` the value, of Basic the token
/// and the password in it. What contains one of these need not be looked for.
fn secrets(field: &[u8]) -> impl Iterator<Item = Part> {
    let field = field.trim_ascii();
    let (scheme, rest) = match field.iter().position(|byte| *byte == b' ') {
        Some(end) if is_token(&field[..end]) => (&field[..end], field[end..].trim_ascii()),
        _ => (&b""[..], field),
    };
    let (token, password) = match scheme.eq_ignore_ascii_case(b"basic") {
        true => (rest, password(rest)),
        false => (parameter(rest).unwrap_or(rest), None),
    };
    // Padding is what encoders write in several ways, and decides nothing.
    let end = token.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1);
    let as_written = Some(token[..end].to_vec().into());
    // Forms have spaces that way.
    let in_form = token.contains(&b' ').then(|| {
        let text: Vec<u8> = token.iter().map(|b| if *b == b' ' { b'+' } else { *b }).collect();
        text.into()
    });
    [as_written, in_form, password].into_iter().flatten().filter(|secret| secret.len() >= MIN_BYTES)
}

/// The password of Basic credentials (RFC 7617), also of those that were not encoded; with the name where it is too short
/// to be looked for alone, and the name alone where there is none.
fn password(credentials: &[u8]) -> Option<Part> {
    let decoded = BASE64.decode(credentials).ok().map(Zeroizing::new).filter(|decoded| decoded.contains(&b':'));
    let pair = decoded.unwrap_or_else(|| credentials.to_vec().into());
    let colon = pair.iter().position(|byte| *byte == b':')?;
    Some(match pair.len() - colon - 1 {
        0 => pair[..colon].to_vec().into(),
        length if length < MIN_BYTES => pair,
        _ => pair[colon + 1..].to_vec().into(),
    })
}

/// The value of `name=value` or `name="value"`, when that is all there is.
fn parameter(text: &[u8]) -> Option<&[u8]> {
    let equals = text.iter().position(|byte| *byte == b'=')?;
    let (name, value) = (&text[..equals], &text[equals + 1..]);
    let value = value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(value);
    let is_one = is_token(name) && !value.iter().any(|byte| b",;\" ".contains(byte));
    Some(value).filter(|value| is_one && value.len() >= MIN_BYTES)
}

/// RFC 3986 section 2.3: what nobody who writes for a URL, for JSON or for HTML writes in another way.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// RFC 9110 section 5.6.2.
fn is_token(text: &[u8]) -> bool {
    http::Method::from_bytes(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_secret_in_a_field_is_known_by_its_form() {
        let rows: &[(&str, &[&str])] = &[
            ("0123456789abcdef", &["0123456789abcdef"]),
            ("Bearer 0123456789abcdef", &["0123456789abcdef"]),
            ("SSWS 0123456789abcdef", &["0123456789abcdef"]),
            ("Token token=0123456789abcdef", &["0123456789abcdef"]),
            ("Token token=\"0123456789abcdef\"", &["0123456789abcdef"]),
            ("session=0123456789abcdef", &["0123456789abcdef"]),
            ("\"0123456789abcdef\"", &["\"0123456789abcdef\""]),
            ("a=12345678, b=12345678", &["a=12345678, b=12345678", "a=12345678,+b=12345678"]),
            ("Bearer two words of it", &["two words of it", "two+words+of+it"]),
            // ci@example.com:ATATT3xFfGF0
            ("Basic Y2lAZXhhbXBsZS5jb206QVRBVFQzeEZmR0Yw", &["Y2lAZXhhbXBsZS5jb206QVRBVFQzeEZmR0Yw", "ATATT3xFfGF0"]),
            ("basic ci@example.com:ATATT3xFfGF0", &["ci@example.com:ATATT3xFfGF0", "ATATT3xFfGF0"]),
            // sk_live_0123456789: and no password
            ("Basic c2tfbGl2ZV8wMTIzNDU2Nzg5Og==", &["c2tfbGl2ZV8wMTIzNDU2Nzg5Og", "sk_live_0123456789"]),
            // somebody:short
            ("Basic c29tZWJvZHk6c2hvcnQ=", &["c29tZWJvZHk6c2hvcnQ", "somebody:short"]),
            // ci:passw0rd
            ("Basic Y2k6cGFzc3cwcmQ=", &["Y2k6cGFzc3cwcmQ", "passw0rd"]),
            ("", &[]),
            ("Bearer ", &[]),
            ("1234567", &[]),
            ("Bearer 1234567", &[]),
            ("Basic Og==", &[]),
            ("========", &[]),
        ];
        for (field, expected) in rows {
            let found: Vec<_> = secrets(field.as_bytes()).map(|s| String::from_utf8_lossy(&s).into_owned()).collect();
            assert_eq!(found, *expected, "{field}");
        }
    }

    #[test]
    fn what_every_encoder_leaves_as_it_is_is_not_decoded() {
        let rows = [
            ("Bearer ghp_0123.4567-89~", false),
            ("Basic Y2lAZXhhbXBsZS5jb206QVRBVFQzeEZmR0Yw", false),
            ("Bearer 0123456789+", true),
            ("Bearer 0123456789/0", true),
            ("two words of it", true),
            // ci:passw0rd&more
            ("Basic Y2k6cGFzc3cwcmQmbW9yZQ==", true),
        ];
        for (field, expected) in rows {
            let values = Values::of_fields([HeaderValue::from_static(field)].into()).unwrap();
            assert_eq!(values.may_be_encoded, expected, "{field}");
        }
    }
}
