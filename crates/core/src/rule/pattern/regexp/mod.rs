//! Regular expressions as the reference's .NET-style engine reads them (serving spec 5.6), parsed into a
//! tree of our own.
//!
//! Most trees are written out for a maintained engine that matches in linear time ([`emit`]). What no
//! automaton can do, lookaround and references, becomes a [`program`] that [`machine`] runs, backtracking.
//! It is our own because the number of its steps is the promise: an engine that counts only how often it
//! turns back can look ahead through a whole subject without counting anything.

pub(super) mod ast;
mod class;
mod cursor;
mod emit;
mod escape;
mod group;
pub(super) mod machine;
mod parser;
pub(super) mod program;

use std::collections::BTreeSet;

use super::PatternError;
use super::delimiter::Part;
use super::matcher::{self, Matcher};
use ast::Node;
use parser::Parsed;

/// Compiles the parts.
pub(super) fn compile(parts: &[Part]) -> Result<Matcher, PatternError> {
    let parsed = parse(parts)?;
    matcher_of(&parsed.node, &parsed.slots)
}

/// What runs a tree whose groups have these numbers.
pub(super) fn matcher_of(node: &Node, slots: &BTreeSet<u32>) -> Result<Matcher, PatternError> {
    if node.suits_automaton() {
        let mut emitted = emit::emit(node);
        let groups = slots.iter().map(|slot| emitted.groups.remove(slot).unwrap_or_default()).collect();
        if let Some(matcher) = matcher::linear(&emitted.text, groups, node.weight()) {
            return Ok(matcher);
        }
        // Too large for an automaton. A program counts repetitions instead of writing them out.
    }
    Ok(Matcher::Backtracking(Box::new(program::program(node, slots)?)))
}

/// Literal text is quoted, every variable part is one capture group and must be valid by itself.
fn parse(parts: &[Part]) -> Result<Parsed, PatternError> {
    let mut whole = String::from("^");
    for part in parts {
        match part {
            Part::Literal(text) => whole.push_str(&regex::escape(text)),
            Part::Variable(text) => {
                parser::parse(&format!("^{text}$"))?;
                whole.push('(');
                whole.push_str(text);
                whole.push(')');
            }
        }
    }
    whole.push('$');
    parser::parse(&whole)
}

#[cfg(test)]
mod tests;
