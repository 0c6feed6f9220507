//! What two cores can do beside one: of Keyward and of nginx, each beside itself.
//!
//! Where there are four cores, load generator and upstream have two of them, and the answers a second are compared.
//! Where there are fewer they share those of the proxy, with one core as with two. Then CPU time per request tells what
//! two cores could do if the proxy had them: twice what one can, where a request costs no more.

use std::process::Command;
use std::time::Instant;

use super::Bench;
use super::callers::{ISSUE, wrk_answered};
use super::keyward::Wiring;
use super::nginx::Extent;
use super::process::Server;
use super::report::{Figure, Row};
use super::requests::MANY_CONNECTIONS;
use super::set_ups::{Authenticator, SetUp};
use super::setup::Spoken;

/// Who runs where, as `taskset` has it.
struct Places {
    one: &'static str,
    two: &'static str,
    others: &'static str,
}

const APART: Places = Places { one: "0", two: "0,1", others: "2,3" };
const SHARED: Places = Places { one: "0", two: "0,1", others: "0,1" };

/// A server with one core, and the same with two.
struct Pair {
    name: &'static str,
    servers: [Server; 2],
}

/// Of one of the two in a round.
#[derive(Clone, Copy)]
struct Sample {
    micros_per_request: f64,
    requests_per_second: f64,
}

/// Keyward and nginx.
pub(super) fn run(bench: &Bench) -> Result<Vec<Row>, String> {
    let apart = crate::cores::count() >= 4;
    let places = if apart { APART } else { SHARED };
    let _upstream = bench.stage.upstream_on(places.others, 2)?;
    let header = Authenticator::Jwt.credential(&bench.stage.tokens().first()?);
    let one_and_two = [(places.one, 1), (places.two, 2)];
    let pairs = [
        Pair { name: "nginx", servers: both(one_and_two.map(|(cores, workers)| nginx(bench, cores, workers)))? },
        Pair { name: "keyward", servers: both(one_and_two.map(|(cores, workers)| keyward(bench, cores, workers)))? },
    ];
    for server in &pairs[1].servers {
        bench.stage.check_closed(server, Spoken::Http1)?;
    }
    let mut samples: [Vec<[Sample; 2]>; 2] = Default::default();
    for server in pairs.iter().flat_map(|pair| &pair.servers) {
        drive(server, places.others, &header, 1)?;
    }
    for round in 0..bench.rounds(11) {
        for (pair, samples) in pairs.iter().zip(&mut samples) {
            let [one, two] = pair.servers.each_ref();
            let sample = |server| sample(server, places.others, &header, bench.seconds());
            let [one, two] = [sample(one)?, sample(two)?];
            let (name, of_one, of_two) = (pair.name, one.micros_per_request, two.micros_per_request);
            eprintln!("round {round}: {name}: {of_one:.2} us on one core, {of_two:.2} on two");
            samples.push([one, two]);
        }
        bench.stage.forget_records();
    }
    Ok(pairs.iter().zip(&samples).map(|(pair, samples)| row(pair.name, samples, apart)).collect())
}

fn row(name: &str, samples: &[[Sample; 2]], apart: bool) -> Row {
    let of = |figure: fn(&[Sample; 2]) -> f64| samples.iter().map(figure).collect();
    let mut figures = vec![
        Figure::spread("us/request on one", of(|[one, _]| one.micros_per_request)),
        Figure::spread("us/request on two", of(|[_, two]| two.micros_per_request)),
        Figure::spread("capacity of two", of(|[one, two]| 2.0 * one.micros_per_request / two.micros_per_request)),
    ];
    if apart {
        figures.push(Figure::spread(
            "throughput of two",
            of(|[one, two]| two.requests_per_second / one.requests_per_second),
        ));
    }
    let load = if apart { "has cores of its own" } else { "shares the cores" };
    Row { title: format!("{name}; the load {load}"), figures }
}

fn both([one, two]: [Result<Server, String>; 2]) -> Result<[Server; 2], String> {
    Ok([one?, two?])
}

fn nginx(bench: &Bench, cores: &'static str, workers: u32) -> Result<Server, String> {
    let extent = Extent { cores, workers, ..Extent::default() };
    bench.stage.nginx_as(&format!("nginx-{workers}"), Spoken::Http1, &extent)
}

fn keyward(bench: &Bench, cores: &'static str, workers: u32) -> Result<Server, String> {
    let name = if workers == 1 { "one-core" } else { "two-cores" };
    let set_up = SetUp { title: name, name, rules: 10, authenticator: Authenticator::Jwt };
    bench.stage.keyward_wired(&set_up, &Wiring { cores, workers, ..Wiring::default() })
}

fn sample(server: &Server, others: &str, header: &str, seconds: u32) -> Result<Sample, String> {
    let (before, begun) = (server.cpu_time()?, Instant::now());
    let requests = drive(server, others, header, seconds)? as f64;
    let (spent, taken) = (server.cpu_time()?.saturating_sub(before), begun.elapsed());
    Ok(Sample {
        micros_per_request: spent.as_secs_f64() * 1e6 / requests,
        requests_per_second: requests / taken.as_secs_f64(),
    })
}

/// wrk with two threads.
fn drive(server: &Server, cores: &str, header: &str, seconds: u32) -> Result<u64, String> {
    let mut command = Command::new("taskset");
    command.args(["-c", cores, "wrk", "-t2", "--timeout", "30s", "-H", header]);
    command.arg(format!("-c{MANY_CONNECTIONS}")).arg(format!("-d{seconds}s"));
    let answered = wrk_answered(command.arg(format!("http://127.0.0.1:{}{ISSUE}", server.port)), server.port)?;
    if answered == 0 { Err(format!("{} answered nothing", server.name)) } else { Ok(answered) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throughput_is_told_only_where_the_load_has_cores_of_its_own() {
        let sample = |micros_per_request, requests_per_second| Sample { micros_per_request, requests_per_second };
        let samples = [[sample(20.0, 1000.0), sample(25.0, 1900.0)]];
        let shared = [("us/request on one", 20.0), ("us/request on two", 25.0), ("capacity of two", 1.6)];
        for (apart, expected) in [(false, &shared[..]), (true, &[&shared[..], &[("throughput of two", 1.9)]].concat())]
        {
            let row = row("x", &samples, apart);
            let figures: Vec<_> = row.figures.iter().map(|figure| (figure.name, figure.samples[0])).collect();
            assert_eq!(figures, expected);
        }
    }
}
