//! What becomes of the cost of a request, and of memory, where there is more of something: Keyward beside itself. Of
//! connections the kernel's share grows too, so that nginx beside itself is shown as well.

use super::Bench;
use super::callers::{Callers, ISSUE, Requests};
use super::keyward::Wiring;
use super::nginx::Extent;
use super::process::Server;
use super::report::Row;
use super::requests::CONNECTIONS;
use super::rounds::{Contender, Load, Trial, interleave};
use super::set_ups::{Authenticator, SetUp};
use super::setup::Spoken;
use super::side::Asks;
use super::turns::Turns;

/// What grows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Connections,
    Rules,
    Tokens,
}

/// Whose cost it is.
#[derive(Clone, Copy)]
enum Program {
    Keyward,
    Nginx,
}

/// A row.
#[derive(Clone, Copy)]
struct Step {
    title: &'static str,
    /// Its files.
    name: &'static str,
    count: u32,
    /// Whether a brief run has it.
    brief: bool,
}

const fn step(title: &'static str, name: &'static str, count: u32, brief: bool) -> Step {
    Step { title, name, count, brief }
}

/// Of each kind the first is what the others are compared with.
const KINDS: [(Kind, &[Step]); 3] = [
    (
        Kind::Rules,
        &[
            step("1 rule", "rules-1", 1, true),
            step("10 rules", "rules-10", 10, false),
            step("100 rules", "rules-100", 100, false),
            step("1,000 rules", "rules-1000", 1000, false),
            step("10,000 rules", "rules-10000", 10_000, true),
        ],
    ),
    (
        Kind::Tokens,
        &[
            step("1 token", "tokens-1", 1, true),
            step("100 tokens", "tokens-100", 100, false),
            step("1,000 tokens", "tokens-1000", 1000, true),
            step("10,000 tokens", "tokens-10000", 10_000, false),
            step("100,000 tokens", "tokens-100000", 100_000, false),
        ],
    ),
    (
        Kind::Connections,
        &[
            // With fewer than are under way at a time the proxy sleeps in between, and waking it costs more than the rest.
            step("100 open connections", "connections-100", 100, true),
            step("1 open connection", "connections-1", 1, false),
            step("10 open connections", "connections-10", 10, false),
            step("1,000 open connections", "connections-1000", 1000, true),
            step("10,000 open connections", "connections-10000", 10_000, false),
        ],
    ),
];

/// Those of a rule set in which another number of them is not what is measured.
const RULES: u32 = 10;

/// All kinds, one after the other.
pub(super) fn run(bench: &Bench) -> Result<Vec<Row>, String> {
    let _upstream = bench.stage.upstream()?;
    let mut rows = Vec::new();
    for (kind, steps) in KINDS {
        let steps = steps.iter().filter(|step| step.brief || !bench.brief);
        let steps = steps.filter(|step| kind != Kind::Connections || possible(step));
        let steps: Vec<&Step> = steps.collect();
        let programs: &[Program] =
            if kind == Kind::Connections { &[Program::Keyward, Program::Nginx] } else { &[Program::Keyward] };
        // One after the other: the connections of both may be more than a process may have.
        for program in programs {
            let servers = steps.iter().map(|step| Ok((*step, start(bench, kind, step, *program)?)));
            let servers = servers.collect::<Result<Vec<(&Step, Server)>, String>>()?;
            rows.extend(grow(bench, kind, *program, &servers)?);
        }
    }
    Ok(rows)
}

/// Whether connections and what a process has open besides are as many as it may have.
fn possible(step: &Step) -> bool {
    let possible = crate::descriptors::suffice_for(step.count + 1000);
    if !possible {
        println!("skipped: {}, which are more than a process may have here (ulimit -n)", step.title);
    }
    possible
}

fn grow(bench: &Bench, kind: Kind, program: Program, servers: &[(&Step, Server)]) -> Result<Vec<Row>, String> {
    let Some(((fewest, reference), others)) = servers.split_first() else { return Ok(Vec::new()) };
    let contender = |step: &Step, server| {
        let load = load(bench, kind, step, server)?;
        Ok::<_, String>(Contender { title: title(kind, step, program), server, load })
    };
    let trial = |(step, server)| {
        let asks = Asks::Nothing;
        let warm_up = if kind == Kind::Tokens { warm_up(step) } else { bench.warm_up() };
        let (own, reference) = (contender(step, server)?, contender(fewest, reference)?);
        Ok(Trial { own, reference, guarded: matches!(program, Program::Keyward), asks, warm_up })
    };
    let trials = others.iter().map(|(step, server)| trial((*step, server)));
    interleave(bench, None, &trials.collect::<Result<Vec<_>, String>>()?, bench.rounds(5))
}

/// With what a cache of verified tokens may take, where those grow.
fn title(kind: Kind, step: &Step, program: Program) -> String {
    match (program, kind) {
        (Program::Nginx, _) => format!("nginx, {}", step.title),
        (Program::Keyward, Kind::Tokens) => format!("{} in at most {} MiB", step.title, token_cache_mib(step)),
        (Program::Keyward, Kind::Connections | Kind::Rules) => step.title.to_owned(),
    }
}

/// What the tokens of a step have room in: the default, and 4 KiB each where that is more.
fn token_cache_mib(step: &Step) -> u32 {
    step.count.div_ceil(256).max(16)
}

/// Long enough to show every token once.
fn warm_up(step: &Step) -> u32 {
    1 + step.count / 10_000
}

fn start(bench: &Bench, kind: Kind, step: &Step, program: Program) -> Result<Server, String> {
    // A few more look whether it is closed, and the first is compared with each of the others, over connections of its own.
    let connections = step.count + 1000;
    if let Program::Nginx = program {
        let extent = Extent { connections, ..Extent::default() };
        return bench.stage.nginx_as(&format!("nginx-{}", step.name), Spoken::Http1, &extent);
    }
    let rules = if kind == Kind::Rules { step.count } else { RULES };
    let set_up = SetUp { title: step.title, name: step.name, rules, authenticator: Authenticator::Jwt };
    let connections = (kind == Kind::Connections).then_some(connections);
    let token_cache_bytes = (kind == Kind::Tokens).then(|| u64::from(token_cache_mib(step)) << 20);
    bench.stage.keyward_wired(&set_up, &Wiring { connections, token_cache_bytes, ..Wiring::default() })
}

fn load(bench: &Bench, kind: Kind, step: &Step, server: &Server) -> Result<Box<dyn Load>, String> {
    let tokens = bench.stage.tokens();
    let count = step.count as usize;
    Ok(match kind {
        Kind::Connections => {
            let header = Authenticator::Jwt.credential(&tokens.first()?);
            Box::new(Turns::open(server.port, count, &header)?)
        }
        Kind::Rules => Box::new(Callers::small(&bench.stage, Authenticator::Jwt, CONNECTIONS)?),
        Kind::Tokens => {
            let requests = Requests::InTurn { tokens: tokens.at_least(count)?.to_owned(), count };
            Box::new(Callers { spoken: Spoken::Http1, path: ISSUE, connections: CONNECTIONS, requests })
        }
    })
}
