//! Rules that look as if they were for websockets (`upgrade-needs-permission` of `conformance/differences.toml`).

use keyward_core::diagnostic::Diagnostic;

use crate::config::notes::Note;
use crate::explain::nearest::pattern_of;
use crate::snapshot::Built;

/// What paths of websockets are called. Whether callers upgrade there nothing says for sure.
const SEGMENTS: [&str; 5] = ["socket.io", "websocket", "websockets", "ws", "wss"];

/// One finding for each such rule that permits no upgrade.
pub(super) fn notes(built: &Built) -> Vec<Note> {
    let rules = built.snapshot.rules.rules().iter().zip(&built.places);
    rules
        .filter(|(rule, _)| rule.upstream().is_some_and(|upstream| upstream.upgrade.is_empty()))
        .filter(|(rule, _)| pattern_of(rule).split('/').skip(3).any(|segment| SEGMENTS.contains(&segment)))
        .map(|(rule, place)| {
            let finding = Diagnostic::warning(format!(
                "rule `{}`: where callers upgrade to websockets, they are denied without `upstream.upgrade: [websocket]`",
                rule.id()
            ));
            Note { row: "upgrade-needs-permission", finding: finding.at(place) }
        })
        .collect()
}
