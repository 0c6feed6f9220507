//! Digests and checksums, as hexadecimal text.

use aws_lc_rs::digest;

use super::super::function::Function;
use super::super::function::Param::Text;
use super::arguments::{bytes, text};

pub(super) const ALL: &[Function] = &[
    Function::pure("sha1sum", &[Text], |args| text(hex(&digest::SHA1_FOR_LEGACY_USE_ONLY, bytes(&args[0])?))),
    Function::pure("sha256sum", &[Text], |args| text(hex(&digest::SHA256, bytes(&args[0])?))),
    Function::pure("sha512sum", &[Text], |args| text(hex(&digest::SHA512, bytes(&args[0])?))),
    // In decimal.
    Function::pure("adler32sum", &[Text], |args| text(adler2::adler32_slice(bytes(&args[0])?).to_string())),
];

fn hex(algorithm: &'static digest::Algorithm, input: &[u8]) -> String {
    digest::digest(algorithm, input).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
