//! Servers measured in short rounds that are interleaved: each sample is divided by one of another server taken right
//! before it, and the median of these ratios counts.

use std::time::Duration;

use super::Bench;
use super::process::Server;
use super::report::{Figure, Row, Shown};
use super::setup::Spoken;
use super::side::{Asks, SideService, SideUse};

/// What callers do to a server.
pub(super) trait Load {
    /// What they speak.
    fn spoken(&self) -> Spoken;

    /// Drives a port for some seconds; how many requests were answered well. Any other answer is an error: it would be
    /// measured as something it is not. The rounds that a server is driven in are numbered from 0.
    fn drive(&self, port: u16, seconds: u32, round: u32) -> Result<u64, String>;

    /// Fills caches and sets up connections, before the first round.
    fn warm_up(&self, port: u16, seconds: u32) -> Result<u64, String> {
        self.drive(port, seconds, 0)
    }
}

/// A server under load.
pub(super) struct Contender<'a> {
    pub(super) title: String,
    pub(super) server: &'a Server,
    pub(super) load: Box<dyn Load>,
}

/// What is measured, and what right before it.
pub(super) struct Trial<'a> {
    pub(super) own: Contender<'a>,
    pub(super) reference: Contender<'a>,
    /// Whether it must turn away who shows nothing.
    pub(super) guarded: bool,
    /// What the side service must see of it once it is warm.
    pub(super) asks: Asks,
    /// For how many seconds it is driven first.
    pub(super) warm_up: u32,
}

/// One measurement.
#[derive(Clone, Copy)]
struct Sample {
    micros_per_request: f64,
    requests: u64,
    resident_kib: u64,
    side: SideUse,
}

/// A measurement and the one right before it.
struct Pair {
    reference: Sample,
    own: Sample,
}

/// Measures each of them so many times. The rows are those of the references, each once, and then the others.
pub(super) fn interleave(
    bench: &Bench,
    side: Option<&SideService>,
    trials: &[Trial<'_>],
    rounds: u32,
) -> Result<Vec<Row>, String> {
    let mut warm = Vec::new();
    for Trial { own, reference, guarded, warm_up, .. } in trials {
        if *guarded {
            bench.stage.check_closed(own.server, own.load.spoken())?;
        }
        for Contender { title, server, load } in [reference, own] {
            if *warm_up > 0 && !warm.contains(title) {
                load.warm_up(server.port, *warm_up).map_err(|why| format!("{title}: {why}"))?;
                warm.push(title.clone());
            }
        }
    }
    let mut pairs: Vec<Vec<Pair>> = trials.iter().map(|_| Vec::new()).collect();
    for round in 0..rounds {
        for (trial, pairs) in trials.iter().zip(&mut pairs) {
            let Trial { own, reference, asks, .. } = trial;
            let pair = Pair {
                reference: sample(reference, side, bench.seconds(), round)?,
                own: sample(own, side, bench.seconds(), round)?,
            };
            eprintln!(
                "round {} of {rounds}: {}: {:.2} us, {} requests; {}: {:.2} us",
                round + 1,
                own.title,
                pair.own.micros_per_request,
                pair.own.requests,
                reference.title,
                pair.reference.micros_per_request,
            );
            asks.check(pair.own.side, pair.own.requests).map_err(|why| format!("{}: {why}", own.title))?;
            pairs.push(pair);
        }
        bench.stage.forget_records();
    }
    let mut rows: Vec<Row> = Vec::new();
    let mut references: Vec<(&str, Vec<Sample>)> = Vec::new();
    for (trial, pairs) in trials.iter().zip(&pairs) {
        let samples = pairs.iter().map(|pair| pair.reference);
        match references.iter_mut().find(|(title, _)| *title == trial.reference.title) {
            Some((_, known)) => known.extend(samples),
            None => references.push((&trial.reference.title, samples.collect())),
        }
        rows.push(row(&trial.own, pairs));
    }
    let references =
        references.into_iter().map(|(title, samples)| Row { title: title.to_owned(), figures: figures(&samples) });
    Ok(references.chain(rows).collect())
}

fn row(own: &Contender<'_>, pairs: &[Pair]) -> Row {
    let samples: Vec<Sample> = pairs.iter().map(|pair| pair.own).collect();
    let ratios = pairs.iter().map(|pair| pair.own.micros_per_request / pair.reference.micros_per_request);
    let mut figures = figures(&samples);
    figures.push(Figure::spread("ratio", ratios.collect()));
    if samples.iter().any(|sample| sample.side.calls > 0) {
        let of = |figure: fn(&Sample) -> f64| samples.iter().map(figure).collect();
        let opened = of(|sample| sample.side.connections as f64);
        figures.push(Figure { name: "side connections opened", samples: opened, shown: Shown::Sum });
        let calls = of(|sample| sample.side.calls as f64 / sample.requests as f64);
        figures.push(Figure::spread("side calls per request", calls));
    }
    Row { title: own.title.clone(), figures }
}

fn figures(samples: &[Sample]) -> Vec<Figure> {
    let of = |figure: fn(&Sample) -> f64| samples.iter().map(figure).collect();
    let resident = of(|sample| sample.resident_kib as f64 / 1024.0);
    vec![
        Figure { name: "requests", samples: of(|sample| sample.requests as f64), shown: Shown::Sum },
        Figure { name: "RSS MiB", samples: resident, shown: Shown::Most },
        Figure::spread("us/request", of(|sample| sample.micros_per_request)),
    ]
}

/// Drives a server and reads what it cost.
fn sample(contender: &Contender<'_>, side: Option<&SideService>, seconds: u32, round: u32) -> Result<Sample, String> {
    let Contender { title, server, load } = contender;
    let side_before = side.map(SideService::so_far).transpose()?;
    let before = server.cpu_time()?;
    let requests = load.drive(server.port, seconds, round).map_err(|why| format!("{title}: {why}"))?;
    let spent: Duration = server.cpu_time()?.saturating_sub(before);
    if requests == 0 {
        return Err(format!("{title} answered nothing"));
    }
    let side = match (side, side_before) {
        (Some(side), Some(before)) => side.so_far()?.since(before),
        _ => SideUse::default(),
    };
    let micros_per_request = spent.as_secs_f64() * 1e6 / requests as f64;
    Ok(Sample { micros_per_request, requests, resident_kib: server.resident_kib()?, side })
}
