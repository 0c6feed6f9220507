//! Redaction inside of JSON: string by string, since values have no one way to be escaped, and so that what comes out
//! is JSON, too.

use std::borrow::Cow;

use memchr::{memchr, memchr2};
use serde_json::Value;

use super::search::Searcher;

pub(super) fn replaced<'t>(text: &'t [u8], searcher: &Searcher) -> Cow<'t, [u8]> {
    // Nearly no text holds anything escaped or encoded, and then strings need not be told apart to find nothing.
    if memchr2(b'\\', b'%', text).is_none() && !searcher.finds(text) {
        return Cow::Borrowed(text);
    }
    let (mut out, mut rest) = (Vec::with_capacity(text.len()), text);
    while let Some(start) = memchr(b'"', rest) {
        let (before, from) = rest.split_at(start);
        let (string, after) = from.split_at(end_of_string(from));
        out.extend_from_slice(before);
        push(&mut out, string, searcher);
        rest = after;
    }
    out.extend_from_slice(rest);
    Cow::Owned(out)
}

/// Where a string ends that begins with its quotation mark.
fn end_of_string(text: &[u8]) -> usize {
    let mut at = 1;
    while let Some(next) = text.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        match text[at + next] {
            b'"' => return at + next + 1,
            _ => at += next + 2,
        }
    }
    text.len()
}

fn push(out: &mut Vec<u8>, string: &[u8], searcher: &Searcher) {
    if memchr(b'\\', string).is_some()
        && let Ok(Value::String(text)) = serde_json::from_slice(string)
    {
        match searcher.replaced(text.as_bytes()) {
            Some(bytes) => out.extend_from_slice(Value::from(String::from_utf8_lossy(&bytes)).to_string().as_bytes()),
            None => out.extend_from_slice(string),
        }
        return;
    }
    // A form may begin with a quotation mark, but those at the ends are not the string's.
    match string {
        [b'"', inner @ .., b'"'] => {
            out.push(b'"');
            out.extend_from_slice(&searcher.replaced(inner).unwrap_or_else(|| inner.to_vec()));
            out.push(b'"');
        }
        torn => out.extend_from_slice(&searcher.replaced(torn).unwrap_or_else(|| torn.to_vec())),
    }
}
