//! sprig's encodings and digests.

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::super::format;
use super::{Function, Value, row, string};

pub(super) const ALL: &[Function] = &[
    row("b64enc", 1, 1, |args| Ok(Value::text(STANDARD.encode(string(&args[0])?)))),
    row("b64dec", 1, 1, |args| {
        // The reference gives the error's text as the value; a failed rule is safer than a wrong header.
        let bytes = STANDARD.decode(string(&args[0])?).map_err(|_| "illegal base64 data".to_owned())?;
        Ok(Value::text(String::from_utf8_lossy(&bytes)))
    }),
    row("sha1sum", 1, 1, |args| Ok(Value::text(hex(&digest::SHA1_FOR_LEGACY_USE_ONLY, string(&args[0])?)))),
    row("sha256sum", 1, 1, |args| Ok(Value::text(hex(&digest::SHA256, string(&args[0])?)))),
    row("sha512sum", 1, 1, |args| Ok(Value::text(hex(&digest::SHA512, string(&args[0])?)))),
    row("toJson", 1, 1, |args| Ok(Value::text(format::json(&args[0], true)))),
    row("toRawJson", 1, 1, |args| Ok(Value::text(format::json(&args[0], false)))),
];

fn hex(algorithm: &'static digest::Algorithm, text: &str) -> String {
    digest::digest(algorithm, text.as_bytes())
        .as_ref()
        .iter()
        .fold(String::new(), |out, byte| out + &format!("{byte:02x}"))
}
