//! Upper, lower and title case, and the shapes of identifiers.

use super::super::function::Function;
use super::super::function::Param::Text;
use super::super::runes;
use super::arguments::{bytes, text};
use super::words;

pub(super) const ALL: &[Function] = &[
    Function::pure("upper", &[Text], |args| match bytes(&args[0])? {
        plain if plain.is_ascii() => text(plain.to_ascii_uppercase()),
        other => text(mapped(other, runes::upper)),
    }),
    Function::pure("lower", &[Text], |args| match bytes(&args[0])? {
        plain if plain.is_ascii() => text(plain.to_ascii_lowercase()),
        other => text(mapped(other, runes::lower)),
    }),
    Function::pure("title", &[Text], |args| text(title(bytes(&args[0])?))),
    Function::pure("untitle", &[Text], |args| text(untitle(bytes(&args[0])?))),
    Function::pure("swapcase", &[Text], |args| text(swap(bytes(&args[0])?))),
    Function::pure("initials", &[Text], |args| text(initials(bytes(&args[0])?))),
    Function::pure("snakecase", &[Text], |args| text(words::joined(bytes(&args[0])?, '_'))),
    Function::pure("kebabcase", &[Text], |args| text(words::joined(bytes(&args[0])?, '-'))),
    Function::pure("camelcase", &[Text], |args| text(words::pascal(bytes(&args[0])?))),
];

fn mapped(from: &[u8], map: fn(char) -> char) -> String {
    runes::all(from).into_iter().map(map).collect()
}

/// The first letter after anything that separates words; an apostrophe does, a typographic one does not.
fn title(from: &[u8]) -> String {
    let mut before = ' ';
    let turn = |c| {
        let turned = if separates(before) { runes::title(c) } else { c };
        before = c;
        turned
    };
    runes::all(from).into_iter().map(turn).collect()
}

fn separates(c: char) -> bool {
    match c {
        '_' => false,
        c if c.is_ascii() => !c.is_ascii_alphanumeric(),
        c => c.is_whitespace() && !runes::LETTER.has(c) && !runes::DIGIT.has(c),
    }
}

/// The first character after white space, in lower case.
fn untitle(from: &[u8]) -> String {
    let mut starts = true;
    let turn = |c: char| {
        if c.is_whitespace() {
            starts = true;
            return c;
        }
        if std::mem::take(&mut starts) { runes::lower(c) } else { c }
    };
    runes::all(from).into_iter().map(turn).collect()
}

/// The other case; after white space title case instead of upper case.
fn swap(from: &[u8]) -> String {
    let mut starts = true;
    let turn = |c: char| {
        if runes::UPPER.has(c) || runes::TITLE.has(c) {
            starts = false;
            runes::lower(c)
        } else if runes::LOWER.has(c) {
            if std::mem::take(&mut starts) { runes::title(c) } else { runes::upper(c) }
        } else {
            starts = c.is_whitespace();
            c
        }
    };
    runes::all(from).into_iter().map(turn).collect()
}

/// The first byte of every word: the reference takes bytes for characters here.
fn initials(from: &[u8]) -> String {
    let mut gap = true;
    let first = |byte: &u8| {
        let c = char::from(*byte);
        if c.is_whitespace() {
            gap = true;
            return None;
        }
        std::mem::take(&mut gap).then_some(c)
    };
    from.iter().filter_map(first).collect()
}
