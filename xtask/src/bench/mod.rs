//! CPU time per request beside nginx as a plain `proxy_pass`, on one core, in the same minutes; of Keyward and of others
//! that do its job, where they are installed.
//!
//! The proxy under test has core 0 to itself; the load generator, the upstream and the side service share
//! core 1. CPU time is read from `/proc`, so that waiting costs nothing and a noisy neighbour costs little.
//! Rounds are short and interleaved; each sample is divided by one of nginx taken right before it, and the
//! median of these ratios counts.
//!
//! A run fails when a request is answered badly, or when connections to the side service are set up per
//! call.

mod process;
mod report;
mod rivals;
mod set_ups;
mod setup;
mod side;

use std::path::PathBuf;
use std::time::Duration;

use self::process::Server;
use self::report::Row;
use self::rivals::OTHERS;
use self::set_ups::{Authenticator, SET_UPS};
use self::setup::Stage;
use self::side::{SideService, SideUse};

/// Keep-alive connections.
const CONNECTIONS: u32 = 32;

/// One measurement.
#[derive(Clone, Copy, Debug)]
struct Sample {
    micros_per_request: f64,
    requests: u64,
    resident_kib: u64,
    side: SideUse,
}

/// A measurement and the one of nginx right before it.
struct Pair {
    nginx: Sample,
    own: Sample,
}

impl Pair {
    fn ratio(&self) -> f64 {
        self.own.micros_per_request / self.nginx.micros_per_request
    }
}

/// A server, and what callers show it.
struct Rival {
    server: Server,
    authenticator: Authenticator,
}

pub(crate) fn run(binary: PathBuf, brief: bool) -> Result<(), String> {
    eprintln!("measuring {}", binary.display());
    let (rounds, seconds) = if brief { (1, 1) } else { (11, 2) };
    let stage = Stage::new(binary)?;
    stage.forget_records();
    let _upstream = stage.upstream()?;
    let side = SideService::start(&stage)?;
    // It looks at no credential; one as long as the others' has to be read.
    let nginx = Rival { server: stage.nginx()?, authenticator: Authenticator::Jwt };
    let mut rivals = Vec::new();
    for set_up in &SET_UPS {
        let rival = Rival { server: stage.keyward(set_up)?, authenticator: set_up.authenticator };
        rivals.push((rival, Row { title: set_up.title, pairs: Vec::new() }));
    }
    for other in &OTHERS {
        match other.start(&stage)? {
            Some(server) => {
                let row = Row { title: other.title, pairs: Vec::new() };
                rivals.push((Rival { server, authenticator: Authenticator::Jwt }, row));
            }
            None => println!("skipped: no {}", other.program),
        }
    }
    for (rival, _) in &rivals {
        stage.check_closed(&rival.server)?;
        // Fills caches and sets up connections.
        load(&stage, &side, rival, 1)?;
    }
    for round in 0..rounds {
        for (rival, row) in &mut rivals {
            let pair = Pair { nginx: load(&stage, &side, &nginx, seconds)?, own: load(&stage, &side, rival, seconds)? };
            eprintln!(
                "round {round}: {}: {:.2} us, {} requests; nginx: {:.2} us; side connections opened: {}",
                row.title,
                pair.own.micros_per_request,
                pair.own.requests,
                pair.nginx.micros_per_request,
                pair.own.side.connections,
            );
            rival
                .authenticator
                .asks()
                .check(pair.own.side, pair.own.requests)
                .map_err(|why| format!("{}: {why}", row.title))?;
            row.pairs.push(pair);
        }
        stage.forget_records();
    }
    let rows: Vec<Row> = rivals.into_iter().map(|(_, row)| row).collect();
    report::report(&rows)
}

/// Drives a server and reads what it cost.
fn load(stage: &Stage, side: &SideService, rival: &Rival, seconds: u32) -> Result<Sample, String> {
    let server = &rival.server;
    let side_before = side.so_far()?;
    let before = server.cpu_time()?;
    let requests = stage.wrk(server.port, rival.authenticator, CONNECTIONS, seconds)?;
    let spent: Duration = server.cpu_time()?.saturating_sub(before);
    if requests == 0 {
        return Err(format!("{} answered nothing", server.name));
    }
    let micros_per_request = spent.as_secs_f64() * 1e6 / requests as f64;
    let side = side.so_far()?.since(side_before);
    Ok(Sample { micros_per_request, requests, resident_kib: server.resident_kib()?, side })
}
