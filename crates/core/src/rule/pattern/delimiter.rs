//! Splits a pattern at its `<...>` parts (serving spec 5.5). Only the outermost pair delimits.

use super::PatternError;

/// A piece of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Text outside delimiters.
    Literal(String),
    /// Text inside, in the syntax of the strategy.
    Variable(String),
}

impl Part {
    /// What a variable part holds that no URL does.
    pub(super) fn beyond_ascii(&self) -> Option<char> {
        match self {
            Self::Variable(text) => text.chars().find(|letter| !letter.is_ascii()),
            Self::Literal(_) => None,
        }
    }
}

/// Splits; delimiters that do not balance are an error. There is no escape for `<` and `>`.
pub(super) fn split(text: &str) -> Result<Vec<Part>, PatternError> {
    let unbalanced = || PatternError(format!("unbalanced `<` and `>` in `{text}`"));
    let mut parts = Vec::new();
    let mut depth = 0_usize;
    let mut start = 0;
    for (index, c) in text.char_indices() {
        match c {
            '<' => {
                if depth == 0 {
                    if start < index {
                        parts.push(Part::Literal(text[start..index].to_owned()));
                    }
                    start = index + 1;
                }
                depth += 1;
            }
            '>' => {
                depth = depth.checked_sub(1).ok_or_else(unbalanced)?;
                if depth == 0 {
                    parts.push(Part::Variable(text[start..index].to_owned()));
                    start = index + 1;
                }
            }
            _ => {}
        }
    }
    if depth != 0 {
        return Err(unbalanced());
    }
    if start < text.len() {
        parts.push(Part::Literal(text[start..].to_owned()));
    }
    Ok(parts)
}
