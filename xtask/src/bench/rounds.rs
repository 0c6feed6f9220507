//! Servers measured in short rounds that are interleaved: each sample is divided by one of nginx taken right before it,
//! and the median of these ratios counts.

use std::time::Duration;

use super::Bench;
use super::process::Server;
use super::report::{Figure, Row, Shown};
use super::set_ups::Authenticator;
use super::side::{SideService, SideUse};

/// A server, and what callers show it.
pub(super) struct Contender {
    pub(super) title: String,
    pub(super) server: Server,
    pub(super) authenticator: Authenticator,
}

/// One measurement.
#[derive(Clone, Copy)]
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

/// Measures each of them so many times, right after nginx.
pub(super) fn interleave(
    bench: &Bench,
    side: &SideService,
    nginx: &Contender,
    others: &[Contender],
    connections: u32,
    rounds: u32,
) -> Result<Vec<Row>, String> {
    for contender in others {
        bench.stage.check_closed(&contender.server)?;
        // Fills caches and sets up connections.
        load(bench, side, contender, connections, 1)?;
    }
    let mut pairs: Vec<Vec<Pair>> = others.iter().map(|_| Vec::new()).collect();
    let seconds = bench.seconds();
    for round in 0..rounds {
        for (contender, pairs) in others.iter().zip(&mut pairs) {
            let pair = Pair {
                nginx: load(bench, side, nginx, connections, seconds)?,
                own: load(bench, side, contender, connections, seconds)?,
            };
            eprintln!(
                "round {round}: {}: {:.2} us, {} requests; nginx: {:.2} us; side connections opened: {}",
                contender.title,
                pair.own.micros_per_request,
                pair.own.requests,
                pair.nginx.micros_per_request,
                pair.own.side.connections,
            );
            let asked = contender.authenticator.asks().check(pair.own.side, pair.own.requests);
            asked.map_err(|why| format!("{}: {why}", contender.title))?;
            pairs.push(pair);
        }
        bench.stage.forget_records();
    }
    let of_nginx = pairs.iter().flatten().map(|pair| pair.nginx).collect::<Vec<_>>();
    let rows = others.iter().zip(&pairs).map(|(contender, pairs)| row(contender, pairs));
    Ok(std::iter::once(Row { title: nginx.title.clone(), figures: figures(&of_nginx) }).chain(rows).collect())
}

fn row(contender: &Contender, pairs: &[Pair]) -> Row {
    let own: Vec<Sample> = pairs.iter().map(|pair| pair.own).collect();
    let ratios = pairs.iter().map(|pair| pair.own.micros_per_request / pair.nginx.micros_per_request);
    let mut figures = figures(&own);
    figures.insert(1, Figure::spread("ratio", ratios.collect()));
    if own.iter().any(|sample| sample.side.calls > 0) {
        let of = |figure: fn(&Sample) -> f64| own.iter().map(figure).collect();
        let opened = of(|sample| sample.side.connections as f64);
        figures.push(Figure { name: "side connections opened", samples: opened, shown: Shown::Sum });
        let calls = of(|sample| sample.side.calls as f64 / sample.requests as f64);
        figures.push(Figure::spread("side calls per request", calls));
    }
    Row { title: contender.title.clone(), figures }
}

fn figures(samples: &[Sample]) -> Vec<Figure> {
    let of = |figure: fn(&Sample) -> f64| samples.iter().map(figure).collect();
    let resident = of(|sample| sample.resident_kib as f64 / 1024.0);
    vec![
        Figure::spread("us/request", of(|sample| sample.micros_per_request)),
        Figure { name: "RSS MiB", samples: resident, shown: Shown::Most },
        Figure { name: "requests", samples: of(|sample| sample.requests as f64), shown: Shown::Sum },
    ]
}

/// Drives a server and reads what it cost.
fn load(
    bench: &Bench,
    side: &SideService,
    contender: &Contender,
    connections: u32,
    seconds: u32,
) -> Result<Sample, String> {
    let server = &contender.server;
    let side_before = side.so_far()?;
    let before = server.cpu_time()?;
    let requests = bench.stage.wrk(server.port, contender.authenticator, connections, seconds)?;
    let spent: Duration = server.cpu_time()?.saturating_sub(before);
    if requests == 0 {
        return Err(format!("{} answered nothing", server.name));
    }
    let micros_per_request = spent.as_secs_f64() * 1e6 / requests as f64;
    let side = side.so_far()?.since(side_before);
    Ok(Sample { micros_per_request, requests, resident_kib: server.resident_kib()?, side })
}
