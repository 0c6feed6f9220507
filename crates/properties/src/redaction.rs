//! A secret that this process knows is in nothing that it tells, in whatever form it got there; and JSON stays JSON.
//!
//! Up to a line feed it is the secret, then what stands before it, then what stands after it.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use keyward_core::secret::Secret;
use keyward_server::redaction::KnownValues;
use serde_json::{Value, json};

const REDACTED: &str = "[redacted]";
/// What is shorter is not looked for.
const MIN_BYTES: usize = 6;
const MAX_BYTES: usize = 512;
/// Stands for the mark, so that what is around it is not taken for a part of the value.
const MARK: char = '\u{fffd}';

pub(crate) fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut parts = text.splitn(3, '\n');
    let [value, before, after] = [(); 3].map(|()| parts.next().unwrap_or_default());
    if value.len() < MIN_BYTES || text.len() > MAX_BYTES || REDACTED.contains(value) || value.contains(MARK) {
        return;
    }
    let known = KnownValues::default();
    known.learn("here", [&Secret::new(value)]);
    let holds = |told: &str| told.contains(value);

    let plain = format!("{before}{value}{after}");
    let told = known.text(&plain);
    assert!(told.contains(REDACTED), "{plain:?}: {told:?}");
    assert_eq!(known.bytes(plain.as_bytes()), told.as_bytes());
    assert!(!holds(&told.replace(REDACTED, MARK.encode_utf8(&mut [0; 4]))), "{plain:?}: {told:?}");
    assert_eq!(known.text("nothing to see"), "nothing to see".replace(value, REDACTED));

    for (form, written) in [
        ("escaped", format!("{plain:?}")),
        ("percent-encoded", percent_encoded(value)),
        ("in base64", STANDARD.encode(&plain)),
        ("in base64url", URL_SAFE_NO_PAD.encode(&plain)),
        ("in a form", form_urlencoded::Serializer::new(String::new()).append_pair("a", value).finish()),
    ] {
        let told = known.text(&written);
        assert!(told.contains(REDACTED), "{form}: {value:?} in {written:?}: {told:?}");
    }
    let document = json!({"a": [plain], value: true, "number": 1});
    for written in [document.to_string(), format!("{document:#}")] {
        let told: Value = serde_json::from_slice(&known.json(written.as_bytes())).unwrap();
        let string = told["a"][0].as_str().unwrap();
        assert!(
            string.contains(REDACTED) && !holds(&string.replace(REDACTED, MARK.encode_utf8(&mut [0; 4]))),
            "{written}: {told}"
        );
        assert!(told.get(value).is_none(), "{written}: {told}");
    }
    // Whatever it is, it is searched.
    let _ = known.json(data);
    let _ = known.bytes(data);
}

fn percent_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}
