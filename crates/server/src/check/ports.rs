//! Rules for a port that nothing here listens on: a proxy that was moved to another port, without its rules.

use keyward_core::diagnostic::Diagnostic;

use crate::config::settings::Settings;
use crate::snapshot::Built;

/// One finding for all rules with such a port. A proxy in front may well send what callers sent to it, so it is no more than a
/// hint.
pub(super) fn elsewhere(built: &Built, settings: &Settings) -> Option<Diagnostic> {
    let own = settings.proxy.listener.port;
    let ports = [own, settings.api.listener.port];
    // Any free port will do: which one that is shows later.
    if ports.contains(&0) {
        return None;
    }
    let rules = built.snapshot.rules.rules().iter().zip(&built.places);
    let mut elsewhere = rules.filter_map(|(rule, place)| {
        let port = rule.written_port().filter(|port| !ports.contains(port))?;
        Some((rule, place, port))
    });
    let (rule, place, port) = elsewhere.next()?;
    let more = match elsewhere.count() {
        0 => String::new(),
        others => format!(", and so with {others} more"),
    };
    let message = format!(
        "rule `{}`: it is for port {port}, and the proxy listens on {own}: what callers send there is not for this rule{more}",
        rule.id()
    );
    let hint = "nothing is wrong when a proxy in front of this one passes on the host and port that callers used; otherwise \
                change `serve.proxy.port` or the rule";
    Some(Diagnostic::warning(message).at(place).hint(hint))
}
