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
    let text: String = parts.iter().map(written).collect();
    Translator { chars: text.chars().peekable(), open: Vec::new() }.run(&mut translated)?;
    translated.push_str(r"\z");
    matcher::linear(&translated, Vec::new())
}

/// A part in the syntax of globs: a brace or a class may begin in one variable part and end in another.
fn written(part: &Part) -> String {
    match part {
        Part::Variable(text) => text.clone(),
        Part::Literal(text) => {
            text.chars().flat_map(|c| "\\*?[]{}".contains(c).then_some('\\').into_iter().chain([c])).collect()
        }
    }
}

struct Translator<'t> {
    chars: std::iter::Peekable<std::str::Chars<'t>>,
    /// The open braces, each with whether anything but commas stands in it.
    open: Vec<bool>,
}

impl Translator<'_> {
    fn run(mut self, out: &mut String) -> Result<(), PatternError> {
        while let Some(c) = self.chars.next() {
            let is_inside = !self.open.is_empty();
            match c {
                '{' => {
                    self.open.push(false);
                    out.push_str("(?:");
                    continue;
                }
                ',' if is_inside => {
                    out.push('|');
                    continue;
                }
                '}' if is_inside => self.close(out)?,
                '*' => self.stars(out),
                '?' => out.push_str("[^./]"),
                '[' => self.class(out)?,
                '\\' => match self.chars.next() {
                    Some(escaped) => push_literal(out, escaped),
                    // The reference drops one that nothing follows.
                    None => continue,
                },
                other => push_literal(out, other),
            }
            if let Some(says_something) = self.open.last_mut() {
                *says_something = true;
            }
        }
        // The reference accepts a brace that is never closed.
        while !self.open.is_empty() {
            self.close(out)?;
        }
        Ok(())
    }

    /// Closes a brace. To the reference, one that holds nothing matches nothing or is a crash.
    fn close(&mut self, out: &mut String) -> Result<(), PatternError> {
        out.push(')');
        match self.open.pop() {
            Some(false) => Err(PatternError("a `{` holds no alternative".to_owned())),
            _ => Ok(()),
        }
    }

    /// `*` stays within a segment, two or more cross separators. Of an odd number from three on, the last
    /// one wants a character.
    fn stars(&mut self, out: &mut String) {
        let mut count = 1;
        while self.chars.next_if_eq(&'*').is_some() {
            count += 1;
        }
        out.push_str(match count {
            1 => "[^./]*",
            count if count % 2 == 0 => ".*",
            _ => ".+",
        });
    }

    /// `[abc]`, `[a-c]`, and both negated with `!`. One range, or single characters, never both. What a
    /// `-` follows begins a range, whatever it is; elsewhere a backslash escapes.
    fn class(&mut self, out: &mut String) -> Result<(), PatternError> {
        let unclosed = || PatternError("a `[` is not closed".to_owned());
        let negated = self.chars.next_if_eq(&'!').is_some();
        let first = self.chars.next().ok_or_else(unclosed)?;
        out.push_str(if negated { "[^" } else { "[" });
        if self.chars.next_if_eq(&'-').is_some() {
            let high = self.chars.next().ok_or_else(unclosed)?;
            if first > high {
                return Err(PatternError(format!("the range `{first}-{high}` is upside down")));
            }
            if self.chars.next().ok_or_else(unclosed)? != ']' {
                return Err(PatternError("a `[...]` holds one range or single characters, not both".to_owned()));
            }
            push_member(out, first);
            out.push('-');
            push_member(out, high);
        } else if first == ']' {
            return Err(PatternError("a `[]` is empty".to_owned()));
        } else {
            let mut next = Some(first);
            while let Some(c) = next.filter(|c| *c != ']') {
                let member = if c == '\\' { self.chars.next() } else { Some(c) };
                push_member(out, member.ok_or_else(unclosed)?);
                next = self.chars.next();
            }
            next.ok_or_else(unclosed)?;
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

#[cfg(test)]
mod tests;
