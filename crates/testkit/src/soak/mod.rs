//! A server under load while its rules (a file and a document behind a URL), its secrets (of `secrets.env_dir` and of a source)
//! and its configuration are replaced as fast as they can be. No request may fail, and each must have been served under one
//! version of everything.

mod caller;
mod documents;
mod latency;
mod seen;
mod stage;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use self::caller::{Caller, Pace};
pub use self::latency::Latencies;
use self::seen::{Seen, Versions};
use self::stage::Stage;
use crate::process::PATIENCE;

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The binary.
    pub binary: PathBuf,
    /// How long things are replaced, in all.
    pub reloading: Duration,
    /// Requests a second, in all.
    pub rate: u32,
    /// Keep-alive connections.
    pub connections: u32,
    /// Between two replacements of one kind.
    pub pause: Duration,
}

/// What makes the server look at what was replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Nothing is replaced.
    Calm,
    /// It notices by itself.
    Notified,
    /// SIGHUP, with every replacement of the rules.
    Asked,
}

/// What happened in a stretch of time.
#[derive(Debug)]
pub struct Phase {
    /// What was done.
    pub cause: Cause,
    /// How long it took.
    pub took: Duration,
    /// Of each request, from when it was due to the end of its answer.
    pub latencies: Latencies,
    /// Replacements of the rule file, the remote rules, the secrets of `secrets.env_dir`, those of a source, and the
    /// configuration.
    pub replaced: [u32; 5],
    /// Reloads that took effect.
    pub reloads: u64,
    /// Different versions of everything that requests were served under.
    pub versions: usize,
    /// The server's memory at the end, in KiB.
    pub resident_kib: u64,
}

const PHASES: [Cause; 3] = [Cause::Calm, Cause::Notified, Cause::Asked];

/// Serves the load while everything is replaced.
///
/// # Errors
/// What went wrong first: a request that failed, or that was served under parts of two versions; a reload
/// that failed; versions that were never taken over; audit records that are missing.
pub fn run(plan: &Plan) -> Result<Vec<Phase>, String> {
    let stage = Stage::start(plan.binary.clone())?;
    let (phase, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let begun = Instant::now();
    let outcome = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..plan.connections)
            .map(|number| {
                let pace = Pace::new(begun, plan.rate, plan.connections, number);
                let (stage, phase, stop) = (&stage, &phase, &stop);
                scope.spawn(move || {
                    let outcome = Caller::connect(stage.port()).and_then(|caller| caller.call(pace, phase, stop));
                    // Nobody needs to go on when one has failed.
                    stop.fetch_or(outcome.is_err(), Ordering::Relaxed);
                    outcome
                })
            })
            .collect();
        let phases = phases(plan, &stage, &phase, &stop);
        stop.store(true, Ordering::Relaxed);
        let mut seen = [Seen::default(), Seen::default(), Seen::default()];
        for caller in callers {
            let own = caller.join().map_err(|_| "a caller panicked".to_owned())??;
            seen.iter_mut().zip(own).for_each(|(all, own)| all.add(own));
        }
        Ok((phases?, seen))
    });
    let (mut phases, seen) = outcome.map_err(|problem: String| stage.explain(&problem))?;
    let mut every = Seen::default();
    let mut requests = 1;
    for (phase, seen) in phases.iter_mut().zip(seen) {
        phase.versions = seen.versions().map_err(|problem| stage.explain(&problem))?;
        phase.latencies = seen.latencies();
        requests += phase.latencies.count();
        every.add(seen);
    }
    every.versions().and_then(|_| stage.check_end(requests)).map_err(|problem| stage.explain(&problem))?;
    Ok(phases)
}

/// One phase after the other, each with what can be told at its end.
fn phases(plan: &Plan, stage: &Stage, current: &AtomicUsize, stop: &AtomicBool) -> Result<Vec<Phase>, String> {
    let mut versions = Versions::FIRST;
    let mut phases = Vec::new();
    for (number, cause) in PHASES.into_iter().enumerate() {
        current.store(number, Ordering::Relaxed);
        let (begun, reloads, before) = (Instant::now(), stage.reloads()?, versions);
        let until = begun + plan.reloading / 2;
        match cause {
            Cause::Calm => wait(until, stop),
            Cause::Notified => versions = stage.replace_all(versions, plan.pause, until, stop, false)?,
            Cause::Asked => versions = stage.replace_all(versions, plan.pause, until, stop, true)?,
        }
        let took = begun.elapsed();
        // The last ones must not be lost.
        while !stop.load(Ordering::Relaxed) && stage.in_force()? != versions {
            if begun.elapsed() > took + PATIENCE {
                return Err(format!("{versions:?} were never taken over, but {:?}", stage.in_force()?));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        phases.push(Phase {
            cause,
            took,
            latencies: Latencies::default(),
            replaced: versions.since(before),
            reloads: stage.reloads()? - reloads,
            versions: 0,
            resident_kib: stage.resident_kib(),
        });
    }
    Ok(phases)
}

/// Until then, or until somebody says stop.
fn wait(until: Instant, stop: &AtomicBool) {
    while Instant::now() < until && !stop.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(10));
    }
}
