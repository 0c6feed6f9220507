//! Media types in `Accept` and `Content-Type`, read as the reference reads them.

use http::{HeaderMap, header};

const NO_MEDIA_TYPE: &str = "application/octet-stream";

/// The caller's `Accept`: the first line only.
pub(super) fn accepted(headers: &HeaderMap) -> Vec<String> {
    listed(first_line(headers, &header::ACCEPT))
}

/// The caller's `Content-Type`, in lower case and without parameters; nothing where one of its types cannot
/// be read, so that no condition holds.
pub(super) fn content_types(headers: &HeaderMap) -> Vec<String> {
    let types = first_line(headers, &header::CONTENT_TYPE).split(',');
    let types = types.map(|part| part.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
    let types: Vec<String> = types.collect();
    if types.iter().all(|one| is_media_type(one)) { types } else { Vec::new() }
}

/// Splits `type[;q=N], ...`; what follows the first element with another parameter is not read.
pub(super) fn listed(line: &str) -> Vec<String> {
    let mut types = Vec::new();
    let mut rest = line;
    loop {
        let end = rest.find(|c| !is_token_character(c) && c != '/').unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        rest = after.trim_ascii_start();
        if let Some(parameters) = rest.strip_prefix(';') {
            match parameters.trim_ascii_start().strip_prefix("q=").and_then(after_quality) {
                Some(after) => rest = after,
                None => return types,
            }
        }
        if name.is_empty() {
            return types;
        }
        types.push(name.to_owned());
        match rest.trim_ascii_start().strip_prefix(',') {
            Some(next) => rest = next.trim_ascii_start(),
            None => return types,
        }
    }
}

fn first_line<'h>(headers: &'h HeaderMap, name: &header::HeaderName) -> &'h str {
    let line = headers.get(name).map(|value| value.to_str().unwrap_or_default());
    line.filter(|line| !line.is_empty()).unwrap_or(NO_MEDIA_TYPE)
}

/// What stands behind a number that begins with 0 or 1.
fn after_quality(text: &str) -> Option<&str> {
    let rest = text.strip_prefix(['0', '1'])?;
    Some(rest.strip_prefix('.').map_or(rest, |decimals| decimals.trim_start_matches(|c: char| c.is_ascii_digit())))
}

fn is_media_type(text: &str) -> bool {
    let is_token = |text: &str| !text.is_empty() && text.chars().all(is_token_character);
    match text.split_once('/') {
        Some((kind, subtype)) => is_token(kind) && is_token(subtype),
        None => is_token(text),
    }
}

/// tchar of RFC 9110 section 5.6.2.
fn is_token_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}
