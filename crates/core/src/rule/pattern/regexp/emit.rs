//! Writes a tree in the syntax of the linear engine.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::super::char_set::CharSet;
use super::ast::{Assertion, Node};

/// A pattern for the engine.
#[derive(Debug, Default)]
pub(super) struct Emitted {
    pub(super) text: String,
    /// The engine's groups for each number of the pattern, in the order in which they begin.
    pub(super) groups: BTreeMap<u32, Vec<usize>>,
    count: usize,
}

/// Writes a tree that suits an automaton.
pub(super) fn emit(node: &Node) -> Emitted {
    let mut emitted = Emitted::default();
    emitted.write(node);
    emitted
}

impl Emitted {
    fn write(&mut self, node: &Node) {
        match node {
            Node::Empty => self.text.push_str("(?:)"),
            Node::Set(set) => set.write(&mut self.text),
            // Anchors are absolute: a subject holds no line feed that `$` could stop at.
            Node::Assert(assertion) => self.text.push_str(match assertion {
                Assertion::Start => r"\A",
                Assertion::End => r"\z",
                Assertion::LineStart => "(?m:^)",
                Assertion::LineEnd => "(?m:$)",
                Assertion::WordBoundary => r"\b",
                Assertion::NotWordBoundary => r"\B",
            }),
            Node::Concat(nodes) => nodes.iter().for_each(|node| self.write(node)),
            Node::Alternate(nodes) => {
                self.text.push_str("(?:");
                for (index, node) in nodes.iter().enumerate() {
                    if index > 0 {
                        self.text.push('|');
                    }
                    self.write(node);
                }
                self.text.push(')');
            }
            Node::Repeat { node, min, max, lazy } => {
                self.enclose("(?:", node);
                self.write_bounds(*min, *max, *lazy);
            }
            Node::Capture { slot, node } => {
                self.count += 1;
                self.groups.entry(*slot).or_default().push(self.count);
                self.enclose("(", node);
            }
            // These suit no automaton.
            Node::Look { .. } | Node::Atomic(_) | Node::Reference { .. } | Node::Conditional { .. } => {
                CharSet::NONE.write(&mut self.text);
            }
        }
    }

    fn enclose(&mut self, open: &str, node: &Node) {
        self.text.push_str(open);
        self.write(node);
        self.text.push(')');
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
