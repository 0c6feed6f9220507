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

use crate::gate::path::encode_literal;
use delimiter::Part;
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
    /// For URLs as they are sent.
    sent: Form,
    /// For URLs whose escapes are undone, where that makes another text of the literal parts.
    unescaped: Option<Box<Form>>,
    /// A variable part speaks of escapes.
    names_escapes: bool,
}

/// A pattern, compiled for one way to write URLs.
#[derive(Debug)]
struct Form {
    /// Shared with the index.
    prefix: Arc<str>,
    matcher: Matcher,
}

/// How a URL is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    /// Canonical, as it is sent.
    Sent,
    /// The same with the escapes of its path undone, as people write patterns; see [`unescaped`](crate::gate::path::unescaped).
    Unescaped,
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
        if let Some(letter) = parts.iter().find_map(Part::beyond_ascii) {
            // It would match nothing, and exclude nothing either.
            return Err(PatternError(format!(
                "`{letter}` stands inside `<…>`, and paths are matched as they are sent: write `{}`",
                encode_literal(letter.encode_utf8(&mut [0; 4]))
            )));
        }
        let names_escapes = parts.iter().any(|part| matches!(part, Part::Variable(text) if text.contains('%')));
        let unescaped = match canonical::unescaped(&parts) {
            Some(parts) => Some(Box::new(Form::compile(&parts, strategy)?)),
            None => None,
        };
        Ok(Self { sent: Form::compile(&parts, strategy)?, unescaped, names_escapes })
    }

    /// Whether the whole subject matches, by itself.
    pub fn is_match(&self, url: &str) -> Result<bool, MatchError> {
        self.is_match_within(url, Spelling::Sent, &mut Steps::default())
    }

    /// Whether the whole subject matches. The work comes off what a request may spend.
    pub fn is_match_within(&self, url: &str, spelling: Spelling, steps: &mut Steps) -> Result<bool, MatchError> {
        let form = self.form(spelling);
        form.matcher.is_match(&form.prefix, url, steps)
    }

    /// The capture groups of a subject that matches: unnamed ones first, then named ones, unmatched
    /// ones empty. Globs have none. It may take as many steps as finding the rule did.
    pub fn captures(&self, url: &str) -> Result<Vec<String>, MatchError> {
        self.sent.matcher.captures(url)
    }

    /// The literal text that every match starts with.
    pub fn literal_prefix(&self) -> &Arc<str> {
        &self.sent.prefix
    }

    /// The same for URLs in a spelling.
    pub fn prefix_of(&self, spelling: Spelling) -> &Arc<str> {
        &self.form(spelling).prefix
    }

    /// Whether its literal text has to be written otherwise for URLs whose escapes are undone.
    pub fn has_escaped_text(&self) -> bool {
        self.unescaped.is_some()
    }

    /// Whether a variable part speaks of escapes: it is written for URLs as they are sent.
    pub fn names_escapes(&self) -> bool {
        self.names_escapes
    }

    fn form(&self, spelling: Spelling) -> &Form {
        match (spelling, &self.unescaped) {
            (Spelling::Unescaped, Some(form)) => form,
            _ => &self.sent,
        }
    }
}

impl Form {
    fn compile(parts: &[Part], strategy: Strategy) -> Result<Self, PatternError> {
        let prefix = match parts.first() {
            Some(Part::Literal(literal)) => literal.clone(),
            _ => String::new(),
        };
        let matcher = match (strategy, parts) {
            (_, [] | [Part::Literal(_)]) => Matcher::Literal,
            (Strategy::Glob, parts) => glob::compile(parts)?,
            (Strategy::Regexp, parts) => regexp::compile(parts)?,
        };
        Ok(Self { prefix: prefix.into(), matcher })
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
