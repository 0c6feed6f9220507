//! Whether the secrets that a rule uses go only where they may be sent.

use http::HeaderName;

use crate::credential::{Credential, Used};
use crate::diagnostic::Diagnostic;
use crate::hosts::Hosts;
use crate::rule::upstream::{Upstream, UpstreamOrigin};

/// Checks what a handler uses. What an authorizer uses goes to the services that it calls; what a mutator
/// uses, to the upstream, too.
pub(super) fn check(used: &Used, upstream: Option<&Upstream>, sets_headers: bool) -> Result<(), Diagnostic> {
    for credential in &used.credentials {
        let Credential::Named { name, hosts: Some(hosts), .. } = credential else { continue };
        for service in &used.services {
            check_host(name, hosts, service, "a side service")?;
        }
        if sets_headers || used.services.is_empty() {
            check_upstream(name, hosts, upstream)?;
        }
    }
    Ok(())
}

/// What the audit record says was injected: the secrets of each mutator, or else the headers in which it puts
/// a credential.
pub(super) fn injected(used: &Used, headers: Vec<HeaderName>) -> Vec<String> {
    match used.credentials.as_slice() {
        [] => headers.iter().map(|name| name.as_str().to_owned()).collect(),
        credentials => credentials.iter().map(Credential::to_string).collect(),
    }
}

/// Whether one of the secrets may go to some hosts only.
pub(super) fn is_bound(used: &Used) -> bool {
    used.credentials.iter().any(|credential| matches!(credential, Credential::Named { hosts: Some(_), .. }))
}

fn check_upstream(name: &str, hosts: &Hosts, upstream: Option<&Upstream>) -> Result<(), Diagnostic> {
    let Some(upstream) = upstream else {
        let text = format!(
            "the secret `{name}` may be sent to {hosts} only, and the rule has no `upstream.url`: \
             whoever asks the decision API would get it"
        );
        return Err(Diagnostic::error(text).hint("write `upstream.url`, or take `hosts` from the secret"));
    };
    check_host(name, hosts, upstream.origin(), "the upstream")?;
    if upstream.preserve_host {
        let text = format!(
            "the secret `{name}` may be sent to {hosts} only, and with `preserve_host` the caller's `Host` \
             decides who answers at the upstream"
        );
        return Err(Diagnostic::error(text).hint("remove `upstream.preserve_host`, or take `hosts` from the secret"));
    }
    Ok(())
}

fn check_host(name: &str, hosts: &Hosts, to: &UpstreamOrigin, noun: &str) -> Result<(), Diagnostic> {
    let UpstreamOrigin { host, port, .. } = to;
    if hosts.cover(host, *port) {
        return Ok(());
    }
    let shown = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    let text = format!("the secret `{name}` may be sent to {hosts} only, and {noun} is `{shown}`");
    Err(Diagnostic::error(text).hint(format!("use another secret, or add `{host}` to `hosts` of `{name}`")))
}
