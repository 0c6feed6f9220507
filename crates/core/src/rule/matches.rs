//! What requests a rule is for: its pattern, and the mistakes that leave a rule without any.

use crate::diagnostic::Diagnostic;
use crate::rule::model::WrittenRule;
use crate::rule::pattern::{Pattern, Strategy};

/// What the rule matches; nothing for an RPC rule.
pub(super) fn pattern(written: &WrittenRule, strategy: Strategy) -> Result<Option<Pattern>, Diagnostic> {
    let Some(matches) = &written.definition.matches else {
        return Err(Diagnostic::error("`match` is missing").hint("add `match: {url: ..., methods: [...]}`"));
    };
    let origin = written.node.get("match").map_or(&written.node.origin, |node| &node.origin);
    if matches.is_rpc() {
        return Ok(None);
    }
    let url = matches.url.as_deref().unwrap_or_default();
    let origin = written.node.get("match.url").map_or(origin, |node| &node.origin);
    if url.is_empty() {
        return Err(Diagnostic::error("`match.url` is empty").at(origin).hint("write scheme, host and path"));
    }
    let hint = match strategy {
        Strategy::Regexp if is_glob(url) => "it looks like a glob: set `access_rules.matching_strategy: glob`",
        Strategy::Glob => "`<...>` holds a glob of `*`, `**`, `?`, `[a-c]` and `{a,b}`; the rest is literal",
        Strategy::Regexp => "`<...>` holds a regular expression that is whole by itself; the rest is literal",
    };
    Pattern::compile(url, strategy)
        .map(Some)
        .map_err(|error| Diagnostic::error(format!("`match.url`: {error}")).at(origin).hint(hint))
}

/// What is no mistake to the reference, but leaves a rule without any request.
pub(super) fn without_requests(written: &WrittenRule, pattern: Option<&Pattern>) -> Option<Diagnostic> {
    match pattern {
        Some(pattern) => matches_nothing(written, pattern),
        None => Some(for_middleware(written)),
    }
}

/// An RPC rule is for the middleware of Oathkeeper's Go library; its proxy and its decision API pass such rules
/// over, too (serving spec 5.1).
fn for_middleware(written: &WrittenRule) -> Diagnostic {
    let place = written.node.get("match.full_method").unwrap_or(&written.node);
    Diagnostic::warning("`match.full_method` makes it an RPC rule, which no HTTP request matches")
        .at(&place.origin)
        .hint("write `match: {url: ..., methods: [...]}` for requests that come to this proxy")
}

fn matches_nothing(written: &WrittenRule, pattern: &Pattern) -> Option<Diagnostic> {
    let matches = written.definition.matches.as_ref()?;
    let place = |path: &str| written.node.get(path).or_else(|| written.node.get("match")).unwrap_or(&written.node);
    let methods = matches.methods.as_deref().unwrap_or_default();
    if methods.is_empty() {
        let finding = Diagnostic::warning("`match.methods` is empty: the rule matches nothing");
        return Some(finding.at(&place("match.methods").origin).hint("add `methods: [GET]`"));
    }
    if let Some(name) = methods.iter().find(|name| http::Method::from_bytes(name.as_bytes()).is_err()) {
        let finding = Diagnostic::warning(format!("`{name}` is not a method: no request can have it"));
        return Some(finding.at(&place("match.methods").origin).hint("write methods as `[GET, POST]`"));
    }
    let prefix = pattern.literal_prefix();
    let schemes = ["http://", "https://"];
    if schemes.iter().any(|scheme| prefix.starts_with(scheme) || scheme.starts_with(&**prefix)) {
        return None;
    }
    let finding =
        Diagnostic::warning("`match.url` does not start with `http://` or `https://`: the rule matches nothing");
    Some(finding.at(&place("match.url").origin).hint("write scheme, host and path"))
}

/// Whether a pattern that is no regular expression is written as a glob: a `*` that repeats nothing is one's mark.
fn is_glob(url: &str) -> bool {
    (url.contains("<*") || url.contains("**")) && Pattern::compile(url, Strategy::Glob).is_ok()
}
