//! Splits a template into text and actions, and an action into tokens.

use super::error::TemplateError;
use super::literal;
use super::number::{self, Number};

/// Text, or the inside of `{{ }}` with its position.
pub(super) enum Piece<'t> {
    Text(&'t str),
    Action { inside: &'t str, offset: usize },
}

/// One token of an action.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Word(String),
    /// `.a.b` or a lone `.`: the names.
    Field(Vec<String>),
    /// Fields right after a word.
    Chain(Vec<String>),
    /// `$x`, with fields after it.
    Variable(String, Vec<String>),
    Text(Vec<u8>),
    Number(Number),
    Open,
    /// `)`, with fields after it.
    Close(Vec<String>),
    Pipe,
    Comma,
    Declare,
    Assign,
}

/// Splits at `{{` and `}}`, applying trim marks and dropping comments.
pub(super) fn pieces(text: &str) -> Result<Vec<Piece<'_>>, TemplateError> {
    let mut found = Vec::new();
    let mut rest = text;
    let mut trims = false;
    while let Some(start) = rest.find("{{") {
        let offset = text.len() - rest.len() + start;
        let inner = &rest[start + 2..];
        let (trims_before, inner) = match inner.strip_prefix('-') {
            Some(after) if after.starts_with([' ', '\t', '\r', '\n']) => (true, after),
            _ => (false, inner),
        };
        let before = trim_start_if(trims, &rest[..start]);
        let before = if trims_before { before.trim_end_matches(SPACES) } else { before };
        if !before.is_empty() {
            found.push(Piece::Text(before));
        }
        let (inside, after, trims_after) = action(text, offset, inner, trims_before)?;
        trims = trims_after;
        if let Some(inside) = inside {
            found.push(Piece::Action { inside, offset: offset + 2 });
        }
        rest = after;
    }
    let last = trim_start_if(trims, rest);
    if !last.is_empty() {
        found.push(Piece::Text(last));
    }
    Ok(found)
}

const SPACES: [char; 4] = [' ', '\t', '\r', '\n'];

fn trim_start_if(trims: bool, text: &str) -> &str {
    if trims { text.trim_start_matches(SPACES) } else { text }
}

/// The inside of an action (none for a comment), what follows it, and whether it trims what follows.
fn action<'t>(
    text: &str,
    offset: usize,
    inner: &'t str,
    trims_before: bool,
) -> Result<(Option<&'t str>, &'t str, bool), TemplateError> {
    let unclosed = || TemplateError::new(text, offset, "unclosed action");
    // A comment stands right after the delimiter, or after the one space that a trim mark demands.
    let start = if trims_before { &inner[1..] } else { inner };
    if let Some(comment) = start.strip_prefix("/*") {
        let end = comment.find("*/").ok_or_else(|| TemplateError::new(text, offset, "unclosed comment"))?;
        let after = &comment[end + 2..];
        if let Some(after) = after.strip_prefix("}}") {
            return Ok((None, after, false));
        }
        let trimming = after.strip_prefix(SPACES).and_then(|after| after.strip_prefix("-}}"));
        let after =
            trimming.ok_or_else(|| TemplateError::new(text, offset, "comment ends before closing delimiter"))?;
        return Ok((None, after, true));
    }
    let mut chars = inner.char_indices();
    let mut quote = None;
    while let Some((index, c)) = chars.next() {
        match (quote, c) {
            (Some('"' | '\''), '\\') => {
                chars.next();
            }
            (Some(open), c) if open == c => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'' | '`') => quote = Some(c),
            (None, '}') if inner[index..].starts_with("}}") => {
                let inside = &inner[..index];
                let trimmed = inside.strip_suffix('-').filter(|before| before.ends_with(SPACES));
                let trims = trimmed.is_some();
                return Ok((Some(trimmed.unwrap_or(inside)), &inner[index + 2..], trims));
            }
            (None, _) => {}
        }
    }
    Err(unclosed())
}

/// Splits the inside of an action.
pub(super) fn tokens(inside: &str) -> Result<Vec<Token>, String> {
    let mut found: Vec<Token> = Vec::new();
    let mut rest = inside.trim_start_matches(SPACES);
    let mut spaced = true;
    while let Some(c) = rest.chars().next() {
        let (token, after) = match c {
            '.' if !spaced && matches!(found.last(), Some(Token::Word(word)) if !is_keyword(word)) => {
                let (names, after) = fields(rest);
                (Token::Chain(names), after)
            }
            '(' => (Token::Open, &rest[1..]),
            ')' => {
                let (fields, after) = fields(&rest[1..]);
                (Token::Close(fields), after)
            }
            '|' => (Token::Pipe, &rest[1..]),
            ',' => (Token::Comma, &rest[1..]),
            '=' => (Token::Assign, &rest[1..]),
            ':' if rest.starts_with(":=") => (Token::Declare, &rest[2..]),
            '"' => quoted(rest)?,
            '`' => {
                let end = rest[1..].find('`').ok_or("unterminated raw quoted string")?;
                (Token::Text(literal::string(&rest[..end + 2])?), &rest[end + 2..])
            }
            '\'' => character(rest)?,
            '.' if !rest[1..].starts_with(|c: char| c.is_ascii_digit()) => {
                let (names, after) = fields(rest);
                if names.is_empty() { (Token::Field(names), &rest[1..]) } else { (Token::Field(names), after) }
            }
            '$' => {
                let (name, after) = word(&rest[1..]);
                let (names, after) = fields(after);
                (Token::Variable(name.to_owned(), names), after)
            }
            '0'..='9' | '-' | '+' | '.' => {
                let (value, after) = number::leading(rest)?;
                (Token::Number(value), after)
            }
            c if c.is_alphabetic() || c == '_' => {
                let (name, after) = word(rest);
                (Token::Word(name.to_owned()), after)
            }
            other => return Err(format!("unexpected {other:?} in action")),
        };
        if !spaced && found.last().is_some_and(|before| touches(before, &token)) {
            return Err("unexpected text right after an operand: a space is missing".to_owned());
        }
        found.push(token);
        rest = after.trim_start_matches(SPACES);
        spaced = rest.len() < after.len();
    }
    Ok(found)
}

/// Whether two tokens must not stand side by side without a space.
fn touches(before: &Token, after: &Token) -> bool {
    let is_operand = |token: &Token| {
        matches!(token, Token::Word(_) | Token::Field(_) | Token::Variable(..) | Token::Text(_) | Token::Number(_))
    };
    match (before, after) {
        // `if(` and `if.x`
        (Token::Word(word), Token::Open | Token::Field(_)) => !is_keyword(word),
        (Token::Close(_) | Token::Chain(_), after) => is_operand(after) || *after == Token::Open,
        (before, Token::Open) => is_operand(before),
        (before, after) => is_operand(before) && is_operand(after),
    }
}

fn is_keyword(word: &str) -> bool {
    matches!(word, "if" | "else" | "with" | "range" | "template" | "block" | "define" | "end" | "break" | "continue")
}

fn word(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len()))
}

/// `.a.b`: names and what follows.
fn fields(mut text: &str) -> (Vec<String>, &str) {
    let mut names = Vec::new();
    while let Some(after) = text.strip_prefix('.') {
        let (name, after) = word(after);
        if name.is_empty() {
            break;
        }
        names.push(name.to_owned());
        text = after;
    }
    (names, text)
}

/// The quoted token at the beginning, quotes included, and what follows.
fn in_quotes(text: &str, quote: u8) -> Option<(&str, &str)> {
    let bytes = text.as_bytes();
    let mut at = 1;
    loop {
        match bytes.get(at)? {
            b'\n' => return None,
            b'\\' => at += 2,
            byte if *byte == quote => return Some((text.get(..=at)?, text.get(at + 1..)?)),
            _ => at += 1,
        }
    }
}

fn quoted(text: &str) -> Result<(Token, &str), String> {
    let (token, after) = in_quotes(text, b'"').ok_or("unterminated quoted string")?;
    Ok((Token::Text(literal::string(token)?), after))
}

fn character(text: &str) -> Result<(Token, &str), String> {
    let (token, after) = in_quotes(text, b'\'').ok_or("malformed character constant")?;
    Ok((Token::Number(Number::Int(literal::character(token)?.into())), after))
}
