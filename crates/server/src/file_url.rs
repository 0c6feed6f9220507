//! `file:` URLs, which name rules and key sets alike.

use std::path::PathBuf;

use percent_encoding::percent_decode_str;

/// The path that a URL names, given what follows its scheme: without query and fragment, its escapes undone.
pub(crate) fn path(rest: &str) -> Result<PathBuf, String> {
    let escaped = rest.split(['?', '#']).next().unwrap_or_default();
    let is_broken = |after: &str| !after.get(..2).is_some_and(|two| two.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if escaped.split('%').skip(1).any(is_broken) {
        return Err("a `%` in a `file://` URL needs two hexadecimal digits; write `%25` for itself".to_owned());
    }
    let text = percent_decode_str(escaped).decode_utf8().map_err(|_| "the path is not UTF-8".to_owned())?;
    if text.is_empty() { Err("it names no file: write `file:///path`".to_owned()) } else { Ok(PathBuf::from(&*text)) }
}
