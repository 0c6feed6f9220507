//! URL patterns: literal text with `<...>` parts in glob or regexp syntax (serving spec 5.5 to 5.7).
//!
//! The subject is what the gate made: `scheme://authority/path` with a lower-case host, no default port
//! and a percent-encoded path. Literal text of a pattern is brought into the same form at load, so that
//! a rule written with `Example.com`, `:80` or a raw space still matches what its author meant; text
//! inside `<...>` is left alone. Subjects are ASCII, so classes are cut down to ASCII. Both strategies
//! compile to an automaton that matches in linear time; only regexps with lookaround or back-references
//! need the backtracking engine, under a step limit.
//!
//! Anchors are absolute: a final newline is no match. Other intended differences from the reference are
//! the rows `glob-...` and `regexp-...` of `conformance/differences.toml`.

mod canonical;
mod delimiter;
pub mod divergence;
mod glob;
mod matcher;
mod regexp;

use std::fmt;
use std::sync::Arc;

use matcher::Matcher;

/// How the parts between `<` and `>` are read (`access_rules.matching_strategy`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// Globs with `.` and `/` as separators.
    Glob,
    /// .NET-style regular expressions.
    #[default]
    Regexp,
}

/// A compiled pattern.
#[derive(Debug)]
pub struct Pattern {
    /// Shared with the index.
    prefix: Arc<str>,
    matcher: Matcher,
}

/// A pattern that cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternError(String);

/// A pattern that gave up on a subject: its step limit was reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatchError;

impl Pattern {
    /// Compiles a pattern.
    pub fn compile(text: &str, strategy: Strategy) -> Result<Self, PatternError> {
        let parts = canonical::literals(delimiter::split(text)?);
        let prefix = match parts.first() {
            Some(delimiter::Part::Literal(literal)) => literal.clone(),
            _ => String::new(),
        };
        let matcher = match (strategy, parts.as_slice()) {
            (_, [] | [delimiter::Part::Literal(_)]) => Matcher::Literal,
            (Strategy::Glob, parts) => glob::compile(parts)?,
            (Strategy::Regexp, parts) => regexp::compile(parts)?,
        };
        Ok(Self { prefix: prefix.into(), matcher })
    }

    /// Whether the whole subject matches.
    pub fn is_match(&self, url: &str) -> Result<bool, MatchError> {
        match &self.matcher {
            Matcher::Literal => Ok(*url == *self.prefix),
            Matcher::Around { suffix } => Ok(url.starts_with(&*self.prefix) && url.ends_with(suffix.as_str())),
            Matcher::Linear { regex, .. } => Ok(regex.is_match(url)),
            Matcher::Backtracking { regex, .. } => regex.is_match(url).map_err(|_| MatchError),
        }
    }

    /// The capture groups of a subject that matches: unnamed ones first, then named ones, unmatched
    /// ones empty. Globs have none.
    pub fn captures(&self, url: &str) -> Result<Vec<String>, MatchError> {
        self.matcher.captures(url)
    }

    /// The literal text that every match starts with.
    pub fn literal_prefix(&self) -> &Arc<str> {
        &self.prefix
    }
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PatternError {}

impl fmt::Display for MatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the step limit was reached")
    }
}

impl std::error::Error for MatchError {}

#[cfg(test)]
mod tests;
