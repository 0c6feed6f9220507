//! When no rule takes a request: which came nearest, and what did not fit.

use keyward_core::gate::GatedRequest;
use keyward_core::rule::Rule;
use keyward_core::rule::pattern::Strategy;
use keyward_core::rule::pattern::divergence::divergence;
use serde_json::Value;

use crate::snapshot::Snapshot;

/// How many rules are looked at closely.
const CANDIDATES: usize = 100;

/// A rule that did not take a request, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Near {
    /// The rule's place in the set.
    pub number: u32,
    /// The URL that was compared: the request's, or one under another name of this proxy.
    pub url: String,
    /// What did not fit.
    pub misfit: Misfit,
}

/// What did not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Misfit {
    /// The URL fits, the method is not one of the rule's.
    Method,
    /// The URL parts from the pattern.
    Url {
        /// In which part of it.
        part: UrlPart,
        /// So many bytes of the URL follow the pattern.
        at: usize,
        /// What the pattern wants there; empty where it ends and the URL goes on.
        wanted: String,
    },
    /// The pattern cannot be compiled, so that the rule matches nothing.
    Pattern,
}

/// Parts of a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UrlPart {
    /// `http` or `https`.
    Scheme,
    /// Host and port.
    Authority,
    /// Everything behind.
    Path,
}

/// The URL pattern of a rule, as it is written.
pub fn pattern_of(rule: &Rule) -> String {
    let document: Value = serde_json::from_str(&rule.document()).unwrap_or_default();
    document["match"]["url"].as_str().unwrap_or_default().to_owned()
}

/// The rules that came nearest, best first, at most `count`.
pub fn nearest(snapshot: &Snapshot, strategy: Strategy, request: &GatedRequest, count: usize) -> Vec<Near> {
    let urls: Vec<String> =
        std::iter::once(request.url().to_owned()).chain(snapshot.rules.aliases_of(request)).collect();
    // Looking closely takes several compilations; the beginnings say which rules deserve it.
    let beginning = |rule: &&Rule| {
        let prefix = rule.pattern().map_or("", |pattern| pattern.literal_prefix());
        let common = |url: &String| prefix.bytes().zip(url.bytes()).take_while(|(one, other)| one == other).count();
        std::cmp::Reverse(urls.iter().map(common).max())
    };
    let mut candidates: Vec<&Rule> =
        snapshot.rules.rules().iter().map(|rule| &**rule).filter(|rule| !rule.is_rpc()).collect();
    candidates.sort_by_key(beginning);
    candidates.truncate(CANDIDATES);
    let of_rule = |rule: &Rule| urls.iter().map(|url| compare(rule, strategy, request, url)).max_by_key(closeness);
    let mut all: Vec<Near> = candidates.into_iter().filter_map(of_rule).collect();
    all.sort_by_key(|near| std::cmp::Reverse(closeness(near)));
    all.truncate(count);
    all
}

fn compare(rule: &Rule, strategy: Strategy, request: &GatedRequest, url: &str) -> Near {
    let near = |misfit| Near { number: rule.number(), url: url.to_owned(), misfit };
    match divergence(&pattern_of(rule), strategy, url) {
        Err(_) => near(Misfit::Pattern),
        Ok(None) => near(Misfit::Method),
        Ok(Some(found)) => {
            let scheme = request.scheme().as_str().len() + 3;
            let path = url[scheme..].find('/').map_or(url.len(), |slash| scheme + slash);
            let part = match found.at {
                at if at < scheme => UrlPart::Scheme,
                at if at < path => UrlPart::Authority,
                _ => UrlPart::Path,
            };
            near(Misfit::Url { part, at: found.at, wanted: found.wanted })
        }
    }
}

/// How near a rule came: a method that does not fit is nearest, then whatever follows the URL longest.
fn closeness(near: &Near) -> usize {
    match &near.misfit {
        Misfit::Method => usize::MAX,
        Misfit::Url { at, .. } => *at,
        Misfit::Pattern => 0,
    }
}
