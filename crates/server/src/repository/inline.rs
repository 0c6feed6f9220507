//! `inline://`: the document itself, in base64.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

pub(super) fn decode(encoded: &str) -> Result<String, String> {
    if encoded.is_empty() {
        return Err("the inline rules are empty; write `[]` in base64 for none".to_owned());
    }
    let bytes = STANDARD.decode(encoded).map_err(|_| "the inline rules are not padded standard base64".to_owned())?;
    String::from_utf8(bytes).map_err(|_| "the inline rules are not UTF-8".to_owned())
}
