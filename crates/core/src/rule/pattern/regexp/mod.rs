//! Regular expressions as the reference's .NET-style engine reads them (serving spec 5.6), on maintained
//! engines: parsed into a tree of our own, and written out in what the engines agree on.

mod ast;
mod char_set;
mod class;
mod cursor;
mod emit;
mod escape;
mod group;
mod parser;

use super::PatternError;
use super::delimiter::Part;
use super::matcher::{self, Groups, Matcher};

/// Compiles the parts: literal text is quoted, every variable part is one capture group and must be
/// valid by itself.
pub(super) fn compile(parts: &[Part]) -> Result<Matcher, PatternError> {
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
    let parsed = parser::parse(&whole)?;
    let mut emitted = emit::emit(&parsed.node)?;
    let groups: Groups = parsed.slots.iter().map(|slot| emitted.groups.remove(slot).unwrap_or_default()).collect();
    if emitted.backtracks {
        matcher::backtracking(&emitted.text, groups)
    } else {
        matcher::linear(&emitted.text, groups)
    }
}

#[cfg(test)]
mod tests;
