//! Azure's Shared Key, the checking side, for requests without a body.

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::hmac;
use crate::wire::Message;

/// Whether a request is signed by a known account. The error is the code that Azure answers.
pub(super) fn check(request: &Message, signed: &str, accounts: &BTreeMap<String, String>) -> Result<(), &'static str> {
    let (account, signature) = signed.split_once(':').ok_or("InvalidAuthenticationInfo")?;
    let key = accounts.get(account).ok_or("AuthenticationFailed")?;
    let key = BASE64_STANDARD.decode(key).unwrap();
    let header = |name: &str| request.header(name).unwrap_or_default().to_owned();
    let (method, target) = request.method_and_target();
    let path = target.split('?').next().unwrap_or_default();
    let named = [
        "content-encoding",
        "content-language",
        "",
        "content-md5",
        "content-type",
        "date",
        "if-modified-since",
        "if-match",
        "if-none-match",
        "if-unmodified-since",
        "range",
    ];
    let named: String = named.iter().map(|name| format!("{}\n", header(name))).collect();
    let own: BTreeMap<String, String> = request
        .headers
        .iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
        .filter(|(name, _)| name.starts_with("x-ms-"))
        .collect();
    let own: String = own.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let text = format!("{method}\n{named}{own}/{account}{path}");
    let expected = BASE64_STANDARD.encode(hmac(&key, &text));
    if expected == signature { Ok(()) } else { Err("AuthenticationFailed") }
}
