//! Identifiers taken apart and put together again: snake, kebab and Pascal case as `xstrings` makes them.

use super::super::runes;

/// What a run of characters is.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// Digits.
    Number,
    /// Starts with an upper case letter.
    Capital,
    /// Other letters, except Chinese characters.
    Letters,
    /// Spaces, `-` and `_`.
    Connector,
    Punctuation,
    Other,
}

/// Lower-case words with a connector between them.
pub(super) fn joined(from: &[u8], connector: char) -> String {
    let characters: Vec<char> = runes::all(from).into_iter().filter(|c| *c != char::REPLACEMENT_CHARACTER).collect();
    let runs = runs(&characters);
    let mut out = String::new();
    let mut at = 0;
    while at < runs.len() {
        let (kind, text) = runs[at];
        put(&mut out, kind, text, connector);
        at += 1;
        match kind {
            Kind::Number => {
                at = attached(&runs, at, connector, &mut out);
                separate(&runs, at, connector, &mut out);
            }
            Kind::Connector | Kind::Punctuation => {}
            Kind::Capital | Kind::Letters | Kind::Other => match (runs.get(at), runs.get(at + 1)) {
                // A number stays with the word before it, unless letters in lower case come after it: then it
                // begins the next word. At the very end it always stays.
                (Some((Kind::Number, number)), Some((Kind::Letters, _))) => {
                    out.push(connector);
                    put(&mut out, Kind::Number, number, connector);
                    at = attached(&runs, at + 1, connector, &mut out);
                    separate(&runs, at, connector, &mut out);
                }
                (Some((Kind::Number, number)), Some(_)) => {
                    put(&mut out, Kind::Number, number, connector);
                    at += 1;
                    separate(&runs, at, connector, &mut out);
                }
                (Some((Kind::Number, _)), None) => {}
                _ => separate(&runs, at, connector, &mut out),
            },
        }
    }
    out
}

/// Puts the numbers and lower-case letters that follow a number behind it.
fn attached(runs: &[(Kind, &[char])], mut at: usize, connector: char, out: &mut String) -> usize {
    while let Some((kind @ (Kind::Letters | Kind::Number), text)) = runs.get(at) {
        put(out, *kind, text, connector);
        at += 1;
    }
    at
}

/// A connector, unless the text ends here or what follows separates by itself.
fn separate(runs: &[(Kind, &[char])], at: usize, connector: char, out: &mut String) {
    if runs.get(at).is_some_and(|(kind, _)| !matches!(kind, Kind::Connector | Kind::Punctuation)) {
        out.push(connector);
    }
}

fn put(out: &mut String, kind: Kind, text: &[char], connector: char) {
    out.extend(text.iter().map(|c| match kind {
        Kind::Connector => connector,
        Kind::Capital if runes::UPPER.has(*c) => runes::lower(*c),
        _ => *c,
    }));
}

/// Words that each start with an upper-case letter, nothing between them.
pub(super) fn pascal(from: &[u8]) -> String {
    let characters = runes::all(from);
    let mut rest = characters.iter().copied();
    let mut out = String::new();
    // Leading connectors stay.
    let Some(mut before) = rest.by_ref().find(|c| {
        let connects = connects(*c);
        if connects {
            out.push(*c);
        }
        !connects
    }) else {
        // Where there is nothing else, the reference repeats the last one.
        out.extend(characters.last());
        return out;
    };
    let mut shouting = runes::UPPER.has(before);
    if rest.len() > 0 {
        before = runes::upper(before);
    } else {
        out.push(runes::upper(before));
        return out;
    }
    for mut c in rest {
        if connects(before) && connects(c) {
            out.push(before);
            before = c;
            continue;
        }
        if connects(before) {
            shouting = runes::UPPER.has(c);
            c = runes::upper(c);
        } else {
            if shouting {
                if runes::UPPER.has(c) {
                    c = runes::lower(c);
                } else {
                    shouting = false;
                }
            }
            out.push(before);
        }
        before = c;
    }
    out.push(before);
    out
}

fn connects(c: char) -> bool {
    c == '-' || c == '_' || c.is_whitespace()
}

/// Letters that have words; Chinese characters do not.
fn is_letter(c: char) -> bool {
    let chinese = matches!(c, '\u{4e00}'..='\u{9fcc}' | '\u{3400}'..='\u{4d85}' | '\u{20000}'..='\u{2b81d}');
    !chinese && runes::LETTER.has(c)
}

fn runs(characters: &[char]) -> Vec<(Kind, &[char])> {
    let mut rest = characters;
    let mut runs = Vec::new();
    while let Some(first) = rest.first() {
        let (kind, length) = run(*first, rest);
        let (text, after) = rest.split_at(length);
        runs.push((kind, text));
        rest = after;
    }
    runs
}

/// The kind and length of the run at the beginning.
fn run(first: char, text: &[char]) -> (Kind, usize) {
    let lower = |c: char| is_letter(c) && !runes::UPPER.has(c);
    let length = |fits: &dyn Fn(char) -> bool| 1 + text[1..].iter().take_while(|c| fits(**c)).count();
    if connects(first) {
        (Kind::Connector, length(&connects))
    } else if runes::PUNCTUATION.has(first) {
        (Kind::Punctuation, length(&|c| runes::PUNCTUATION.has(c)))
    } else if runes::UPPER.has(first) {
        let capitals = length(&|c| runes::UPPER.has(c));
        let ends_in_word = text.get(capitals).is_some_and(|c| is_letter(*c));
        match (capitals, ends_in_word) {
            (1, _) => (Kind::Capital, length(&lower)),
            // The last capital belongs to the word that follows.
            (capitals, true) => (Kind::Capital, capitals - 1),
            (capitals, false) => (Kind::Capital, capitals),
        }
    } else if is_letter(first) {
        (Kind::Letters, length(&lower))
    } else if runes::NUMBER.has(first) {
        (Kind::Number, length(&|c| runes::NUMBER.has(c)))
    } else {
        let other = |c: char| !(connects(c) || is_letter(c) || runes::NUMBER.has(c) || runes::PUNCTUATION.has(c));
        (Kind::Other, length(&other))
    }
}
