//! Runs what the strategies compile to, within bounds of memory and steps.

use super::regexp::machine;
use super::regexp::program::Program;
use super::{MatchError, Steps};

/// The engine's groups behind each capture group, in the order in which they end. Globs have none.
pub(super) type Groups = Vec<Vec<usize>>;

/// A compiled pattern.
#[derive(Debug)]
pub(super) enum Matcher {
    /// No variable part: the prefix is everything.
    Literal,
    /// `prefix<**>suffix`: starts and ends with them. They may overlap, as in the reference.
    Around { suffix: String },
    /// An automaton: linear time.
    Linear { regex: regex::Regex, groups: Groups, weight: usize },
    /// Lookaround, references and their like.
    Backtracking(Box<Program>),
}

/// Memory one automaton may take, in bytes. This bounds its time for each character, too: the longest path
/// takes it some milliseconds at worst.
const SIZE_LIMIT: usize = 16 << 10;
/// Memory its states may take while it runs, in bytes for each thread.
const STATES_LIMIT: usize = 64 << 10;
/// So many characters of a subject, compared with so many of the pattern at most, are one step.
const SUBJECT_PER_STEP: usize = 16;
const PATTERN_PER_STEP: usize = 64;

/// A matcher that runs in linear time; `None` when it would be too large. `weight` is how many characters
/// of the pattern a character of the subject may have to be compared with.
pub(super) fn linear(text: &str, groups: Groups, weight: usize) -> Option<Matcher> {
    let builder = regex::RegexBuilder::new(text).size_limit(SIZE_LIMIT).dfa_size_limit(STATES_LIMIT).build();
    builder.ok().map(|regex| Matcher::Linear { regex, groups, weight })
}

impl Matcher {
    /// Whether a subject matches as a whole. `prefix` is the literal text that the pattern begins with.
    pub(super) fn is_match(&self, prefix: &str, url: &str, steps: &mut Steps) -> Result<bool, MatchError> {
        match self {
            Self::Literal => Ok(url == prefix),
            Self::Around { suffix } => Ok(url.starts_with(prefix) && url.ends_with(suffix.as_str())),
            Self::Linear { regex, weight, .. } => {
                let length = url.len().saturating_sub(prefix.len()) / SUBJECT_PER_STEP;
                steps.take((1 + length).saturating_mul(1 + weight / PATTERN_PER_STEP))?;
                Ok(regex.is_match(url))
            }
            Self::Backtracking(program) => Ok(machine::run(program, url, steps)?.is_some()),
        }
    }

    /// The text of each capture group.
    pub(super) fn captures(&self, subject: &str) -> Result<Vec<String>, MatchError> {
        match self {
            Self::Linear { regex, groups, .. } if !groups.is_empty() => {
                let found = regex.captures(subject);
                Ok(found.map_or_else(Vec::new, |found| {
                    texts(groups, |group| found.get(group).map(|found| (found.end(), found.as_str())))
                }))
            }
            Self::Backtracking(program) => {
                let text = |place: Option<(usize, usize)>| {
                    place.and_then(|(start, end)| subject.get(start..end)).unwrap_or_default().to_owned()
                };
                let found = machine::run(program, subject, &mut Steps::default())?.unwrap_or_default();
                Ok(found.into_iter().map(text).collect())
            }
            _ => Ok(Vec::new()),
        }
    }
}

/// Of several groups that share a number the one that captured last counts; one that did not capture
/// is empty.
fn texts<'s>(groups: &Groups, found: impl Fn(usize) -> Option<(usize, &'s str)>) -> Vec<String> {
    groups
        .iter()
        .map(|shared| {
            let last = shared.iter().filter_map(|group| found(*group)).max_by_key(|(end, _)| *end);
            last.map_or("", |(_, text)| text).to_owned()
        })
        .collect()
}
