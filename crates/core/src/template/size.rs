//! How much a template can be expected to write, so that its buffer is made large enough at once.

use super::ast::Node;

/// What an action is taken to print: an identifier or a name.
const ACTION: usize = 32;

/// The expected length in bytes.
pub(super) fn expected(nodes: &[Node]) -> usize {
    nodes
        .iter()
        .map(|node| match node {
            Node::Text(text) => text.len(),
            Node::Output(_) | Node::Template { .. } => ACTION,
            Node::If { then, otherwise, .. } | Node::With { then, otherwise, .. } => {
                expected(then).max(expected(otherwise))
            }
            // Two rounds; more are for the buffer to grow with.
            Node::Range { body, otherwise, .. } => (2 * expected(body)).max(expected(otherwise)),
            Node::Assign(_) | Node::Break | Node::Continue => 0,
        })
        .sum()
}
