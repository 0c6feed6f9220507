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

pub struct Pattern;
impl Pattern {
    pub fn compile(_: &str, _: Strategy) -> Result<Self, String> {
        Err(String::new())
    }
    pub fn is_match(&self, _: &str) -> Result<bool, String> {
        Ok(false)
    }
    pub fn captures(&self, _: &str) -> Result<Vec<String>, String> {
        Ok(vec![])
    }
    pub fn literal_prefix(&self) -> &str {
        ""
    }
}
