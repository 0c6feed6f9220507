//! What ten thousand rules cost: until the server is ready, and for the requests that a reload of them meets.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use keyward_testkit::process::{Keyward, Running};
use keyward_testkit::scripted;
use keyward_testkit::soak::Latencies;

use super::show_latencies;
use crate::cores::Cores;
use crate::workload::{Caller, answer};

const RULES: usize = 10_000;
/// Times of a start.
const STARTS: usize = 5;
const RELOADS: u64 = 20;
/// How long requests are looked at without a reload, and from the beginning of one: until the new rules are in force
/// and the old ones are freed.
const STRETCH: Duration = Duration::from_millis(700);
/// Between two questions whether a reload has ended.
const LOOK: Duration = Duration::from_millis(20);
/// After a stretch, and for what this process does meanwhile.
const SETTLE: Duration = Duration::from_millis(200);
const CALLERS: usize = 4;
/// An upstream that is not called.
const NOBODY: u16 = 9;
/// Of one caller, between two requests.
const PAUSE: Duration = Duration::from_millis(4);
/// A debug build takes its time.
const PATIENCE: Duration = Duration::from_secs(120);

/// Where latencies are noted: of no interest, while nothing is reloaded, and while rules are.
const IGNORED: usize = 0;
const CALM: usize = 1;
const RELOADING: usize = 2;

const CONFIG: &str = "
access_rules: {matching_strategy: glob}
authenticators: {anonymous: {enabled: true}}
authorizers: {allow: {enabled: true}}
mutators: {header: {enabled: true}}
log: {level: warn}
";

pub(super) fn run(binary: &Path) -> Result<(), String> {
    let mut starts = (0..STARTS).map(|_| Ok(start(binary, NOBODY)?.1)).collect::<Result<Vec<_>, String>>()?;
    starts.sort_unstable();
    println!("{RULES} rules: start to ready {:.0?} (median of {STARTS})", starts[STARTS / 2]);

    let cores = Cores::apart();
    cores.as_ref().map_or(Ok(()), Cores::for_others)?;
    let upstream = scripted::upstream(answer);
    cores.as_ref().map_or(Ok(()), Cores::for_server)?;
    let (running, _) = start(binary, upstream)?;
    cores.as_ref().map_or(Ok(()), Cores::for_others)?;
    if cores.is_none() {
        println!("the server and those who measure it share the cores: latencies are those of both");
    }

    let (reloading, stop) = (AtomicUsize::new(IGNORED), AtomicBool::new(false));
    let [calm, during, reloads] = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS).map(|_| scope.spawn(|| call(&running, &reloading, &stop))).collect();
        let reloaded = reload_all(&running, upstream, &reloading);
        stop.store(true, Ordering::Relaxed);
        let (mut calm, mut during) = (Latencies::default(), Latencies::default());
        for caller in callers {
            let [_, own_calm, own_during] = caller.join().map_err(|_| "a caller panicked".to_owned())??;
            calm.add(own_calm);
            during.add(own_during);
        }
        reloaded.map(|reloads| [calm, during, reloads])
    })?;
    let [until] = reloads.quantiles([0.5]);
    println!("{RULES} rules: from a change to the new rules {until:.0?} (median of {RELOADS}), with the debounce");
    show_latencies("  latency while nothing is reloaded", &calm);
    show_latencies("  latency while they are reloaded", &during);
    let p99 = |latencies: &Latencies| latencies.quantiles([0.99])[0].as_secs_f64();
    println!("  p99 with reloads is {:.2} times that without", p99(&during) / p99(&calm));
    Ok(())
}

/// A server, and how long it took until it was ready.
fn start(binary: &Path, upstream: u16) -> Result<(Running, Duration), String> {
    let keyward = Keyward::new(binary);
    let rules = rules(keyward.proxy, upstream, 0);
    let keyward = keyward.with(CONFIG, &rules);
    let begun = Instant::now();
    let running = keyward.launch();
    while !running.api("/health/ready").is_ok_and(|answer| answer.status() == 200) {
        if begun.elapsed() > PATIENCE {
            return Err(format!("the server is not ready:\n{}", running.log()));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok((running, begun.elapsed()))
}

/// Replaces the rules again and again, with stretches in which nothing is replaced between them; notes how long each
/// took to be taken over. The server is asked for its counters in both, so that they differ in nothing else.
fn reload_all(running: &Running, upstream: u16, reloading: &AtomicUsize) -> Result<Latencies, String> {
    let mut taken = Latencies::default();
    let count = || running.metric("keyward_reloads_total").unwrap_or(0.0) as u64;
    for version in 1..=RELOADS {
        // Written beforehand: that is not the server's work.
        let written = running.path("next.yaml");
        fs::write(&written, rules(running.proxy, upstream, version)).map_err(|error| error.to_string())?;
        std::thread::sleep(SETTLE);
        reloading.store(CALM, Ordering::Relaxed);
        let begun = Instant::now();
        while begun.elapsed() < STRETCH {
            count();
            std::thread::sleep(LOOK);
        }
        reloading.store(RELOADING, Ordering::Relaxed);
        let begun = Instant::now();
        fs::rename(&written, running.path("rules.yaml")).map_err(|error| error.to_string())?;
        let mut until = None;
        while until.is_none() || begun.elapsed() < STRETCH {
            if begun.elapsed() > PATIENCE {
                return Err(format!("a reload did not end:\n{}", running.log()));
            }
            if until.is_none() && count() >= version {
                until = Some(begun.elapsed());
            }
            std::thread::sleep(LOOK);
        }
        reloading.store(IGNORED, Ordering::Relaxed);
        taken.note(until.unwrap_or_default());
    }
    Ok(taken)
}

/// One caller; its latencies by what is done meanwhile.
fn call(running: &Running, reloading: &AtomicUsize, stop: &AtomicBool) -> Result<[Latencies; 3], String> {
    let mut caller = Caller::connect(running)?;
    let mut latencies = [Latencies::default(), Latencies::default(), Latencies::default()];
    let mut due = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        due += PAUSE;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        caller.expect("GET /service-5000/x", "", "", 200)?;
        latencies[reloading.load(Ordering::Relaxed)].note(due.elapsed());
    }
    Ok(latencies)
}

fn rules(port: u16, upstream: u16, version: u64) -> String {
    let mut text = String::new();
    for number in 0..RULES {
        // Writing into a string cannot fail.
        let _ = write!(
            text,
            "- id: rule-{number}\n  match: {{url: \"http://127.0.0.1:{port}/service-{number}/<**>\", methods: [GET, POST]}}\n  \
             authenticators: [{{handler: anonymous}}]\n  authorizer: {{handler: allow}}\n  \
             mutators: [{{handler: header, config: {{headers: {{X-Version: \"{version}\"}}}}}}]\n  \
             upstream: {{url: \"http://127.0.0.1:{upstream}\", strip_path: /service-{number}}}\n"
        );
    }
    text
}
