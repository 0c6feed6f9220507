//! URL patterns: literal text with `<...>` parts in glob or regexp syntax.

/// How the parts between `<` and `>` are read (`access_rules.matching_strategy`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// Globs with `.` and `/` as separators.
    Glob,
    /// .NET-style regular expressions.
    #[default]
    Regexp,
}
