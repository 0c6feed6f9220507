//! A glob matches what a plain reader of globs says that it matches, and everything that it matches starts with its
//! literal prefix, which is how rules are found.
//!
//! The first line is the pattern, the rest what is matched.

use keyward_core::rule::pattern::{Pattern, Strategy};

/// What two tell apart that backtrack without a bound would take for ever.
const MAX_BYTES: usize = 64;

pub(crate) fn check(data: &[u8]) {
    let Some((written, subject)) = pattern_and_subject(data) else { return };
    let Ok(pattern) = Pattern::compile(&written, Strategy::Glob) else { return };
    let Ok(matches) = pattern.is_match(&subject) else { return };
    assert_eq!(pattern.is_match(&subject), Ok(matches), "{written} {subject}");
    assert!(!matches || subject.starts_with(&**pattern.literal_prefix()), "{written} {subject}");
    assert_eq!(pattern.captures(&subject), Ok(Vec::new()));
    if let Some(pieces) = pieces(&written)
        && subject.len() <= MAX_BYTES
    {
        assert_eq!(matches, fits(&pieces, subject.as_bytes()), "{written} {subject}");
    }
}

/// The first line, and those characters of the rest that a URL after the gate can have.
pub(crate) fn pattern_and_subject(data: &[u8]) -> Option<(String, String)> {
    let text = std::str::from_utf8(data).ok()?;
    let (pattern, subject) = text.split_once('\n').unwrap_or((text, ""));
    let is_sent = |c: &char| c.is_ascii_graphic() && !"\"<>\\^`{|}".contains(*c);
    Some((pattern.to_owned(), subject.chars().filter(is_sent).collect()))
}

enum Piece {
    Literal(u8),
    /// `?`
    One,
    /// `*`
    Some,
    /// `**`
    All,
}

/// The pattern in pieces, where it has nothing but these: plain literal text, and wildcards between brackets.
fn pieces(written: &str) -> Option<Vec<Piece>> {
    // Others may be written otherwise in the one form that URLs have.
    let rest = written.split_once("://").map_or(written, |(_, rest)| rest);
    if ["//", "/.", "./", ":"].iter().any(|text| rest.contains(text)) {
        return None;
    }
    let (mut pieces, mut is_variable, mut stars) = (Vec::new(), false, 0);
    for byte in written.bytes() {
        match byte {
            b'<' | b'>' if is_variable == (byte == b'>') => is_variable = !is_variable,
            // Stars of two variable parts side by side count together.
            b'*' if is_variable => stars += 1,
            byte => {
                pieces.extend(wildcard(std::mem::take(&mut stars))?);
                pieces.push(match byte {
                    b'?' if is_variable => Piece::One,
                    b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'/' | b'.' | b':' => Piece::Literal(byte),
                    _ => return None,
                });
            }
        }
    }
    pieces.extend(wildcard(stars)?);
    // What stands before and after a lone `**` may overlap, as in the reference.
    let overlaps = pieces.iter().filter(|piece| matches!(piece, Piece::All)).count() == 1
        && !pieces.iter().any(|piece| matches!(piece, Piece::Some | Piece::One));
    (!is_variable && !overlaps && pieces.len() <= MAX_BYTES).then_some(pieces)
}

/// What so many stars stand for, if there are any; nothing plain from three on.
fn wildcard(stars: usize) -> Option<Option<Piece>> {
    match stars {
        0 => Some(None),
        1 => Some(Some(Piece::Some)),
        2 => Some(Some(Piece::All)),
        _ => None,
    }
}

/// By trying everything, with a row of the places that can be reached.
fn fits(pieces: &[Piece], subject: &[u8]) -> bool {
    let mut reached = vec![false; subject.len() + 1];
    reached[0] = true;
    for piece in pieces {
        let mut next = vec![false; subject.len() + 1];
        for at in 0..=subject.len() {
            let takes = |byte: u8| match piece {
                Piece::Literal(own) => *own == byte,
                Piece::One | Piece::Some => !matches!(byte, b'/' | b'.'),
                Piece::All => true,
            };
            let repeats = matches!(piece, Piece::Some | Piece::All);
            if repeats && reached[at] {
                next[at] = true;
            }
            let from = reached[at] || (repeats && next[at]);
            if from && subject.get(at).is_some_and(|byte| takes(*byte)) {
                next[at + 1] = true;
            }
        }
        reached = next;
    }
    reached[subject.len()]
}
