//! CPU time per request over some kept connections.

use super::Bench;
use super::report::Row;
use super::rivals::OTHERS;
use super::rounds::{Contender, interleave};
use super::set_ups::{Authenticator, SET_UPS};
use super::side::SideService;

/// Keep-alive connections.
pub(super) const CONNECTIONS: u32 = 32;

/// Every set-up of Keyward, and the others, beside nginx.
pub(super) fn run(bench: &Bench) -> Result<Vec<Row>, String> {
    let stage = &bench.stage;
    let _upstream = stage.upstream()?;
    let side = SideService::start(stage)?;
    // It looks at no credential; one as long as the others' has to be read.
    let jwt = Authenticator::Jwt;
    let nginx = Contender { title: "nginx".to_owned(), server: stage.nginx()?, authenticator: jwt };
    let mut others = Vec::new();
    for set_up in &SET_UPS {
        let (title, authenticator) = (set_up.title.to_owned(), set_up.authenticator);
        others.push(Contender { title, server: stage.keyward(set_up)?, authenticator });
    }
    for other in &OTHERS {
        match other.start(stage)? {
            Some(server) => others.push(Contender { title: other.title.to_owned(), server, authenticator: jwt }),
            None => println!("skipped: no {}", other.program),
        }
    }
    interleave(bench, &side, &nginx, &others, CONNECTIONS, bench.rounds(11))
}
