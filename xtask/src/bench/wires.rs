//! CPU time per request where bytes cost more than decisions: large bodies, TLS, HTTP/2.

use super::Bench;
use super::callers::{Callers, ISSUE, Requests};
use super::keyward::Wiring;
use super::machine;
use super::report::Row;
use super::requests::CONNECTIONS;
use super::rounds::{Contender, Trial, interleave};
use super::set_ups::{Authenticator, SET_UPS};
use super::setup::Spoken;
use super::side::Asks;

/// For bodies, and for HTTP/2, where each has several requests under way.
const FEW_CONNECTIONS: u32 = 8;

/// Bodies of 1 MiB, down and up.
pub(super) fn bodies(bench: &Bench) -> Result<Vec<Row>, String> {
    let header = Authenticator::Jwt.credential(&bench.stage.tokens().first()?);
    let load = |path, requests| Callers { spoken: Spoken::Http1, path, connections: FEW_CONNECTIONS, requests };
    let loads = [
        ("1 MiB down", load("/jira/large", Requests::Alike(header.clone()))),
        ("1 MiB up", load("/jira/upload", Requests::Upload(header))),
    ];
    beside_nginx(bench, &loads)
}

/// TLS on both sides, over connections that are kept.
pub(super) fn tls(bench: &Bench) -> Result<Vec<Row>, String> {
    beside_nginx(bench, &[("HTTP/1.1 over TLS", small(bench, Spoken::Http1OverTls, CONNECTIONS)?)])
}

/// HTTP/2 over TLS on both sides.
pub(super) fn http2(bench: &Bench) -> Result<Vec<Row>, String> {
    if machine::find("h2load").is_none() {
        println!("skipped: http2, no h2load");
        return Ok(Vec::new());
    }
    beside_nginx(bench, &[("HTTP/2 over TLS", small(bench, Spoken::Http2OverTls, FEW_CONNECTIONS)?)])
}

fn small(bench: &Bench, spoken: Spoken, connections: u32) -> Result<Callers, String> {
    let requests = Requests::Alike(Authenticator::Jwt.credential(&bench.stage.tokens().first()?));
    Ok(Callers { spoken, path: ISSUE, connections, requests })
}

/// Loads that speak alike, put on Keyward and on nginx.
fn beside_nginx(bench: &Bench, loads: &[(&str, Callers)]) -> Result<Vec<Row>, String> {
    let stage = &bench.stage;
    let spoken = loads.first().map_or(Spoken::Http1, |(_, load)| load.spoken);
    let _upstream = stage.upstream()?;
    let nginx = stage.nginx_speaking(spoken)?;
    let keyward = stage.keyward_wired(&SET_UPS[0], &Wiring { spoken, ..Wiring::default() })?;
    let trials: Vec<Trial<'_>> = loads
        .iter()
        .map(|(what, load)| Trial {
            own: Contender { title: format!("keyward, {what}"), server: &keyward, load: Box::new(load.clone()) },
            reference: Contender { title: format!("nginx, {what}"), server: &nginx, load: Box::new(load.clone()) },
            guarded: true,
            asks: Asks::Nothing,
            warm_up: bench.warm_up(),
        })
        .collect();
    interleave(bench, None, &trials, bench.rounds(5))
}
