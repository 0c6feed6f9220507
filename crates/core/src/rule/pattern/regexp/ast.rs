//! What a regular expression says, free of its spelling.

use super::char_set::CharSet;

/// A regular expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    /// Matches the empty text.
    Empty,
    /// One character.
    Set(CharSet),
    Assert(Assertion),
    Concat(Vec<Node>),
    /// The first alternative that leads to a match.
    Alternate(Vec<Node>),
    Repeat {
        node: Box<Node>,
        min: u32,
        max: Option<u32>,
        lazy: bool,
    },
    /// `slot` is the number of the group; several nodes may share one.
    Capture {
        slot: u32,
        node: Box<Node>,
    },
    Look {
        node: Box<Node>,
        behind: bool,
        negated: bool,
    },
    /// Matches in one way only.
    Atomic(Box<Node>),
    /// What a group captured, once more.
    Reference {
        slot: u32,
        ignore_case: bool,
    },
    Conditional {
        condition: Condition,
        yes: Box<Node>,
        no: Box<Node>,
    },
}

/// A place in the subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Assertion {
    Start,
    End,
    LineStart,
    LineEnd,
    WordBoundary,
    NotWordBoundary,
}

/// What a conditional asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// Whether a group has captured.
    Captured(u32),
    /// Whether this matches here.
    Ahead(Box<Node>),
}

impl Node {
    /// Several nodes after each other.
    pub(super) fn concat(mut nodes: Vec<Self>) -> Self {
        match nodes.len() {
            0 => Self::Empty,
            1 => nodes.remove(0),
            _ => Self::Concat(nodes),
        }
    }

    /// One of several nodes.
    pub(super) fn alternate(mut nodes: Vec<Self>) -> Self {
        if nodes.len() == 1 { nodes.remove(0) } else { Self::Alternate(nodes) }
    }

    /// A repeated node. Places are not repeated, which the engines would refuse: once is as good.
    pub(super) fn repeat(self, min: u32, max: Option<u32>, lazy: bool) -> Self {
        match (min, max) {
            (0, Some(0)) => Self::Empty,
            (1, Some(1)) => self,
            _ if self.is_place() => {
                if min == 0 {
                    Self::Empty
                } else {
                    self
                }
            }
            _ => Self::Repeat { node: Box::new(self), min, max, lazy },
        }
    }

    /// Whether this takes no text and captures nothing.
    fn is_place(&self) -> bool {
        match self {
            Self::Empty | Self::Assert(_) => true,
            Self::Look { node, negated, .. } => *negated || !node.has_capture(),
            Self::Concat(nodes) | Self::Alternate(nodes) => nodes.iter().all(Self::is_place),
            _ => false,
        }
    }

    fn has_capture(&self) -> bool {
        match self {
            Self::Capture { .. } => true,
            Self::Empty | Self::Set(_) | Self::Assert(_) | Self::Reference { .. } => false,
            Self::Concat(nodes) | Self::Alternate(nodes) => nodes.iter().any(Self::has_capture),
            Self::Repeat { node, .. } | Self::Look { node, .. } | Self::Atomic(node) => node.has_capture(),
            Self::Conditional { condition, yes, no } => {
                yes.has_capture()
                    || no.has_capture()
                    || matches!(condition, Condition::Ahead(node) if node.has_capture())
            }
        }
    }
}
