//! `/rules` and `/rules/{id}` (serving spec 7.5, 7.6): the rules that the reference would list, redacted.

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;
use keyward_core::pipeline::error_response::escape_html;
use percent_encoding::percent_decode_str;

use crate::http_server::typed;
use crate::redaction;
use crate::snapshot::Snapshot;

const MEDIA_TYPE: &str = "application/json; charset=utf-8";
const DEFAULT_LIMIT: usize = 50;
const MAX_LIMIT: usize = 500;

pub(super) fn list(snapshot: &Snapshot, query: &str) -> Response<Full<Bytes>> {
    let limit = number(query, "limit").unwrap_or(DEFAULT_LIMIT).min(MAX_LIMIT);
    let offset = number(query, "offset").unwrap_or(0);
    let shown: Vec<String> = snapshot
        .rules
        .rules()
        .iter()
        .filter(|rule| rule.is_listed())
        .skip(offset)
        .take(limit)
        .map(|rule| rule.document())
        .collect();
    answer(&format!("[{}]", shown.join(",")))
}

pub(super) fn get(snapshot: &Snapshot, encoded: &str) -> Response<Full<Bytes>> {
    let id = percent_decode_str(encoded).decode_utf8_lossy();
    match snapshot.rules.rules().iter().find(|rule| rule.is_listed() && **rule.id() == *id) {
        Some(rule) => answer(&rule.document()),
        None => super::error(StatusCode::NOT_FOUND, "The requested resource could not be found"),
    }
}

fn answer(document: &str) -> Response<Full<Bytes>> {
    let shown = redaction::known().json(document.as_bytes());
    typed(StatusCode::OK, MEDIA_TYPE, escape_html(&String::from_utf8_lossy(&shown)) + "\n")
}

/// Negative numbers count as zero; what is no number is not there.
fn number(query: &str, name: &str) -> Option<usize> {
    let (_, text) = form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name)?;
    text.parse::<i64>().ok().map(|number| usize::try_from(number).unwrap_or(0))
}
