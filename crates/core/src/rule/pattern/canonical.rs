//! Brings a pattern's literal text into the form of the subjects it is matched against.

use std::borrow::Cow;

use super::delimiter::Part;
use crate::gate::path;

/// Scheme and host in lower case, no default port, percent-encoding as the gate writes it.
pub(super) fn literals(mut parts: Vec<Part>) -> Vec<Part> {
    let mut in_path = false;
    for part in &mut parts {
        let Part::Literal(text) = part else { continue };
        if in_path {
            *text = path::encode_literal(text);
            continue;
        }
        let authority = text.find("://").map_or(0, |colon| colon + 3);
        let path_start = text[authority..].find('/').map(|slash| authority + slash);
        let (head, tail) = text.split_at(path_start.unwrap_or(text.len()));
        let head = head.to_ascii_lowercase();
        let head = match path_start {
            Some(_) => without_default_port(&head).to_owned(),
            None => head,
        };
        in_path = path_start.is_some();
        *text = head + &path::encode_literal(tail);
    }
    parts
}

/// The parts with the escapes of their literal text undone; `None` when there are none.
pub(super) fn unescaped(parts: &[Part]) -> Option<Vec<Part>> {
    let mut has_escapes = false;
    let undone: Vec<Part> = parts
        .iter()
        .map(|part| match part {
            Part::Literal(text) => {
                let text = path::unescaped(text);
                has_escapes |= matches!(text, Cow::Owned(_));
                Part::Literal(text.into_owned())
            }
            Part::Variable(text) => Part::Variable(text.clone()),
        })
        .collect();
    has_escapes.then_some(undone)
}

fn without_default_port(head: &str) -> &str {
    match head.split_once("://") {
        Some(("http", _)) => head.strip_suffix(":80").unwrap_or(head),
        Some(("https", _)) => head.strip_suffix(":443").unwrap_or(head),
        _ => head,
    }
}
