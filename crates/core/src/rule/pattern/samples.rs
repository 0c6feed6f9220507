//! URLs that a pattern matches, made up: for findings that name an example, never for decisions.

use super::Pattern;
use super::canonical;
use super::delimiter::{self, Part};

/// What a variable part in front of the path may stand for.
const NAMES: [&str; 2] = ["", "a"];
/// What one in the path may stand for: nothing, or the first of these that fits.
const SEGMENTS: [&str; 2] = ["a", "1"];

/// A few URLs that `pattern`, compiled from `text`, is sure to match; none where no guess is right.
pub fn samples(text: &str, pattern: &Pattern) -> Vec<String> {
    let Ok(parts) = delimiter::split(text).map(canonical::literals) else { return Vec::new() };
    let mut found: Vec<String> = Vec::new();
    for chooses in [true, false] {
        if !found.is_empty() {
            break;
        }
        for name in NAMES {
            let fits = |url: &String| pattern.is_match(url) == Ok(true);
            let made = |segment| Some(filled(&parts, name, segment, chooses)).filter(fits);
            for url in made("").into_iter().chain(SEGMENTS.into_iter().find_map(made)) {
                if !found.contains(&url) {
                    found.push(url);
                }
            }
        }
    }
    found
}

/// `chooses`: where a variable part lists alternatives, the first of them stands for it.
fn filled(parts: &[Part], name: &str, segment: &str, chooses: bool) -> String {
    let mut url = String::new();
    for part in parts {
        let in_path = url.split_once("://").is_some_and(|(_, rest)| rest.contains('/'));
        match part {
            Part::Literal(text) => url.push_str(text),
            Part::Variable(text) => match first_alternative(text).filter(|_| chooses) {
                Some(first) => url.push_str(&first),
                None if url.is_empty() => url.push_str("http"),
                None if in_path => url.push_str(segment),
                None => url.push_str(name),
            },
        }
    }
    url
}

/// The first of `a|b`, `(a|b)` or `{a,b}`, if it is plain text.
fn first_alternative(text: &str) -> Option<String> {
    let inner = text.trim_start_matches(['(', '{']).trim_start_matches("?:");
    let end = inner.find(['|', ','])?;
    let first = inner[..end].replace('\\', "");
    first.chars().all(|c| c.is_ascii_alphanumeric() || "-._~:/".contains(c)).then_some(first)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::rule::pattern::Strategy;

    #[test]
    fn every_sample_is_matched_and_none_is_claimed_where_no_guess_is_right() {
        let rows: [(&str, &[&str]); 10] = [
            ("http://H:80/a b", &["http://h/a%20b"]),
            ("http://h/a/<.*>", &["http://h/a/", "http://h/a/a"]),
            ("http://h/a/<[0-9]+>/b", &["http://h/a/1/b"]),
            ("<https?>://<[a-z]+>.b/c", &["http://a.b/c"]),
            ("http<s?>://h<(:[0-9]+)?>/", &["http://h/"]),
            ("<https|http>://<a\\.b|c:80>/<(?:users|groups)>/x", &["https://a.b/users/x"]),
            ("http://h/<(?!x|y).*>", &["http://h/", "http://h/a"]),
            ("http://h/<[x-z]{2}>", &[]),
            ("<.*>", &["http"]),
            ("http://h/a<b", &[]),
        ];
        for (text, expected) in rows {
            let found = Pattern::compile(text, Strategy::Regexp).map(|pattern| samples(text, &pattern));
            assert_eq!(found.unwrap_or_default(), expected, "{text}");
        }
    }
}
