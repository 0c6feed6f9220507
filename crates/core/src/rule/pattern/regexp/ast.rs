//! What a regular expression says, free of its spelling.

use super::super::char_set::CharSet;

/// A regular expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Node {
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
pub(in super::super) enum Assertion {
    Start,
    End,
    LineStart,
    LineEnd,
    WordBoundary,
    NotWordBoundary,
}

/// What a conditional asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Condition {
    /// Whether a group has captured.
    Captured(u32),
    /// Whether this matches here.
    Ahead(Box<Node>),
}

impl Node {
    /// Several nodes after each other.
    pub(in super::super) fn concat(mut nodes: Vec<Self>) -> Self {
        match nodes.len() {
            0 => Self::Empty,
            1 => nodes.remove(0),
            _ => Self::Concat(nodes),
        }
    }

    /// One of several nodes.
    pub(in super::super) fn alternate(mut nodes: Vec<Self>) -> Self {
        if nodes.len() == 1 { nodes.remove(0) } else { Self::Alternate(nodes) }
    }

    /// A repeated node. Places are not repeated, which the engines would refuse: once is as good.
    pub(in super::super) fn repeat(self, min: u32, max: Option<u32>, lazy: bool) -> Self {
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

    /// Whether an automaton finds the same match and groups.
    pub(in super::super) fn suits_automaton(&self) -> bool {
        match self {
            Self::Empty | Self::Set(_) | Self::Assert(_) => true,
            Self::Concat(nodes) | Self::Alternate(nodes) => nodes.iter().all(Self::suits_automaton),
            // Automata do not run such a loop in vain, which can empty its groups.
            Self::Repeat { node, .. } => node.suits_automaton() && !(node.has_capture() && node.can_be_empty()),
            Self::Capture { node, .. } => node.suits_automaton(),
            Self::Look { .. } | Self::Atomic(_) | Self::Reference { .. } | Self::Conditional { .. } => false,
        }
    }

    /// How many characters it names, repetitions written out.
    pub(in super::super) fn weight(&self) -> usize {
        match self {
            Self::Empty | Self::Assert(_) | Self::Set(_) | Self::Reference { .. } => 1,
            Self::Concat(nodes) | Self::Alternate(nodes) => {
                nodes.iter().fold(0, |sum: usize, node| sum.saturating_add(node.weight()))
            }
            Self::Repeat { node, min, max, .. } => {
                node.weight().saturating_mul(max.unwrap_or(min.saturating_add(1)) as usize)
            }
            Self::Capture { node, .. } | Self::Look { node, .. } | Self::Atomic(node) => node.weight(),
            Self::Conditional { yes, no, .. } => yes.weight().saturating_add(no.weight()),
        }
    }

    /// Whether this can match the empty text, for all that is seen from here.
    fn can_be_empty(&self) -> bool {
        match self {
            Self::Empty | Self::Assert(_) | Self::Look { .. } | Self::Reference { .. } => true,
            Self::Set(_) => false,
            Self::Concat(nodes) => nodes.iter().all(Self::can_be_empty),
            Self::Alternate(nodes) => nodes.iter().any(Self::can_be_empty),
            Self::Repeat { node, min, .. } => *min == 0 || node.can_be_empty(),
            Self::Capture { node, .. } | Self::Atomic(node) => node.can_be_empty(),
            Self::Conditional { yes, no, .. } => yes.can_be_empty() || no.can_be_empty(),
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
