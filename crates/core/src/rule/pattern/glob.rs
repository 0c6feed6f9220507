//! Globs as gobwas/glob reads them, with `.` and `/` as separators (serving spec 5.7).

use super::PatternError;
use super::delimiter::Part;
use super::matcher::{self, Matcher};

/// Compiles the parts: literal text is quoted, the rest is one glob.
pub(super) fn compile(parts: &[Part]) -> Result<Matcher, PatternError> {
    if let [Part::Literal(_), Part::Variable(glob), rest @ ..] = parts {
        // The most common shape, and the one whose overlap existing rules rely on.
        match (glob.as_str(), rest) {
            ("**", []) => return Ok(Matcher::Around { suffix: String::new() }),
            ("**", [Part::Literal(suffix)]) => return Ok(Matcher::Around { suffix: suffix.clone() }),
            _ => {}
        }
    }
    let mut translated = String::from(r"(?s)\A");
    for part in parts {
        match part {
            Part::Literal(text) => translated.push_str(&regex::escape(text)),
            Part::Variable(text) => Translator { chars: text.chars().peekable(), depth: 0 }.run(&mut translated)?,
        }
    }
    translated.push_str(r"\z");
    matcher::linear(&translated, Vec::new())
}

struct Translator<'t> {
    chars: std::iter::Peekable<std::str::Chars<'t>>,
    depth: usize,
}

impl Translator<'_> {
    fn run(mut self, out: &mut String) -> Result<(), PatternError> {
        while let Some(c) = self.chars.next() {
            match c {
                '*' => self.stars(out),
                '?' => out.push_str("[^./]"),
                '[' => self.class(out)?,
                '{' => {
                    self.depth += 1;
                    out.push_str("(?:");
                }
                ',' if self.depth > 0 => out.push('|'),
                '}' if self.depth > 0 => {
                    self.depth -= 1;
                    out.push(')');
                }
                '\\' => push_literal(out, self.chars.next().unwrap_or('\\')),
                other => push_literal(out, other),
            }
        }
        // The reference accepts a brace that is never closed.
        out.extend(std::iter::repeat_n(')', self.depth));
        Ok(())
    }

    /// `*` stays within a segment, two or more cross separators.
    fn stars(&mut self, out: &mut String) {
        let mut count = 1;
        while self.chars.next_if_eq(&'*').is_some() {
            count += 1;
        }
        out.push_str(if count == 1 { "[^./]*" } else { ".*" });
    }

    /// `[abc]`, `[a-c]`, and both negated with `!`. One range, or single characters, never both.
    fn class(&mut self, out: &mut String) -> Result<(), PatternError> {
        let negated = self.chars.next_if_eq(&'!').is_some();
        let mut members = Vec::new();
        loop {
            match self.chars.next() {
                None => return Err(PatternError("a `[` is not closed".to_owned())),
                Some(']') => break,
                Some('\\') => members.extend(self.chars.next()),
                Some(c) => members.push(c),
            }
        }
        out.push_str(if negated { "[^" } else { "[" });
        match members[..] {
            [] => return Err(PatternError("a `[]` is empty".to_owned())),
            [low, '-', high] if low <= high => {
                push_member(out, low);
                out.push('-');
                push_member(out, high);
            }
            [low, '-', high] => return Err(PatternError(format!("the range `{low}-{high}` is upside down"))),
            [_, '-', _, ..] => {
                return Err(PatternError("a `[...]` holds one range or single characters, not both".to_owned()));
            }
            _ => members.iter().for_each(|member| push_member(out, *member)),
        }
        out.push(']');
        Ok(())
    }
}

fn push_literal(out: &mut String, c: char) {
    out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
}

fn push_member(out: &mut String, c: char) {
    if c.is_ascii_punctuation() {
        out.push('\\');
    }
    out.push(c);
}
