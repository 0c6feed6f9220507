//! The compiled rules in use, and how one is found for a request.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use crate::gate::{GatedRequest, path};
use crate::pipeline::denial::{Denial, ErrorKind, Reason};
use crate::rule::Rule;
use crate::rule::index::RuleIndex;
use crate::rule::pattern::steps::Steps;
use crate::rule::pattern::{Pattern, Spelling};

/// An immutable set of rules. A request sees one set from beginning to end.
pub struct RuleSet {
    rules: Vec<Arc<Rule>>,
    index: RuleIndex,
    /// For paths whose escapes are undone, when some rule's text is another one then.
    unescaped_index: Option<RuleIndex>,
    aliases: Aliases,
    version: String,
}

/// By which names callers reach this proxy (`access_rules.match_authority`, `serve.proxy.authorities`).
#[derive(Clone, Debug, Default)]
pub struct Authorities {
    /// The proxy's own port; `None` switches every alias off (`match_authority: strict`).
    pub own_port: Option<u16>,
    /// Further names, as `host` or `host:port`, lower case.
    pub names: Vec<String>,
}

/// Authorities (`host:port`) of rules that are written for the proxy's own port.
struct Aliases {
    authorities: Authorities,
    targets: Vec<String>,
}

impl RuleSet {
    /// Indexes compiled rules; `rules[n].number` must be `n`. `step` is called again and again, after each
    /// rule: indexing many takes a while, for which the caller may have to let others past.
    pub fn new(rules: Vec<Arc<Rule>>, authorities: Authorities, version: String, step: &dyn Fn()) -> Self {
        let patterns = || rules.iter().filter_map(indexed);
        let index = RuleIndex::build(patterns(), Spelling::Sent, step);
        let has_escaped_text = patterns().any(|(_, pattern)| pattern.has_escaped_text());
        let unescaped_index = has_escaped_text.then(|| RuleIndex::build(patterns(), Spelling::Unescaped, step));
        let targets: BTreeSet<String> = patterns()
            .filter_map(|(_, pattern)| literal_authority(pattern.literal_prefix()))
            .filter(|(scheme, authority)| {
                authorities.own_port.is_some_and(|own| port_of(scheme, authority) == Some(own))
            })
            .map(|(_, authority)| authority.to_owned())
            .collect();
        let aliases = Aliases { authorities, targets: targets.into_iter().collect() };
        Self { rules, index, unescaped_index, aliases, version }
    }

    /// The rules, in order.
    pub fn rules(&self) -> &[Arc<Rule>] {
        &self.rules
    }

    /// The rules alone, in order.
    pub fn into_rules(self) -> Vec<Arc<Rule>> {
        self.rules
    }

    /// The rule of a number.
    pub fn rule(&self, number: u32) -> Option<&Arc<Rule>> {
        self.rules.get(number as usize)
    }

    /// What identifies this set: a hash of its content.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The one rule that matches. None, several, and a pattern that gives up are denials.
    ///
    /// When nothing matches the exact authority and the caller used another name of this proxy, the
    /// rules written for the proxy's own port are asked under theirs.
    ///
    /// Patterns are asked for the path as it is sent. Whoever wrote them may have thought of it without
    /// escapes: what `<[^@]*>` excludes must stay excluded when it comes as `%40`. So a rule serves a path with
    /// escapes only if it is the one for the path without them, too, or speaks of escapes itself.
    pub fn find(&self, request: &GatedRequest) -> Result<&Arc<Rule>, Denial> {
        let mut steps = Steps::default();
        let found = self.search(request, request.url(), request.path(), Spelling::Sent, &mut steps)?;
        let found = found.ok_or_else(|| Denial::new(ErrorKind::NotFound, Reason::NoRule))?;
        let Cow::Owned(path) = path::unescaped(request.path()) else { return Ok(found) };
        let url = format!("{}://{}{path}", request.scheme().as_str(), request.authority());
        match self.search(request, &url, &path, Spelling::Unescaped, &mut steps)? {
            Some(rule) if Arc::ptr_eq(rule, found) => Ok(found),
            Some(other) => Err(several(found, other)),
            None if found.pattern.as_ref().is_some_and(Pattern::names_escapes) => Ok(found),
            None => Err(Denial::new(ErrorKind::NotFound, Reason::NoRule)),
        }
    }

    fn search(
        &self,
        request: &GatedRequest,
        url: &str,
        path: &str,
        spelling: Spelling,
        steps: &mut Steps,
    ) -> Result<Option<&Arc<Rule>>, Denial> {
        let mut search = Search { set: self, request, spelling, steps, found: None };
        search.run(url)?;
        if search.found.is_none() {
            for url in self.aliases(request, path) {
                search.run(&url)?;
            }
        }
        Ok(search.found)
    }

    /// With how many rules a request for `url` is compared.
    pub fn candidates(&self, url: &str) -> usize {
        let mut count = 0;
        self.index.candidates(url, |_| count += 1);
        count
    }

    /// Under which other URLs a request is looked for when nothing matches its own.
    pub fn aliases_of(&self, request: &GatedRequest) -> impl Iterator<Item = String> {
        self.aliases(request, request.path())
    }

    fn aliases(&self, request: &GatedRequest, path: &str) -> impl Iterator<Item = String> {
        let targets = if self.aliases.apply_to(request) { &*self.aliases.targets } else { &[] };
        let scheme = request.scheme().as_str();
        targets.iter().map(move |authority| format!("{scheme}://{authority}{path}"))
    }

    fn index(&self, spelling: Spelling) -> &RuleIndex {
        match (spelling, &self.unescaped_index) {
            (Spelling::Unescaped, Some(index)) => index,
            _ => &self.index,
        }
    }
}

fn indexed(rule: &Arc<Rule>) -> Option<(u32, &Pattern)> {
    rule.pattern.as_ref().map(|pattern| (rule.number, pattern))
}

struct Search<'s, 'r> {
    set: &'s RuleSet,
    request: &'r GatedRequest,
    spelling: Spelling,
    /// One allowance for all patterns, however many rules there are.
    steps: &'r mut Steps,
    found: Option<&'s Arc<Rule>>,
}

impl<'s> Search<'s, '_> {
    fn run(&mut self, url: &str) -> Result<(), Denial> {
        let mut denial = None;
        let spelling = self.spelling;
        self.set.index(spelling).candidates(url, |number| {
            let Some(rule) = self.set.rule(number) else { return };
            if denial.is_some() || !rule.allows_method(self.request.method()) {
                return;
            }
            let pattern = rule.pattern.as_ref();
            match pattern.map_or(Ok(false), |pattern| pattern.is_match_within(url, spelling, self.steps)) {
                Ok(false) => {}
                Ok(true) => match self.found {
                    Some(other) => denial = Some(several(other, rule)),
                    None => self.found = Some(rule),
                },
                Err(error) => {
                    denial = Some(Denial::internal(
                        Reason::PatternFailed,
                        format!("the pattern of rule `{}` gave up: {error}", rule.id),
                    ));
                }
            }
        });
        denial.map_or(Ok(()), Err)
    }
}

fn several(one: &Rule, other: &Rule) -> Denial {
    Denial::internal(Reason::SeveralRules, format!("rules `{}` and `{}` both match", one.id, other.id))
}

impl Aliases {
    fn apply_to(&self, request: &GatedRequest) -> bool {
        let authority = request.authority();
        let port = port_of(request.scheme().as_str(), authority);
        let (host, _) = split_port(authority);
        let loopback = host == "localhost"
            || host.ends_with(".localhost")
            || host
                .trim_matches(['[', ']'])
                .parse::<std::net::IpAddr>()
                .is_ok_and(|address| address.to_canonical().is_loopback());
        (loopback && port.is_some() && port == self.authorities.own_port)
            || self.authorities.names.iter().any(|name| match split_port(name) {
                (name, None) => name == host,
                // Requests come without a default port, names may be written with it.
                (name, named) => name == host && named.and_then(|named| named.parse().ok()) == port,
            })
    }
}

/// Scheme and authority of a pattern whose authority is wholly literal.
pub(crate) fn literal_authority(prefix: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = prefix.split_once("://")?;
    let (authority, _) = rest.split_once('/')?;
    Some((scheme, authority))
}

/// The port that is written in a literal authority; not the one that its scheme means.
pub(crate) fn written_port(prefix: &str) -> Option<u16> {
    split_port(literal_authority(prefix)?.1).1?.parse().ok()
}

fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

fn port_of(scheme: &str, authority: &str) -> Option<u16> {
    match split_port(authority).1 {
        Some(port) => port.parse().ok(),
        None => Some(if scheme == "https" { 443 } else { 80 }),
    }
}
