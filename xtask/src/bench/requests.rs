//! CPU time per request for small answers over kept connections: with one token, with many, and with tokens that nobody
//! has seen before.

use super::Bench;
use super::callers::{Callers, ISSUE, Requests};
use super::process::Server;
use super::report::Row;
use super::rivals::OTHERS;
use super::rounds::{Contender, Trial, interleave};
use super::set_ups::{Authenticator, SET_UPS, SetUp};
use super::setup::Spoken;
use super::side::SideService;

/// Keep-alive connections, except where it is said otherwise.
pub(super) const CONNECTIONS: u32 = 32;
/// Where there are many.
pub(super) const MANY_CONNECTIONS: u32 = 256;
/// Those of callers that take turns.
pub(super) const TOKENS: usize = 2000;
/// Tokens of a round in which none is known, in a brief run and in a full one.
const NEW_TOKENS: [usize; 2] = [2000, 20_000];

/// Every set-up of Keyward, and the others, with one token.
pub(super) fn one_token(bench: &Bench) -> Result<Vec<Row>, String> {
    let load = |bench: &Bench, authenticator| Callers::small(&bench.stage, authenticator, CONNECTIONS);
    beside_nginx(bench, &SET_UPS, bench.rounds(11), load)
}

/// The same over more connections.
pub(super) fn many_connections(bench: &Bench) -> Result<Vec<Row>, String> {
    let load = |bench: &Bench, authenticator| Callers::small(&bench.stage, authenticator, MANY_CONNECTIONS);
    beside_nginx(bench, &SET_UPS[..1], bench.rounds(11), load)
}

/// Many callers in turn, all of whom were there before.
pub(super) fn tokens_in_turn(bench: &Bench) -> Result<Vec<Row>, String> {
    let tokens = bench.stage.tokens().at_least(TOKENS)?.to_owned();
    let load = |_: &Bench, _| Ok(with(Requests::InTurn { tokens: tokens.clone(), count: TOKENS }));
    beside_nginx(bench, &SET_UPS[..1], bench.rounds(11), load)
}

/// Each request from somebody whom nobody has seen before.
pub(super) fn new_tokens(bench: &Bench) -> Result<Vec<Row>, String> {
    let [brief, full] = NEW_TOKENS;
    let count = if bench.brief { brief } else { full };
    let rounds = bench.rounds(5);
    let lines = Callers::lines(count, CONNECTIONS, rounds);
    let tokens = bench.stage.tokens().at_least(lines)?.to_owned();
    let load = |_: &Bench, _| Ok(with(Requests::Once { tokens: tokens.clone(), count }));
    beside_nginx(bench, &SET_UPS[..1], rounds, load)
}

fn with(requests: Requests) -> Callers {
    Callers { spoken: Spoken::Http1, path: ISSUE, connections: CONNECTIONS, requests }
}

/// Set-ups of Keyward and the others, each beside nginx under the same load.
fn beside_nginx(
    bench: &Bench,
    set_ups: &[SetUp],
    rounds: u32,
    load: impl Fn(&Bench, Authenticator) -> Result<Callers, String>,
) -> Result<Vec<Row>, String> {
    let stage = &bench.stage;
    let _upstream = stage.upstream()?;
    let side = SideService::start(stage)?;
    let nginx = stage.nginx()?;
    let mut servers: Vec<(&str, Server, Authenticator)> = Vec::new();
    for set_up in set_ups {
        servers.push((set_up.title, stage.keyward(set_up)?, set_up.authenticator));
    }
    for other in &OTHERS {
        match other.start(stage)? {
            Some(server) => servers.push((other.title, server, Authenticator::Jwt)),
            None => println!("skipped: no {}", other.program),
        }
    }
    let trials = servers.iter().map(|(title, server, authenticator)| {
        let contender = |title: &str, server, authenticator| {
            Ok::<_, String>(Contender { title: title.to_owned(), server, load: Box::new(load(bench, authenticator)?) })
        };
        Ok(Trial {
            own: contender(title, server, *authenticator)?,
            // It looks at no credential; one as long as a token has to be read.
            reference: contender("nginx", &nginx, Authenticator::Jwt)?,
            guarded: true,
            asks: authenticator.asks(),
            warm_up: bench.warm_up(),
        })
    });
    interleave(bench, Some(&side), &trials.collect::<Result<Vec<_>, String>>()?, rounds)
}
