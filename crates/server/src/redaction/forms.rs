//! The forms in which a value can turn up: as it is, escaped, and in base64. What is percent-encoded is read as what it
//! stands for instead.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

/// A form, wiped on drop.
pub(super) type Form = Zeroizing<String>;

/// As it is, as Rust, JSON and metrics quote it, and as forms have its spaces.
pub(super) fn written(value: &str) -> [Form; 5] {
    let mut debugged = Zeroizing::new(String::new());
    // Writing into a string cannot fail.
    let _ = write!(debugged, "{value:?}");
    let quoted = Zeroizing::new(serde_json::Value::from(value).to_string());
    let label = value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
    [
        Zeroizing::new(value.to_owned()),
        unquoted(&debugged),
        unquoted(&quoted),
        Zeroizing::new(label),
        Zeroizing::new(value.replace(' ', "+")),
    ]
}

fn unquoted(text: &str) -> Form {
    Zeroizing::new(text.get(1..text.len().saturating_sub(1)).unwrap_or_default().to_owned())
}

/// What base64, in both alphabets, makes of a value wherever it stands in what is encoded, such as behind the name in
/// `user:password`: the characters that nothing but the value decides. Three bytes are four characters, so there are
/// three of them. The characters around them are made of the value in part.
pub(super) fn base64(value: &str) -> impl Iterator<Item = Form> {
    let padded = Zeroizing::new(["\0\0", value].concat());
    (0..3).flat_map(move |before| {
        let bytes = &padded.as_bytes()[2 - before..];
        let (start, end) = ((before * 8).div_ceil(6), bytes.len() * 8 / 6);
        [STANDARD_NO_PAD, URL_SAFE_NO_PAD].map(|alphabet| {
            let whole = Zeroizing::new(alphabet.encode(bytes));
            Zeroizing::new(whole[start..end].to_owned())
        })
    })
}

/// What base64 is written in.
pub(super) const fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}
