//! Writes a tree in the syntax of the engines, which share the little that is used of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::PatternError;
use super::ast::{Assertion, Condition, Node};
use super::char_set::CharSet;

/// A pattern for an engine.
#[derive(Debug, Default)]
pub(super) struct Emitted {
    pub(super) text: String,
    /// Whether it is beyond what an automaton can do.
    pub(super) backtracks: bool,
    /// The engine's groups for each number of the pattern, in the order in which they end.
    pub(super) groups: BTreeMap<u32, Vec<usize>>,
    count: usize,
}

/// Writes a tree. What neither engine can do is an error.
pub(super) fn emit(node: &Node) -> Result<Emitted, PatternError> {
    let mut emitted = Emitted::default();
    emitted.number(node);
    emitted.write(node)?;
    Ok(emitted)
}

impl Emitted {
    /// Numbers the groups in the order in which they will be written.
    fn number(&mut self, node: &Node) {
        match node {
            Node::Empty | Node::Set(_) | Node::Assert(_) | Node::Reference { .. } => {}
            Node::Concat(nodes) | Node::Alternate(nodes) => nodes.iter().for_each(|node| self.number(node)),
            Node::Repeat { node, .. } | Node::Look { node, .. } | Node::Atomic(node) => self.number(node),
            Node::Capture { slot, node } => {
                self.count += 1;
                let group = self.count;
                self.number(node);
                self.groups.entry(*slot).or_default().push(group);
            }
            Node::Conditional { condition, yes, no } => {
                if let Condition::Ahead(node) = condition {
                    self.number(node);
                }
                self.number(yes);
                self.number(no);
            }
        }
    }

    fn write(&mut self, node: &Node) -> Result<(), PatternError> {
        match node {
            Node::Empty => self.text.push_str("(?:)"),
            Node::Set(set) => self.write_set(*set),
            // Anchors are absolute: a subject holds no line feed that `$` could stop at.
            Node::Assert(assertion) => self.text.push_str(match assertion {
                Assertion::Start => r"\A",
                Assertion::End => r"\z",
                Assertion::LineStart => "(?m:^)",
                Assertion::LineEnd => "(?m:$)",
                Assertion::WordBoundary => r"\b",
                Assertion::NotWordBoundary => r"\B",
            }),
            Node::Concat(nodes) => return nodes.iter().try_for_each(|node| self.write(node)),
            Node::Alternate(nodes) => {
                self.text.push_str("(?:");
                for (index, node) in nodes.iter().enumerate() {
                    if index > 0 {
                        self.text.push('|');
                    }
                    self.write(node)?;
                }
                self.text.push(')');
            }
            Node::Repeat { node, min, max, lazy } => {
                self.enclose("(?:", node)?;
                self.write_bounds(*min, *max, *lazy);
            }
            Node::Capture { node, .. } => return self.enclose("(", node),
            Node::Look { node, behind, negated } => {
                self.backtracks = true;
                return self.enclose(
                    match (behind, negated) {
                        (false, false) => "(?=",
                        (false, true) => "(?!",
                        (true, false) => "(?<=",
                        (true, true) => "(?<!",
                    },
                    node,
                );
            }
            Node::Atomic(node) => {
                self.backtracks = true;
                return self.enclose("(?>", node);
            }
            Node::Reference { slot, ignore_case } => match self.group_of(*slot)? {
                None => self.write_set(CharSet::NONE),
                Some(group) => {
                    self.backtracks = true;
                    let flag = if *ignore_case { "i" } else { "" };
                    let _ = write!(self.text, r"(?{flag}:\{group})");
                }
            },
            Node::Conditional { condition, yes, no } => return self.write_conditional(condition, yes, no),
        }
        Ok(())
    }

    fn enclose(&mut self, open: &str, node: &Node) -> Result<(), PatternError> {
        self.text.push_str(open);
        self.write(node)?;
        self.text.push(')');
        Ok(())
    }

    fn write_conditional(&mut self, condition: &Condition, yes: &Node, no: &Node) -> Result<(), PatternError> {
        self.backtracks = true;
        match condition {
            Condition::Captured(slot) => match self.group_of(*slot)? {
                None => return Err(PatternError(format!("a condition asks for group {slot}, which never captures"))),
                Some(group) => {
                    let _ = write!(self.text, "(?({group})");
                }
            },
            Condition::Ahead(node) => {
                self.text.push_str("(?");
                self.enclose("(?=", node)?;
            }
        }
        self.enclose("(?:", yes)?;
        self.text.push('|');
        self.enclose("(?:", no)?;
        self.text.push(')');
        Ok(())
    }

    /// The engine's number for a group; `None` when the group can never have captured.
    fn group_of(&self, slot: u32) -> Result<Option<usize>, PatternError> {
        match self.groups.get(&slot).map(Vec::as_slice) {
            None | Some([]) => Ok(None),
            Some([group]) => Ok(Some(*group)),
            Some(_) => Err(PatternError(format!("a reference to group {slot}, of which there are several"))),
        }
    }

    fn write_set(&mut self, set: CharSet) {
        let ranges = set.ranges();
        match ranges[..] {
            [(low, high)] if low == high => self.write_char(low),
            // A class without members, which matches nothing.
            [] => self.text.push_str(r"[^\x00-\x{10FFFF}]"),
            _ => {
                self.text.push('[');
                for (low, high) in ranges {
                    self.write_char(low);
                    if low < high {
                        self.text.push('-');
                        self.write_char(high);
                    }
                }
                self.text.push(']');
            }
        }
    }

    /// Hexadecimal where either engine could see syntax.
    fn write_char(&mut self, c: char) {
        if c.is_ascii_alphanumeric() {
            self.text.push(c);
        } else {
            let _ = write!(self.text, r"\x{:02X}", u32::from(c));
        }
    }

    fn write_bounds(&mut self, min: u32, max: Option<u32>, lazy: bool) {
        match (min, max) {
            (0, None) => self.text.push('*'),
            (1, None) => self.text.push('+'),
            (0, Some(1)) => self.text.push('?'),
            (min, None) => {
                let _ = write!(self.text, "{{{min},}}");
            }
            (min, Some(max)) => {
                let _ = write!(self.text, "{{{min},{max}}}");
            }
        }
        if lazy {
            self.text.push('?');
        }
    }
}
