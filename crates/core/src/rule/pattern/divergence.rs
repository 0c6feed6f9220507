//! Where a URL parts from a pattern: for explanations, never for decisions.

use super::delimiter::{Part, split};
use super::{Pattern, PatternError, Strategy};

/// How far a URL follows a pattern that it does not match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// So many bytes of the URL follow the pattern.
    pub at: usize,
    /// What the pattern wants there, as it is written; empty where the pattern ends and the URL goes on.
    pub wanted: String,
}

/// Finds the first part of a pattern that a URL does not follow. `None` when it matches.
pub fn divergence(text: &str, strategy: Strategy, url: &str) -> Result<Option<Divergence>, PatternError> {
    if Pattern::compile(text, strategy)?.is_match(url).unwrap_or(false) {
        return Ok(None);
    }
    let parts: Vec<String> = split(text)?.into_iter().map(written).collect();
    let anything = match strategy {
        Strategy::Glob => "<**>",
        Strategy::Regexp => "<.*>",
    };
    let fits = |text: &str, url: &str| {
        Pattern::compile(text, strategy).is_ok_and(|pattern| pattern.is_match(url).unwrap_or(false))
    };
    let followed = (0..=parts.len()).rev().find(|count| fits(&(parts[..*count].concat() + anything), url)).unwrap_or(0);
    let head = parts[..followed].concat();
    let ends = || (0..=url.len()).rev().filter(|end| url.is_char_boundary(*end));
    // No text matches an empty pattern but the empty one.
    let mut at = if followed == 0 { 0 } else { ends().find(|end| fits(&head, &url[..*end])).unwrap_or(0) };
    let Some(wanted) = parts.get(followed) else { return Ok(Some(Divergence { at, wanted: String::new() })) };
    let mut wanted = wanted.as_str();
    if !wanted.starts_with('<') {
        // Compiled, the beginning of a pattern has the form of URLs; what follows is compared as it stands.
        let literal = match followed {
            0 => Pattern::compile(wanted, strategy)?.literal_prefix().to_string(),
            _ => wanted.to_owned(),
        };
        let common = literal.bytes().zip(url[at..].bytes()).take_while(|(one, other)| one == other).count();
        at += common;
        if literal == wanted {
            wanted = wanted.get(common..).unwrap_or(wanted);
        }
    }
    Ok(Some(Divergence { at, wanted: wanted.to_owned() }))
}

fn written(part: Part) -> String {
    match part {
        Part::Literal(text) => text,
        Part::Variable(text) => format!("<{text}>"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_first_part_that_does_not_fit_is_named() {
        // (strategy, pattern, URL, what fits of the URL, what is wanted there)
        let rows = [
            (Strategy::Regexp, "http://h/users/<[0-9]+>", "http://h/users/abc", "http://h/users/", "<[0-9]+>"),
            (Strategy::Regexp, "http://h/users/<[0-9]+>/x", "http://h/users/12/y", "http://h/users/12/", "x"),
            (Strategy::Regexp, "http://h/users/<[0-9]+>", "http://h/users/12/", "http://h/users/12", ""),
            (Strategy::Regexp, "http://h/users", "http://h/user", "http://h/user", "s"),
            (Strategy::Regexp, "https://h/", "http://h/", "http", "s://h/"),
            (Strategy::Glob, "http://h/jira/<**>", "http://h/jir", "http://h/jir", "a/"),
            (Strategy::Glob, "http://h/<{a,b}>/c", "http://h/d/c", "http://h/", "<{a,b}>"),
            (Strategy::Glob, "http://h/<*>", "http://h/a/b", "http://h/a", ""),
            (Strategy::Glob, "http://H/a b", "http://h/a%20c", "http://h/a%20", "http://H/a b"),
        ];
        for (strategy, pattern, url, fits, wanted) in rows {
            let found = divergence(pattern, strategy, url).unwrap().unwrap();
            assert_eq!((&url[..found.at], &*found.wanted), (fits, wanted), "{pattern} {url}");
        }
        assert_eq!(divergence("http://h/<**>", Strategy::Glob, "http://h/a").unwrap(), None);
        assert!(divergence("http://h/<", Strategy::Glob, "http://h/a").is_err());
    }
}
