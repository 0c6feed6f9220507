//! `cargo xtask overload`: one, two and three times what one core can serve, in an open loop, and what becomes of it. It
//! fails when anything but 200 and 503 with `Retry-After` comes. Times are printed, and nothing is asserted of them.
//!
//! The server has a core to itself, where there are two; callers and upstream share the other. So that one core can
//! offer three times what the other serves, each request is made costly, by a header that takes milliseconds to render.

use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use keyward_testkit::load::{COSTLY, Callers, Outcome};
use keyward_testkit::process::{Keyward, Running};
use keyward_testkit::{scripted, wire};

use crate::cores::Cores;
use crate::options::Options;

/// Enough to find out what a core can serve, and so few that nothing waits for long.
const FEW: u32 = 16;
/// So many that a core is behind when all of them wait for it, and so few that every system lets a process have them.
const MANY: u32 = 400;
/// Multiples of the capacity that are offered.
const MULTIPLES: [u32; 3] = [1, 2, 3];
/// For the load before to be forgotten.
const REST: Duration = Duration::from_secs(1);

const CONFIG: &str = "
access_rules: {matching_strategy: glob}
authenticators: {anonymous: {enabled: true}}
authorizers: {allow: {enabled: true}}
mutators: {header: {enabled: true}}
serve: {proxy: {workers: 1}}
log: {level: error}
";

pub(crate) fn run(options: &Options) -> Result<(), String> {
    let binary = options.binary()?;
    eprintln!("measuring {}", binary.display());
    let length = Duration::from_secs(if options.brief { 2 } else { 15 });
    let running = start(binary)?;
    let problem = |error: std::io::Error| format!("no connections: {error}");
    let mut few = Callers::connect(running.proxy, "/x", FEW).map_err(problem)?;
    let (outcome, took) = call(&mut few, None, length)?;
    let capacity = outcome.served.count() as f64 / took;
    println!("{capacity:.0} requests/s with {FEW} callers, each of which waits for its answer: the capacity");
    if capacity < 1.0 {
        return Err("that is not enough to go on with".to_owned());
    }
    let mut many = Callers::connect(running.proxy, "/x", MANY).map_err(problem)?;
    println!(
        "with {MANY} callers, per second; in milliseconds from when a request was sent:\n{:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "offered", "held back", "200", "503", "goodput", "200 p50", "200 p99", "503 p50", "503 p99", "RSS KiB"
    );
    for multiple in MULTIPLES {
        std::thread::sleep(REST);
        let (outcome, took) = call(&mut many, Some(capacity * f64::from(multiple)), length)?;
        show(&outcome, took, capacity, running.resident_kib());
    }
    println!(
        "held back: due while its caller still waited for an answer. goodput: answers with 200, in parts of the capacity"
    );
    Ok(())
}

/// The server and what stands behind it.
fn start(binary: PathBuf) -> Result<Running, String> {
    let cores = Cores::apart();
    if cores.is_none() {
        eprintln!("one core only: callers and server take it from each other");
    }
    cores.as_ref().map_or(Ok(()), Cores::for_others)?;
    let upstream = scripted::upstream(answer);
    let rules = format!(
        "- id: costly\n  match: {{url: \"http://<**>/<**>\", methods: [GET]}}\n  \
         authenticators: [{{handler: anonymous}}]\n  authorizer: {{handler: allow}}\n  \
         mutators: [{COSTLY}]\n  upstream: {{url: \"http://127.0.0.1:{upstream}\"}}\n"
    );
    cores.as_ref().map_or(Ok(()), Cores::for_server)?;
    let running = Keyward::new(binary).without_env("SERVE_PROXY_LIMITS_QUEUE_TIME").with(CONFIG, &rules).start();
    cores.as_ref().map_or(Ok(()), Cores::for_others)?;
    Ok(running)
}

/// An upstream's connection.
fn answer(stream: TcpStream) {
    let mut reader = BufReader::new(&stream);
    while let Ok(Some(_)) = wire::read_request(&mut reader) {
        if (&stream).write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").is_err() {
            return;
        }
    }
}

/// What came of it, and how many seconds it took until the last answer.
fn call(callers: &mut Callers, rate: Option<f64>, length: Duration) -> Result<(Outcome, f64), String> {
    let begun = Instant::now();
    let outcome = callers.call(rate, length);
    if !outcome.others.is_empty() {
        return Err(format!("something else came than 200, and 503 with `Retry-After`: {:?}", outcome.others));
    }
    Ok((outcome, begun.elapsed().as_secs_f64()))
}

fn show(outcome: &Outcome, took: f64, capacity: f64, resident_kib: u64) {
    let per_second = |count: u64| count as f64 / took;
    let [served, shed] = [&outcome.served, &outcome.shed].map(|latencies| per_second(latencies.count() as u64));
    let times = [&outcome.served, &outcome.shed]
        .map(|latencies| latencies.quantiles([0.5, 0.99]).map(|latency| latency.as_secs_f64() * 1e3));
    let [[served_half, served_most], [shed_half, shed_most]] = times;
    println!(
        "{:>9.0} {:>9.0} {served:>9.0} {shed:>9.0} {:>8.0}% {served_half:>9.1} {served_most:>9.1} {shed_half:>9.1} {shed_most:>9.1} {resident_kib:>9}",
        per_second(outcome.offered),
        per_second(outcome.held_back),
        100.0 * served / capacity,
    );
}
