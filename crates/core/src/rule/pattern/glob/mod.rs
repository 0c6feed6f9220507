//! Globs as gobwas/glob reads them, with `.` and `/` as separators (serving spec 5.7).

use std::collections::BTreeSet;

use super::PatternError;
use super::char_set::CharSet;
use super::delimiter::Part;
use super::matcher::Matcher;
use super::regexp;
use super::regexp::ast::{Assertion, Node};

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
    let text: String = parts.iter().map(written).collect();
    let glob = Reader { chars: text.chars().peekable(), outer: Vec::new(), brace: Brace::default() }.read()?;
    let whole = Node::Concat(vec![Node::Assert(Assertion::Start), glob, Node::Assert(Assertion::End)]);
    regexp::matcher_of(&whole, &BTreeSet::new())
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

struct Reader<'t> {
    chars: std::iter::Peekable<std::str::Chars<'t>>,
    /// Braces around the present one; the outermost is the glob itself.
    outer: Vec<Brace>,
    brace: Brace,
}

/// What is read of a brace that is not closed yet.
#[derive(Default)]
struct Brace {
    alternatives: Vec<Node>,
    /// The present alternative.
    nodes: Vec<Node>,
    /// Whether anything but commas stands in it.
    says_something: bool,
}

impl Brace {
    fn end_alternative(&mut self) {
        self.alternatives.push(Node::concat(std::mem::take(&mut self.nodes)));
    }
}

/// Braces may nest this deep; trees are walked recursively.
const MAX_NESTING: usize = 120;

impl Reader<'_> {
    fn read(mut self) -> Result<Node, PatternError> {
        while let Some(c) = self.chars.next() {
            let is_inside = !self.outer.is_empty();
            match c {
                '{' => self.open()?,
                ',' if is_inside => self.brace.end_alternative(),
                '}' if is_inside => self.close()?,
                '*' => self.stars(),
                '?' => self.push(Node::Set(in_segment())),
                '[' => {
                    let members = self.class()?;
                    self.push(Node::Set(members));
                }
                '\\' => {
                    // The reference drops one that nothing follows.
                    if let Some(escaped) = self.chars.next() {
                        self.push(Node::Set(CharSet::of(escaped)));
                    }
                }
                other => self.push(Node::Set(CharSet::of(other))),
            }
        }
        // The reference accepts a brace that is never closed.
        while !self.outer.is_empty() {
            self.close()?;
        }
        Ok(Node::concat(self.brace.nodes))
    }

    fn push(&mut self, node: Node) {
        self.brace.nodes.push(node);
        self.brace.says_something = true;
    }

    fn open(&mut self) -> Result<(), PatternError> {
        self.outer.push(std::mem::take(&mut self.brace));
        if self.outer.len() > MAX_NESTING {
            return Err(PatternError(format!("braces nest deeper than {MAX_NESTING}")));
        }
        Ok(())
    }

    /// Closes a brace. To the reference, one that holds nothing matches nothing or is a crash.
    fn close(&mut self) -> Result<(), PatternError> {
        self.brace.end_alternative();
        let inner = std::mem::replace(&mut self.brace, self.outer.pop().unwrap_or_default());
        if !inner.says_something {
            return Err(PatternError("a `{` holds no alternative".to_owned()));
        }
        self.push(Node::alternate(inner.alternatives));
        Ok(())
    }

    /// `*` stays within a segment, two or more cross separators. Of an odd number from three on, the last
    /// one wants a character.
    fn stars(&mut self) {
        let mut count = 1;
        while self.chars.next_if_eq(&'*').is_some() {
            count += 1;
        }
        let members = if count == 1 { in_segment() } else { CharSet::ALL };
        let min = u32::from(count > 1 && count % 2 == 1);
        self.push(Node::Set(members).repeat(min, None, false));
    }

    /// `[abc]`, `[a-c]`, and both negated with `!`. One range, or single characters, never both. What a
    /// `-` follows begins a range, whatever it is; elsewhere a backslash escapes.
    fn class(&mut self) -> Result<CharSet, PatternError> {
        let unclosed = || PatternError("a `[` is not closed".to_owned());
        let negated = self.chars.next_if_eq(&'!').is_some();
        let first = self.chars.next().ok_or_else(unclosed)?;
        let mut members = CharSet::NONE;
        if self.chars.next_if_eq(&'-').is_some() {
            let high = self.chars.next().ok_or_else(unclosed)?;
            if first > high {
                return Err(PatternError(format!("the range `{first}-{high}` is upside down")));
            }
            if self.chars.next().ok_or_else(unclosed)? != ']' {
                return Err(PatternError("a `[...]` holds one range or single characters, not both".to_owned()));
            }
            members = CharSet::range(first, high);
        } else if first == ']' {
            return Err(PatternError("a `[]` is empty".to_owned()));
        } else {
            let mut next = Some(first);
            while let Some(c) = next.filter(|c| *c != ']') {
                let member = if c == '\\' { self.chars.next() } else { Some(c) };
                members = members.union(CharSet::of(member.ok_or_else(unclosed)?));
                next = self.chars.next();
            }
            next.ok_or_else(unclosed)?;
        }
        Ok(if negated { members.complement() } else { members })
    }
}

/// What `*` and `?` stand for: everything but separators.
fn in_segment() -> CharSet {
    CharSet::of('.').union(CharSet::of('/')).complement()
}

#[cfg(test)]
mod tests;
