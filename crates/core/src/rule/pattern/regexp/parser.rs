//! Reads the reference's .NET-style syntax (serving spec 5.6): alternatives, sequences, quantifiers.

use std::collections::{BTreeMap, BTreeSet};

use super::super::char_set::{CharSet, lower_case};
use super::PatternError;
use super::ast::{Assertion, Node};
use super::cursor::Cursor;

/// Groups may nest this deep; the engines walk patterns recursively.
const MAX_NESTING: u32 = 120;

/// A parsed pattern.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) node: Node,
    /// The numbers of its groups.
    pub(super) slots: BTreeSet<u32>,
}

/// The groups of a pattern, known after a first reading.
#[derive(Default)]
pub(super) struct Groups {
    pub(super) slots: BTreeSet<u32>,
    pub(super) names: BTreeMap<String, u32>,
    /// In order of appearance.
    found: Vec<String>,
}

/// Options that a pattern can set inline.
#[derive(Clone, Copy, Default)]
pub(super) struct Flags {
    pub(super) ignore_case: bool,
    pub(super) multi_line: bool,
    pub(super) explicit_capture: bool,
    pub(super) single_line: bool,
    pub(super) extended: bool,
}

/// One reading of a pattern. The first finds the groups, because a number after a backslash is a
/// reference or a character depending on them; the second makes the tree.
pub(super) struct Parser {
    pub(super) cursor: Cursor,
    pub(super) flags: Flags,
    pub(super) groups: Groups,
    /// Whether `groups` is complete.
    pub(super) resolves: bool,
    next_slot: u32,
    depth: u32,
}

/// Parses a pattern.
pub(super) fn parse(text: &str) -> Result<Parsed, PatternError> {
    let mut survey = Parser::new(text, Groups::default(), false);
    survey.run()?;
    let groups = survey.groups.numbered(survey.next_slot);
    let mut parser = Parser::new(text, groups, true);
    let node = parser.run()?;
    Ok(Parsed { node, slots: parser.groups.slots })
}

impl Groups {
    /// Names come after the numbers, in order of appearance.
    fn numbered(mut self, mut next: u32) -> Self {
        for name in std::mem::take(&mut self.found) {
            while self.slots.contains(&next) {
                next += 1;
            }
            self.slots.insert(next);
            self.names.insert(name, next);
        }
        self
    }

    pub(super) fn note_name(&mut self, name: &str) {
        if !self.found.iter().any(|found| found == name) {
            self.found.push(name.to_owned());
        }
    }
}

impl Parser {
    fn new(text: &str, groups: Groups, resolves: bool) -> Self {
        Self { cursor: Cursor::new(text), flags: Flags::default(), groups, resolves, next_slot: 1, depth: 0 }
    }

    fn run(&mut self) -> Result<Node, PatternError> {
        let node = Node::alternate(self.alternatives(false)?);
        match self.cursor.next() {
            None => Ok(node),
            Some(_) => Err(PatternError("a `)` has no `(`".to_owned())),
        }
    }

    /// The number of the next group without a name.
    pub(super) fn take_slot(&mut self) -> u32 {
        let slot = self.next_slot;
        self.next_slot += 1;
        self.groups.slots.insert(slot);
        slot
    }

    /// Everything up to the closing parenthesis, which it leaves.
    pub(super) fn alternatives(&mut self, in_conditional: bool) -> Result<Vec<Node>, PatternError> {
        let mut alternatives = vec![self.sequence(in_conditional)?];
        while self.cursor.eat("|") {
            alternatives.push(self.sequence(in_conditional)?);
        }
        Ok(alternatives)
    }

    /// One level deeper.
    pub(super) fn nested<T>(
        &mut self,
        inside: impl FnOnce(&mut Self) -> Result<T, PatternError>,
    ) -> Result<T, PatternError> {
        self.depth += 1;
        if self.depth > MAX_NESTING {
            return Err(PatternError(format!("groups nest deeper than {MAX_NESTING}")));
        }
        let result = inside(self);
        self.depth -= 1;
        result
    }

    fn sequence(&mut self, in_conditional: bool) -> Result<Node, PatternError> {
        let mut nodes = Vec::new();
        loop {
            self.skip_blank()?;
            let Some(c) = self.cursor.peek() else { break };
            if matches!(c, '|' | ')') {
                break;
            }
            if self.at_quantifier() {
                return Err(PatternError(format!("the `{c}` repeats nothing that can be repeated")));
            }
            self.cursor.next();
            if let Some(node) = self.atom(c, in_conditional)? {
                nodes.push(self.quantified(node)?);
            }
        }
        Ok(Node::concat(nodes))
    }

    /// What `c` begins; inline flags are nothing.
    fn atom(&mut self, c: char, in_conditional: bool) -> Result<Option<Node>, PatternError> {
        Ok(Some(match c {
            '(' => return self.group(in_conditional, false),
            '[' => {
                let ignore_case = self.flags.ignore_case;
                let set = self.class(ignore_case)?;
                self.set(set)
            }
            '\\' => self.escape()?,
            '^' if self.flags.multi_line => Node::Assert(Assertion::LineStart),
            '^' => Node::Assert(Assertion::Start),
            '$' if self.flags.multi_line => Node::Assert(Assertion::LineEnd),
            '$' => Node::Assert(Assertion::End),
            '.' if self.flags.single_line => Node::Set(CharSet::ALL),
            '.' => Node::Set(CharSet::of('\n').complement()),
            c => self.character(c),
        }))
    }

    /// One character of the pattern's own text.
    pub(super) fn character(&self, c: char) -> Node {
        self.set(CharSet::of(if self.flags.ignore_case { lower_case(c) } else { c }))
    }

    /// A set under the flags. The reference lowers the subject's characters and then looks them up.
    pub(super) fn set(&self, set: CharSet) -> Node {
        Node::Set(if self.flags.ignore_case { set.ignoring_case() } else { set })
    }

    fn quantified(&mut self, node: Node) -> Result<Node, PatternError> {
        self.skip_blank()?;
        if !self.at_quantifier() {
            return Ok(node);
        }
        let (min, max) = match self.cursor.next() {
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('?') => (0, Some(1)),
            _ => self.bounds()?,
        };
        self.skip_blank()?;
        let lazy = self.cursor.eat("?");
        if max.is_some_and(|max| max < min) {
            return Err(PatternError("a repetition's bounds are upside down".to_owned()));
        }
        Ok(node.repeat(min, max, lazy))
    }

    /// `n}`, `n,}` or `n,m}`
    fn bounds(&mut self) -> Result<(u32, Option<u32>), PatternError> {
        let min = self.cursor.decimal()?;
        let max = match self.cursor.next() {
            Some(',') if self.cursor.eat("}") => return Ok((min, None)),
            Some(',') => {
                let max = self.cursor.decimal()?;
                self.cursor.next();
                max
            }
            _ => min,
        };
        Ok((min, Some(max)))
    }

    /// Whether a quantifier comes next. Braces that hold no bounds are ordinary text.
    fn at_quantifier(&self) -> bool {
        match self.cursor.peek() {
            Some('*' | '+' | '?') => true,
            Some('{') => {
                let digits = |from: usize| {
                    (from..).take_while(|at| self.cursor.peek_at(*at).is_some_and(|c| c.is_ascii_digit())).count()
                };
                let low = digits(1);
                match self.cursor.peek_at(1 + low) {
                    Some('}') => low > 0,
                    Some(',') => low > 0 && self.cursor.peek_at(2 + low + digits(2 + low)) == Some('}'),
                    _ => false,
                }
            }
            _ => false,
        }
    }

    /// Comments, and what the `x` flag ignores.
    fn skip_blank(&mut self) -> Result<(), PatternError> {
        loop {
            if self.flags.extended {
                self.cursor.take_while(|c| matches!(c, '\t'..='\r' | ' '));
                if self.cursor.eat("#") {
                    self.cursor.take_while(|c| c != '\n');
                    continue;
                }
            }
            if !self.cursor.eat("(?#") {
                return Ok(());
            }
            self.cursor.take_while(|c| c != ')');
            if self.cursor.next().is_none() {
                return Err(PatternError("a comment is not closed".to_owned()));
            }
        }
    }
}
