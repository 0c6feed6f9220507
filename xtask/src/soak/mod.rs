//! `cargo xtask soak`: a server under load whose rules, secrets and configuration are replaced without an end, and what
//! ten thousand rules cost at the start and at a reload. It fails when a request does, or when one is served under parts
//! of two versions. Times are printed, and nothing is asserted of them: they depend on the machine.

mod large;
mod options;

use std::time::Duration;

use keyward_testkit::soak::{Cause, Latencies, Phase, Plan, run as soak};

pub(crate) use self::options::Options;

/// Requests a second, in all.
const RATE: u32 = 2000;
const CONNECTIONS: u32 = 16;
/// Each kind is replaced a hundred times a second.
const PAUSE: Duration = Duration::from_millis(10);

pub(crate) fn run(options: &Options) -> Result<(), String> {
    let binary = options.binary()?;
    eprintln!("{} for {} s", binary.display(), options.seconds);
    let reloading = Duration::from_secs(options.seconds);
    let plan = Plan { binary: binary.clone(), reloading, rate: RATE, connections: CONNECTIONS, pause: PAUSE };
    for phase in soak(&plan)? {
        show(&phase);
    }
    println!("no request failed, and each was served under one version of everything");
    large::run(&binary)
}

fn show(phase: &Phase) {
    let seconds = phase.took.as_secs_f64();
    let what = match phase.cause {
        Cause::Calm => "nothing replaced",
        Cause::Notified => "replaced, found by notification",
        Cause::Asked => "replaced, with SIGHUP each time",
    };
    let [rules, remote, environment, source, configuration] = phase.replaced;
    println!(
        "{what}: {seconds:.1} s, {:.0} requests/s; replaced: rule file {rules}, remote rules {remote}, secrets in `env_dir` {environment}, in a \
         source {source}, configuration {configuration}; \
         {} reloads ({:.1}/s), {} versions seen by requests; {} KiB resident",
        phase.latencies.count() as f64 / seconds,
        phase.reloads,
        phase.reloads as f64 / seconds,
        phase.versions,
        phase.resident_kib,
    );
    show_latencies("  latency", &phase.latencies);
}

fn show_latencies(what: &str, latencies: &Latencies) {
    let [half, most, nearly_all, rest] =
        latencies.quantiles([0.5, 0.9, 0.99, 0.999]).map(|latency| latency.as_secs_f64() * 1e3);
    println!("{what}: p50 {half:.2} ms, p90 {most:.2} ms, p99 {nearly_all:.2} ms, p99.9 {rest:.2} ms");
}
