//! Scope strategies (pipeline spec 2.0.3).

/// How a granted scope covers a required one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ScopeStrategy {
    /// No check is possible; a required scope is never met.
    None,
    /// Equal texts.
    Exact,
    /// Equal, or a proper prefix in dot-separated parts.
    Hierarchic,
    /// Part by part, `*` for any one part, and for all the rest at the end.
    Wildcard,
}

impl ScopeStrategy {
    /// Whether one granted scope covers a required one.
    pub fn covers(self, granted: &str, required: &str) -> bool {
        match self {
            ScopeStrategy::None => false,
            ScopeStrategy::Exact => granted == required,
            ScopeStrategy::Hierarchic => {
                required.strip_prefix(granted).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            }
            ScopeStrategy::Wildcard => wildcard(granted, required),
        }
    }
}

fn wildcard(granted: &str, required: &str) -> bool {
    let granted: Vec<&str> = granted.split('.').collect();
    let required: Vec<&str> = required.split('.').collect();
    if granted.len() > required.len() {
        return false;
    }
    if granted.len() < required.len() && granted.last() != Some(&"*") {
        return false;
    }
    // A part must be there to be covered.
    granted.iter().zip(&required).all(|(given, wanted)| given == wanted || (*given == "*" && !wanted.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::ScopeStrategy::{Exact, Hierarchic, None, Wildcard};

    /// [T] of pipeline spec 2.0.3.
    #[test]
    fn truth_table() {
        let rows = [
            (Hierarchic, "foo.bar", "foo.bar.baz", true),
            (Hierarchic, "foo.bar", "foo.bar", true),
            (Hierarchic, "foo.bar", "foo", false),
            (Hierarchic, "bar.baz", "bar.baz.zad", true),
            (Hierarchic, "bar.baz", "bar", false),
            (Hierarchic, "hydra", "hydra.bar", true),
            (Hierarchic, "openid", "openid.baz.bar", true),
            (Hierarchic, "offline", "foo.bar", false),
            (Hierarchic, "foo", "foobar", false),
            (Wildcard, "*", "asdf", true),
            (Wildcard, "*", "asdf.asdf", true),
            (Wildcard, "*", "", false),
            (Wildcard, "foo", "foo", true),
            (Wildcard, "foo", "*", false),
            (Wildcard, "foo", "foo.*", false),
            (Wildcard, "foo", "fo*", false),
            (Wildcard, "foo*", "foo*", true),
            (Wildcard, "foo*", "fooa", false),
            (Wildcard, "foo.*", "foo.bar", true),
            (Wildcard, "foo.*", "foo.bar.baz", true),
            (Wildcard, "foo.*", "foo", false),
            (Wildcard, "foo.*.baz", "foo.bar.baz", true),
            (Wildcard, "foo.*.baz", "foo..baz", false),
            (Wildcard, "foo.*.baz", "foo.baz", false),
            (Wildcard, "foo.*.baz", "foo.bar.bar", false),
            (Wildcard, "foo.*.bar.*", "foo.baz.bar.baz", true),
            (Wildcard, "foo.*.bar.*", "foo.1.bar.1.2.3", true),
            (Wildcard, "foo.*.bar.*", "foo.baz.bar", false),
            (Wildcard, "foo.*.bar.*", "foo.baz.baz.bar.baz", false),
            (Wildcard, "foo.*.bar", "foo.bar.bar", true),
            (Wildcard, "foo.*.bar", "foo.bar.bar.bar", false),
            (Wildcard, "foo.*.bar", "foo..bar", false),
            (Exact, "foo.bar.baz", "foo.bar", false),
            (Exact, "foo.bar", "foo.bar", true),
            (Exact, "foo.bar.baz", "foo.bar.bar", false),
            (None, "a", "a", false),
        ];
        for (strategy, granted, required, expected) in rows {
            assert_eq!(strategy.covers(granted, required), expected, "{strategy:?} {granted} {required}");
        }
    }
}
