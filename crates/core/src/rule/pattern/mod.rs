//! URL patterns: literal text with `<...>` parts in glob or regexp syntax (serving spec 5.5 to 5.7).
//!
//! The subject is what the gate made: `scheme://authority/path` with a lower-case host, no default port
//! and a percent-encoded path. Literal text of a pattern is brought into the same form at load, so that
//! a rule written with `Example.com`, `:80` or a raw space still matches what its author meant; text
//! inside `<...>` is left alone. Subjects are ASCII, so classes are cut down to ASCII. Both strategies
//! compile to an automaton that matches in linear time; only regexps with lookaround, references or very
//! large patterns backtrack. Either way the work for one request has a bound ([`steps`]).
//!
//! Anchors are absolute: a final newline is no match. Other intended differences from the reference are
//! the rows `glob-...` and `regexp-...` of `conformance/differences.toml`.

mod canonical;
mod char_set;
mod delimiter;
pub mod divergence;
mod glob;
mod matcher;
mod regexp;
pub mod samples;
pub mod steps;

use std::fmt;
use std::sync::Arc;

use matcher::Matcher;
use steps::Steps;

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

/// A pattern that gave up on a subject: the request's steps are spent.
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

    /// Whether the whole subject matches, by itself.
    pub fn is_match(&self, url: &str) -> Result<bool, MatchError> {
        self.is_match_within(url, &mut Steps::default())
    }

    /// Whether the whole subject matches. The work comes off what a request may spend.
    pub fn is_match_within(&self, url: &str, steps: &mut Steps) -> Result<bool, MatchError> {
        self.matcher.is_match(&self.prefix, url, steps)
    }

    /// The capture groups of a subject that matches: unnamed ones first, then named ones, unmatched
    /// ones empty. Globs have none. It may take as many steps as finding the rule did.
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
