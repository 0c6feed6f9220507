//! AWS Signature Version 4, the checking side.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};

use super::hmac;
use crate::wire::Message;

/// Whether a request is signed by a known key. The error is the code that S3 answers.
pub(super) fn check(
    request: &Message,
    signed: &str,
    keys: &BTreeMap<String, (String, Option<String>)>,
) -> Result<(), &'static str> {
    let field = |name: &str| {
        let fields = signed.split(", ").filter_map(|field| field.split_once('='));
        fields.filter(|(key, _)| *key == name).map(|(_, value)| value).next().ok_or("AuthorizationHeaderMalformed")
    };
    let (key, scope) = field("Credential")?.split_once('/').ok_or("AuthorizationHeaderMalformed")?;
    let (secret, token) = keys.get(key).ok_or("InvalidAccessKeyId")?;
    if request.header("x-amz-security-token") != token.as_deref() {
        return Err("InvalidToken");
    }
    let names = field("SignedHeaders")?;
    let is_covered = |name: &&str| names.split(';').any(|signed| signed == *name);
    if !["host", "x-amz-date", "x-amz-content-sha256"].iter().all(is_covered) {
        return Err("AccessDenied");
    }
    let header = |name: &str| request.header(name).unwrap_or_default().trim().to_owned();
    let headers: String = names.split(';').map(|name| format!("{name}:{}\n", header(name))).collect();
    let (method, target) = request.method_and_target();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut parameters: Vec<&str> = query.split('&').filter(|parameter| !parameter.is_empty()).collect();
    parameters.sort_unstable();
    let content = header("x-amz-content-sha256");
    if content != "UNSIGNED-PAYLOAD" && content != hex(digest(&SHA256, &request.body).as_ref()) {
        return Err("XAmzContentSHA256Mismatch");
    }
    let canonical = format!("{method}\n{path}\n{}\n{headers}\n{names}\n{content}", parameters.join("&"));
    let text = format!(
        "AWS4-HMAC-SHA256\n{}\n{scope}\n{}",
        header("x-amz-date"),
        hex(digest(&SHA256, canonical.as_bytes()).as_ref())
    );
    let key = scope.split('/').fold(format!("AWS4{secret}").into_bytes(), |key, part| hmac(&key, part));
    if hex(&hmac(&key, &text)) == field("Signature")? { Ok(()) } else { Err("SignatureDoesNotMatch") }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
