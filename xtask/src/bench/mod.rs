//! What Keyward costs beside nginx as a plain `proxy_pass`, on one core, in the same minutes, and beside others that do
//! its job, where they are installed.
//!
//! The proxy under test has core 0 to itself; the load generator, the upstream and the side service share
//! core 1. CPU time is read from `/proc`, so that waiting costs nothing and a noisy neighbour costs little.
//!
//! Each measurement starts what it needs and ends it. One fails when a request is answered badly, or when a server
//! lets somebody in who shows no credential. No time is ever asserted.

mod callers;
mod cores;
mod growth;
mod idle;
mod keyward;
mod machine;
mod memory;
mod nginx;
mod options;
mod process;
mod report;
mod requests;
mod rivals;
mod rounds;
mod set_ups;
mod setup;
mod side;
mod start;
mod turns;
mod wires;

use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};

pub(crate) use self::options::Options;
use self::report::Row;
use self::setup::Stage;

/// One of the measurements.
struct Measurement {
    name: &'static str,
    /// What its table shows.
    shows: &'static str,
    run: fn(&Bench) -> Result<Vec<Row>, String>,
}

const MEASUREMENTS: [Measurement; 12] = [
    Measurement { name: "requests", shows: "32 connections, one token", run: requests::one_token },
    Measurement { name: "connections", shows: "256 connections, one token", run: requests::many_connections },
    Measurement { name: "tokens", shows: "32 connections, 2,000 tokens in turn", run: requests::tokens_in_turn },
    Measurement { name: "new-tokens", shows: "32 connections, no token twice", run: requests::new_tokens },
    Measurement { name: "bodies", shows: "8 connections, bodies of 1 MiB", run: wires::bodies },
    Measurement { name: "tls", shows: "32 connections, TLS with callers and the upstream", run: wires::tls },
    Measurement {
        name: "http2",
        shows: "8 connections with 4 requests at a time, HTTP/2 with callers and the upstream (nginx: with callers)",
        run: wires::http2,
    },
    Measurement {
        name: "growth",
        shows: "more rules, tokens and open connections, each beside the first of its kind",
        run: growth::run,
    },
    Measurement {
        name: "idle",
        shows: "memory of each of many connections after one request, right then and once it has been quiet for a while",
        run: idle::run,
    },
    Measurement {
        name: "memory",
        shows: "256 connections, 2,000 tokens in turn: the most memory since the start, and what no other process has",
        run: memory::run,
    },
    Measurement {
        name: "start",
        shows: "from the start of the process until it is ready, and answers",
        run: start::run,
    },
    Measurement { name: "cores", shows: "256 connections: what two cores can do beside one", run: cores::run },
];

/// What every measurement gets.
struct Bench {
    stage: Stage,
    brief: bool,
}

impl Bench {
    /// How often everything is measured, of which a brief run does the first.
    fn rounds(&self, full: u32) -> u32 {
        if self.brief { 1 } else { full }
    }

    /// For how many seconds a server is driven before it is measured.
    fn warm_up(&self) -> u32 {
        if self.brief { 0 } else { 1 }
    }

    /// The length of a sample.
    fn seconds(&self) -> u32 {
        if self.brief { 1 } else { 2 }
    }
}

/// Makes the measurements that are wanted, one after the other, prints a table of each and writes all samples to
/// `target/bench.json`. One that fails does not keep the others from being made.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    crate::descriptors::raise()?;
    let binary = options.binary()?;
    eprintln!("measuring {}", binary.display());
    let bench = Bench { stage: Stage::new(binary.clone())?, brief: options.brief };
    let begun = Instant::now();
    let (mut documents, mut failures) = (Vec::new(), Vec::new());
    for measurement in MEASUREMENTS.iter().filter(|measurement| options.wants(measurement.name)) {
        let Measurement { name, shows, run } = *measurement;
        eprintln!("{name}, after {} s", begun.elapsed().as_secs());
        match run(&bench) {
            Ok(rows) => {
                report::print(name, shows, &rows);
                documents.push(report::document(name, shows, &rows));
            }
            Err(why) => failures.push(format!("{name}: {why}")),
        }
        bench.stage.forget_records();
    }
    write(&json!({
        "machine": machine::describe(),
        "binary": binary.display().to_string(),
        "brief": options.brief,
        "measurements": documents,
        "failures": failures,
    }))?;
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\n")) }
}

fn write(document: &Value) -> Result<(), String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bench.json");
    std::fs::write(&path, format!("{document:#}\n")).map_err(|error| format!("{}: {error}", path.display()))?;
    println!("\nall samples: target/bench.json");
    Ok(())
}
