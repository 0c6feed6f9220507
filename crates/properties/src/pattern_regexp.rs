//! Both engines of regular expressions, the automaton and the one that backtracks, say the same of every URL: that it
//! matches, and what its groups are. And what matches starts with the pattern's literal prefix.
//!
//! The first line is the pattern, the rest what is matched.

use keyward_core::rule::pattern::{Pattern, Strategy};

use crate::pattern_glob::pattern_and_subject;

/// Asks for nothing, and takes a pattern away from the automaton.
const LOOKAHEAD: &str = "<(?=)";

pub(crate) fn check(data: &[u8]) {
    let Some((written, subject)) = pattern_and_subject(data) else { return };
    let Ok(pattern) = Pattern::compile(&written, Strategy::Regexp) else { return };
    let Ok(matches) = pattern.is_match(&subject) else { return };
    assert_eq!(pattern.is_match(&subject), Ok(matches), "{written} {subject}");
    assert!(!matches || subject.starts_with(&**pattern.literal_prefix()), "{written} {subject}");
    let Ok(captures) = pattern.captures(&subject) else { return };
    assert!(matches || captures.is_empty(), "{written} {subject}: {captures:?}");
    assert!(captures.iter().all(|group| subject.contains(group.as_str())), "{written} {subject}: {captures:?}");
    // Only brackets around variable parts are alone; others belong to groups.
    if written.matches('<').count() != 1 {
        return;
    }
    let Ok(other) = Pattern::compile(&written.replacen('<', LOOKAHEAD, 1), Strategy::Regexp) else { return };
    let (Ok(others), Ok(groups)) = (other.is_match(&subject), other.captures(&subject)) else { return };
    assert_eq!((others, groups), (matches, captures), "{written} {subject}");
}
