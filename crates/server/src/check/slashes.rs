//! Paths with a slash at their end (`trailing-slash` of `conformance/differences.toml`): Oathkeeper removes it before
//! it looks for a rule. In rules written for it, such a path can come to another rule here, or to none.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use http::{Method, Request, Version};
use keyward_core::diagnostic::Diagnostic;
use keyward_core::gate::{Arrival, admit};
use keyward_core::pipeline::denial::Reason;
use keyward_core::pipeline::observe::StepKind;
use keyward_core::rule::Rule;
use keyward_core::rule::pattern::samples::samples;
use keyward_core::rule::pattern::{Pattern, Strategy};

use crate::config::notes::Note;
use crate::explain::nearest::pattern_of;
use crate::snapshot::Built;

const ROW: &str = "trailing-slash";
/// With so many patterns URLs are compared at most: some seconds, which only thousands of rules take that all begin
/// with a variable part, or with the same text.
const COMPARISONS: usize = 5_000_000;

/// What takes a request.
enum Taker<'b> {
    Rule(&'b Arc<Rule>),
    Nobody,
    Several,
}

/// What takes a request that Oathkeeper would have left to a rule.
#[derive(Clone, Copy)]
enum Instead {
    Nobody,
    Several,
    Other(u32),
}

impl Instead {
    /// How bad that is: another rule may permit what this one denies.
    fn rank(self) -> u8 {
        match self {
            Self::Nobody => 0,
            Self::Several => 1,
            Self::Other(_) => 2,
        }
    }
}

/// A request by which it shows.
struct Shown {
    method: Method,
    url: String,
    instead: Instead,
}

/// What is different for requests whose path ends in a slash.
pub(super) struct Slashes {
    /// One finding for each rule that loses one to other rules, the worst first.
    pub(super) lost: Vec<Note>,
    /// One for each rule that loses one to nobody, which is what most rules do and what closes nothing.
    pub(super) unserved: Vec<Note>,
    /// One for all rules that gain one, which no rule took.
    pub(super) gained: Option<Note>,
}

/// Looks at every rule whose pattern lets an example be made up.
pub(super) fn look(built: &Built, strategy: Strategy) -> Slashes {
    let mut search = Search { built, left: COMPARISONS, lost: BTreeMap::new(), gained: BTreeMap::new() };
    let rules = built.snapshot.rules.rules();
    let stopped = rules.iter().find(|rule| !search.look(rule));
    let note = |finding| Note { row: ROW, finding };
    let mut worst: Vec<(&u32, &Shown)> = search.lost.iter().collect();
    worst.sort_by_key(|(_, shown)| std::cmp::Reverse(shown.instead.rank()));
    let (unserved, worst): (Vec<_>, Vec<_>) =
        worst.into_iter().partition(|(_, shown)| matches!(shown.instead, Instead::Nobody));
    let found = |all: Vec<(&u32, &Shown)>| -> Vec<Diagnostic> {
        all.into_iter().filter_map(|(number, shown)| lost(built, strategy, *number, shown)).collect()
    };
    let lost = found(worst).into_iter().chain(stopped.map(|rule| {
        let message = format!("from rule `{}` on, paths with a slash at their end were not looked at", rule.id());
        let hint = "it would take too long: many patterns begin alike; write what they have for themselves further to the front";
        placed(Diagnostic::warning(message).hint(hint), built, rule.number())
    }));
    Slashes {
        lost: lost.map(note).collect(),
        unserved: found(unserved).into_iter().map(note).collect(),
        gained: gained(built, &search.gained).map(note),
    }
}

struct Search<'b> {
    built: &'b Built,
    /// How many comparisons are left.
    left: usize,
    /// The worst example for each rule that loses a request.
    lost: BTreeMap<u32, Shown>,
    /// The first URL for each rule that takes one which no rule took.
    gained: BTreeMap<u32, String>,
}

impl<'b> Search<'b> {
    /// Whether there was time enough for this rule.
    fn look(&mut self, rule: &Arc<Rule>) -> bool {
        let Some(pattern) = rule.pattern().filter(|_| rule.broken().is_none()) else { return true };
        let bases: BTreeSet<String> =
            samples(&pattern_of(rule), pattern).iter().filter_map(|url| without_slash(url)).collect();
        for base in bases {
            let slashed = format!("{base}/");
            for method in rule.methods() {
                let (Some(there), Some(here)) = (self.taker(method, &base), self.taker(method, &slashed)) else {
                    continue;
                };
                let (loser, instead) = match (there, here) {
                    (Taker::Rule(loser), Taker::Rule(winner)) if !Arc::ptr_eq(loser, winner) => {
                        (loser, Instead::Other(winner.number()))
                    }
                    (Taker::Rule(loser), Taker::Several) => (loser, Instead::Several),
                    (Taker::Rule(loser), Taker::Nobody) => (loser, Instead::Nobody),
                    (Taker::Nobody, Taker::Rule(winner)) => {
                        self.gained.entry(winner.number()).or_insert_with(|| slashed.clone());
                        continue;
                    }
                    _ => continue,
                };
                if self.lost.get(&loser.number()).is_none_or(|known| known.instead.rank() < instead.rank()) {
                    let shown = Shown { method: method.clone(), url: slashed.clone(), instead };
                    self.lost.insert(loser.number(), shown);
                }
            }
        }
        self.left > 0
    }

    /// What takes a request; nothing is claimed for one that does not pass the gate.
    fn taker(&mut self, method: &Method, url: &str) -> Option<Taker<'b>> {
        let snapshot = &self.built.snapshot;
        self.left = self.left.saturating_sub(1 + snapshot.rules.candidates(url));
        let method = Method::from_bytes(method.as_str().to_ascii_uppercase().as_bytes()).ok()?;
        let request = Request::builder().method(method).uri(url).version(Version::HTTP_2).body(()).ok()?;
        let arrival = Arrival { tls: url.starts_with("https:"), peer: ([127, 0, 0, 1], 1).into(), violation: None };
        let request = admit(&mut request.into_parts().0, &arrival, &snapshot.gate).ok()?;
        match snapshot.rules.find(&request) {
            Ok(rule) => Some(Taker::Rule(rule)),
            Err(denial) => match denial.reason {
                Reason::NoRule => Some(Taker::Nobody),
                Reason::SeveralRules => Some(Taker::Several),
                _ => None,
            },
        }
    }
}

/// A URL without the slash at its end; none for the root, whose slash stays.
fn without_slash(url: &str) -> Option<String> {
    let base = url.strip_suffix('/').unwrap_or(url);
    let (_, rest) = base.split_once("://")?;
    rest.contains('/').then(|| base.to_owned())
}

fn lost(built: &Built, strategy: Strategy, number: u32, shown: &Shown) -> Option<Diagnostic> {
    let rule = built.snapshot.rules.rule(number)?;
    let Shown { method, url, instead } = shown;
    let optional = with_optional_slash(rule, strategy, url);
    let (happens, hint) = match instead {
        Instead::Nobody => {
            ("no rule takes it here".to_owned(), optional.map(|own| format!("write `{own}` to take both")))
        }
        Instead::Several => (
            "several rules take it here, and it is denied".to_owned(),
            Some(format!("let one of them want something behind the slash, such as {}", something(strategy))),
        ),
        Instead::Other(other) => {
            let other = built.snapshot.rules.rule(*other)?;
            let asks_less = if checks(rule) && !checks(other) { ", which asks for no credential" } else { "" };
            let rest =
                format!("let rule `{}` want something behind the slash, such as {}", other.id(), something(strategy));
            let hint = optional.map_or_else(|| rest.clone(), |own| format!("write `{own}`, and {rest}"));
            (format!("rule `{}` takes it here{asks_less}", other.id()), Some(hint))
        }
    };
    let message = format!(
        "rule `{}`: Oathkeeper removes the slash of `{method} {url}` and leaves it to this rule; {happens}",
        rule.id()
    );
    Some(placed(Diagnostic { hint, ..Diagnostic::warning(message) }, built, number))
}

fn gained(built: &Built, all: &BTreeMap<u32, String>) -> Option<Diagnostic> {
    let (number, url) = all.first_key_value()?;
    let rule = built.snapshot.rules.rule(*number)?;
    let others = match all.len() - 1 {
        0 => String::new(),
        1 => ", and another rule one like it".to_owned(),
        more => format!(", and {more} other rules ones like it"),
    };
    let message = format!("rule `{}` takes `{url}`{others}; Oathkeeper removes the slash and finds no rule", rule.id());
    Some(placed(Diagnostic::warning(message), built, *number))
}

fn placed(finding: Diagnostic, built: &Built, number: u32) -> Diagnostic {
    match built.places.get(number as usize) {
        Some(place) => finding.at(place),
        None => finding,
    }
}

/// How a pattern wants at least one character.
fn something(strategy: Strategy) -> &'static str {
    match strategy {
        Strategy::Glob => "`<?**>` for `<**>`",
        Strategy::Regexp => "`<.+>` for `<.*>`",
    }
}

/// The rule's pattern with a slash that may be missing, if that takes both.
fn with_optional_slash(rule: &Rule, strategy: Strategy, slashed: &str) -> Option<String> {
    let optional = match strategy {
        Strategy::Glob => "<{,/}>",
        Strategy::Regexp => "</?>",
    };
    let text = pattern_of(rule) + optional;
    let pattern = Pattern::compile(&text, strategy).ok()?;
    let takes = |url: &str| pattern.is_match(url) == Ok(true);
    (takes(slashed) && slashed.strip_suffix('/').is_some_and(takes)).then_some(text)
}

/// Whether callers need a credential for it.
fn checks(rule: &Rule) -> bool {
    let open = |(kind, id): (StepKind, &str)| kind == StepKind::Authenticator && matches!(id, "anonymous" | "noop");
    !rule.steps().any(open)
}
