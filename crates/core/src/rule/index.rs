//! Finds the few rules that can match a URL among thousands, by their literal prefixes.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Arc;

use crate::rule::pattern::{Pattern, Spelling};

/// Rule numbers by literal prefixes of one length.
type ByPrefix<Numbers = Box<[u32]>> = HashMap<Arc<str>, Numbers, foldhash::fast::RandomState>;

/// Rules by the length and the text of their literal prefix. A lookup costs one hash per distinct
/// length, however many rules there are; rules that start with a variable part have length 0 and are
/// always candidates.
pub struct RuleIndex {
    by_length: Vec<(usize, ByPrefix)>,
}

impl RuleIndex {
    /// Indexes patterns under rule numbers, for URLs in a spelling. `step` is called after each pattern, and each prefix.
    pub fn build<'a>(
        patterns: impl IntoIterator<Item = (u32, &'a Pattern)>,
        spelling: Spelling,
        step: &dyn Fn(),
    ) -> Self {
        let mut by_length: BTreeMap<usize, ByPrefix<Vec<u32>>> = BTreeMap::new();
        for (number, pattern) in patterns {
            let prefix = pattern.prefix_of(spelling);
            by_length.entry(prefix.len()).or_default().entry(prefix.clone()).or_default().push(number);
            step();
        }
        let compact = |numbers: ByPrefix<Vec<u32>>| {
            let lists = numbers.into_iter().map(|(prefix, list)| (prefix, list.into()));
            lists.inspect(|_| step()).collect()
        };
        Self { by_length: by_length.into_iter().map(|(length, numbers)| (length, compact(numbers))).collect() }
    }

    /// Calls `found` with every rule whose literal prefix `url` starts with.
    pub fn candidates(&self, url: &str, mut found: impl FnMut(u32)) {
        for (length, prefixes) in &self.by_length {
            let Some(prefix) = url.get(..*length) else {
                if *length > url.len() {
                    return;
                }
                continue;
            };
            if let Some(numbers) = prefixes.get(prefix) {
                numbers.iter().for_each(|number| found(*number));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::rule::pattern::Strategy;
    use proptest::prelude::{Strategy as Generated, *};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        /// Whatever the number of rules, the index loses no match (Caddy CVE-2026-27588).
        #[test]
        fn candidates_hold_every_match(
            count in prop_oneof![Just(1_usize), Just(100), Just(1000)],
            host in "[ab]", segment in "[0-9]{1,4}", rest in "[ab/]{0,4}",
        ) {
            let patterns: Vec<Pattern> = (0..count)
                .map(|n| {
                    let text = match n % 4 {
                        0 => format!("http://a:4455/{n}/<**>"),
                        1 => format!("http://<*>:4455/{n}<**>"),
                        2 => format!("<{{http,https}}>://b:4455/{n}"),
                        _ => format!("http://b:4455/{n}<**>"),
                    };
                    Pattern::compile(&text, Strategy::Glob).unwrap()
                })
                .collect();
            let index = RuleIndex::build(patterns.iter().enumerate().map(|(n, pattern)| (n as u32, pattern)), Spelling::Sent, &|| {});
            let url = format!("http://{host}:4455/{segment}/{rest}");
            let mut candidates = Vec::new();
            index.candidates(&url, |number| candidates.push(number));
            for (n, pattern) in patterns.iter().enumerate() {
                if pattern.is_match(&url).unwrap() {
                    prop_assert!(candidates.contains(&(n as u32)), "{url} {n}");
                }
            }
        }

        /// The same for patterns of any shape, in either strategy, and for literal text that has to be
        /// brought into the form of URLs first. Each pattern comes with a URL that is made to match it.
        #[test]
        fn candidates_hold_every_match_of_any_patterns(rules in prop::collection::vec(rule(), 1..40)) {
            let compiled: Vec<Pattern> =
                rules.iter().map(|(text, strategy, _)| Pattern::compile(text, *strategy).unwrap()).collect();
            let index = RuleIndex::build(compiled.iter().enumerate().map(|(n, pattern)| (n as u32, pattern)), Spelling::Sent, &|| {});
            for (own, (text, _, url)) in rules.iter().enumerate() {
                prop_assert_eq!(compiled[own].is_match(url), Ok(true), "{} {}", text, url);
                let mut candidates = Vec::new();
                index.candidates(url, |number| candidates.push(number));
                for (n, pattern) in compiled.iter().enumerate() {
                    // One that gives up is an answer as well.
                    if pattern.is_match(url) != Ok(false) {
                        prop_assert!(candidates.contains(&(n as u32)), "{} {}", url, rules[n].0);
                    }
                }
            }
        }
    }

    /// Text of a pattern, and what it can stand for.
    type Piece = (&'static str, &'static str);

    const HOSTS: &[Piece] = &[("a", "a"), ("A", "a"), ("b.c", "b.c"), ("B", "b"), ("", "")];
    const PATHS: &[Piece] =
        &[("a", "a"), ("A", "A"), ("/", "/"), ("a/b", "a/b"), (" ", "%20"), ("%7e", "~"), ("é", "%C3%A9"), ("", "")];
    const GLOBS: &[Piece] = &[
        ("<*>", "ab"),
        ("<**>", "a/b"),
        ("<?>", "x"),
        ("<[!a]>", "/"),
        ("<{a,{b,}}>", "b"),
        ("<a*b>", "axb"),
        ("<{**,c}>", ""),
        ("", ""),
    ];
    const REGEXPS: &[Piece] = &[
        ("<.*>", "a/b"),
        ("<[^/]+>", "ab"),
        ("<(?=a)a?>", "a"),
        ("<a|b>", "b"),
        ("<(?i)ab>", "AB"),
        ("<(a*)*>", "aa"),
        ("<>", ""),
        ("", ""),
    ];

    /// A pattern and a URL that it matches.
    fn rule() -> impl Generated<Value = (String, Strategy, String)> {
        let of = |variables: &'static [Piece], starts: &'static [Piece], strategy: Strategy| {
            let pieces = |literals: &'static [Piece]| {
                let piece = (prop::sample::select(literals), prop::sample::select(variables));
                prop::collection::vec(piece.prop_map(|(literal, variable)| [literal, variable]), 0..3)
            };
            (prop::sample::select(starts), pieces(HOSTS), pieces(PATHS)).prop_map(move |(start, host, path)| {
                let pieces = [&[start], host.as_flattened(), &[("/", "/")], path.as_flattened()].concat();
                let (text, url): (Vec<_>, Vec<_>) = pieces.into_iter().unzip();
                (text.concat(), strategy, url.concat())
            })
        };
        let globs = &[("http://", "http://"), ("HTTP://", "http://"), ("<{http,https}>://", "https://"), ("<**>", "x")];
        let regexps = &[("http://", "http://"), ("HTTP://", "http://"), ("<https?>://", "https://"), ("<.*>", "x")];
        prop_oneof![of(GLOBS, globs, Strategy::Glob), of(REGEXPS, regexps, Strategy::Regexp)]
    }
}
