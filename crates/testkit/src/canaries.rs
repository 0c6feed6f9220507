//! Canaries: texts that stand for secrets, each of which is found wherever half of it turns up, in any form in which it
//! could plausibly be written.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode, percent_encode, utf8_percent_encode};

/// What a canary is made of: the alphabet of base64, so that it can stand for any kind of key.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const LENGTH: usize = 32;
/// All forms are at least that long.
const KEY: usize = 8;

/// A part of one in one form.
struct Wanted<'a> {
    kind: &'a str,
    form: &'static str,
    bytes: Vec<u8>,
}

/// What is looked for, by what it is.
#[derive(Default)]
pub struct Canaries(RefCell<BTreeMap<String, Vec<u8>>>);

impl Canaries {
    /// The one of a kind, the same each time.
    pub fn of(&self, kind: &str) -> String {
        let value = text_of(kind);
        self.add(kind, &value);
        value
    }

    /// Has something else be looked for, too.
    pub fn add(&self, kind: &str, value: &str) {
        self.0.borrow_mut().insert(kind.to_owned(), value.as_bytes().to_vec());
    }

    /// Of `«KIND»` the canary, of `«%KIND»` the same for a URL, of `«basic KIND»` the Basic credentials of `ann` with it.
    pub fn filled(&self, text: &str) -> String {
        let mut parts = text.split('«');
        let mut filled = parts.next().unwrap().to_owned();
        for part in parts {
            let (name, rest) = part.split_once('»').unwrap();
            filled += &match (name.strip_prefix('%'), name.strip_prefix("basic ")) {
                (Some(kind), _) => utf8_percent_encode(&self.of(kind), NON_ALPHANUMERIC).to_string(),
                (_, Some(kind)) => STANDARD.encode(format!("ann:{}", self.of(kind))),
                _ => self.of(name),
            };
            filled += rest;
        }
        filled
    }

    /// All kinds there are.
    pub fn kinds(&self) -> BTreeSet<String> {
        self.0.borrow().keys().cloned().collect()
    }

    /// The kinds that turn up in a text, with the form in which they do.
    pub fn found_in(&self, text: &[u8]) -> BTreeMap<String, &'static str> {
        let canaries = self.0.borrow();
        let mut wanted: HashMap<[u8; KEY], Vec<Wanted>> = HashMap::new();
        for (kind, value) in &*canaries {
            for (form, bytes) in forms(value) {
                let key = *bytes.first_chunk().unwrap();
                wanted.entry(key).or_default().push(Wanted { kind, form, bytes });
            }
        }
        let decoded: Vec<u8> = percent_decode(text).collect();
        let mut found = BTreeMap::new();
        for text in [text, &decoded, &unescaped(text), &unescaped(&decoded)] {
            for (at, key) in text.windows(KEY).enumerate() {
                let Some(wanted) = wanted.get(key) else { continue };
                let here = wanted.iter().filter(|wanted| text[at..].starts_with(&wanted.bytes));
                found.extend(here.map(|wanted| (wanted.kind.to_owned(), wanted.form)));
            }
        }
        found
    }
}

/// Sees that a text holds none that its reader may not see. `echoed` says that it may hold what the caller itself sent, and
/// text that rules hold as it is, which an upstream's answers are not searched for.
///
/// # Panics
/// When it holds one.
pub fn assert_clean(canaries: &Canaries, what: &str, text: &[u8], echoed: bool) {
    let mut found = canaries.found_in(text);
    found.retain(|kind, _| !(echoed && ["caller's", "text of a rule"].iter().any(|start| kind.starts_with(start))));
    let lines = || text.split(|byte| *byte == b'\n').filter(|line| !canaries.found_in(line).is_empty()).take(3);
    let shown = || lines().map(String::from_utf8_lossy).collect::<Vec<_>>().join("\n");
    assert!(found.is_empty(), "{what} holds {found:?}:\n{}", shown());
}

/// Random, and the same for the same kind.
fn text_of(kind: &str) -> String {
    // FNV-1a, then xorshift.
    let mut state = kind
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(ALPHABET[(state >> 32) as usize % ALPHABET.len()])
    };
    let text: String = (0..LENGTH).map(|_| next()).collect();
    // Both halves are written differently in URLs and in JSON that is written for HTML.
    format!("{}+{}/{}", &text[..4], &text[5..LENGTH - 5], &text[LENGTH - 4..])
}

/// Each half, as it is and encoded.
fn forms(value: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let (first, second) = value.split_at(value.len() / 2);
    let mut forms = Vec::new();
    for half in [first, second] {
        let hex: String = half.iter().map(|byte| format!("{byte:02x}")).collect();
        forms.extend([("as it is", half.to_vec()), ("in capital hex", hex.to_uppercase().into_bytes())]);
        forms.push(("in hex", hex.into_bytes()));
        let in_form = percent_encode(half, NON_ALPHANUMERIC).to_string();
        for (before, bytes) in (0..3).flat_map(|before| [(before, half), (before, in_form.as_bytes())]) {
            let padded = [&b"\0\0"[..before], bytes].concat();
            for encoded in [STANDARD.encode(&padded), URL_SAFE.encode(&padded)] {
                // The characters that nothing else decides.
                let decided = encoded.as_bytes()[(before * 8).div_ceil(6)..padded.len() * 8 / 6].to_vec();
                forms.push(("in base64", decided));
            }
        }
    }
    forms
}

/// Without the escapes of JSON, Rust and Prometheus.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        let code = |digits: Option<&[u8]>| {
            let digits = std::str::from_utf8(digits?).ok()?;
            u32::from_str_radix(digits, 16).ok().and_then(char::from_u32)
        };
        rest = after;
        match (byte, after) {
            (b'\\', [b'u', digits @ ..]) => match code(digits.get(..4)) {
                Some(character) => {
                    out.extend(character.encode_utf8(&mut [0; 4]).bytes());
                    rest = &digits[4..];
                }
                None => out.push(byte),
            },
            (b'\\', [next, ..]) if next.is_ascii_punctuation() => {}
            _ => out.push(byte),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_canary_is_found_in_every_form_and_in_halves() {
        let canaries = Canaries::default();
        let value = canaries.of("a password");
        let other = canaries.of("something else");
        let (first, second) = value.split_at(LENGTH / 2);
        let hex: String = second.bytes().map(|byte| format!("{byte:02X}")).collect();
        for text in [
            value.clone(),
            format!("{first}…"),
            format!("…{second}"),
            utf8_percent_encode(first, NON_ALPHANUMERIC).to_string(),
            format!("{:?}", format!("\"{first}").replace('+', "\\u002b").replace('/', "\\/")),
            STANDARD.encode(&value),
            STANDARD.encode(format!("a{first}z")),
            URL_SAFE.encode(format!("ab{second}z")),
            // As RFC 6749 section 2.3.1 has it.
            STANDARD.encode(format!("id:{}", utf8_percent_encode(&value, NON_ALPHANUMERIC))),
            hex,
        ] {
            let found = canaries.found_in(format!("see {text} there").as_bytes());
            assert_eq!(found.keys().collect::<Vec<_>>(), ["a password"], "{text}");
        }
        assert!(canaries.found_in(format!("{} {}", &first[..12], &other[..12]).as_bytes()).is_empty());
        assert_eq!(percent_decode(canaries.filled("«%a password»").as_bytes()).decode_utf8().unwrap(), value);
    }
}
