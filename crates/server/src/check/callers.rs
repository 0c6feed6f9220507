//! Rules whose upstream no longer gets the caller's credential (`caller-credential` of `conformance/differences.toml`).

use keyward_core::diagnostic::Diagnostic;
use keyward_core::rule::Rule;

use crate::config::notes::Note;
use crate::snapshot::Built;

/// One finding for each rule whose upstream cannot know who calls: nothing is put in the credential's place.
pub(super) fn unknown(built: &Built) -> Vec<Note> {
    let hint = "write `upstream.forward_caller_credential: true` to pass it on, or say who calls with the mutator `header` \
                or `id_token`";
    let says =
        "Oathkeeper passes the caller's credential on; here it is removed, and nothing tells the upstream who calls";
    let notes = notes(built, |rule| rule.sets_nothing(), says).into_iter();
    notes.map(|Note { row, finding }| Note { row, finding: finding.hint(hint) }).collect()
}

/// One for each whose upstream learns something else: it may want the credential all the same.
pub(super) fn told(built: &Built) -> Vec<Note> {
    let says = "Oathkeeper passes the caller's credential on, beside what mutators set; here it is removed";
    notes(built, |rule| !rule.sets_nothing(), says)
}

fn notes(built: &Built, is_meant: impl Fn(&Rule) -> bool, says: &str) -> Vec<Note> {
    let rules = built.snapshot.rules.rules().iter().zip(&built.places);
    rules
        .filter(|(rule, _)| rule.removes_credential() && is_meant(rule))
        .map(|(rule, place)| {
            let finding = Diagnostic::warning(format!("rule `{}`: {says}", rule.id())).at(place);
            Note { row: "caller-credential", finding }
        })
        .collect()
}
