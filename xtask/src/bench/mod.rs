//! CPU time per request beside nginx as a plain `proxy_pass`, on one core, in the same minutes.
//!
//! The proxy under test has core 0 to itself, the load generator and the upstream share core 1. CPU time
//! is read from `/proc`, so that waiting costs nothing and a noisy neighbour costs little; rounds are
//! interleaved and the median of the ratios counts.

mod process;
mod setup;

use std::collections::BTreeMap;
use std::time::Duration;

use self::process::Server;
use self::setup::Stage;

/// Keep-alive connections.
const CONNECTIONS: u32 = 32;

/// One measurement.
#[derive(Clone, Copy, Debug)]
struct Sample {
    micros_per_request: f64,
    requests: u64,
    resident_kib: u64,
}

pub(crate) fn run(brief: bool) -> Result<(), String> {
    let (rounds, seconds) = if brief { (1, 1) } else { (7, 4) };
    let stage = Stage::new(crate::released_binary()?)?;
    let _upstream = stage.upstream()?;
    let rivals: Vec<(&str, Server)> = vec![
        ("nginx", stage.nginx()?),
        ("keyward, 10 rules", stage.keyward("few", 10)?),
        ("keyward, 10,000 rules", stage.keyward("many", 10_000)?),
    ];
    let mut samples: BTreeMap<&str, Vec<Sample>> = BTreeMap::new();
    for (_, server) in &rivals {
        load(&stage, server, 1)?;
    }
    for round in 0..rounds {
        for (name, server) in &rivals {
            let sample = load(&stage, server, seconds)?;
            eprintln!("round {round}: {name}: {:.2} us, {} requests", sample.micros_per_request, sample.requests);
            samples.entry(name).or_default().push(sample);
        }
    }
    report(&samples)
}

/// Drives a server and reads what it cost.
fn load(stage: &Stage, server: &Server, seconds: u32) -> Result<Sample, String> {
    let before = server.cpu_time()?;
    let requests = stage.wrk(server.port, CONNECTIONS, seconds)?;
    let spent: Duration = server.cpu_time()?.saturating_sub(before);
    if requests == 0 {
        return Err(format!("{} answered nothing", server.name));
    }
    let micros_per_request = spent.as_secs_f64() * 1e6 / requests as f64;
    Ok(Sample { micros_per_request, requests, resident_kib: server.resident_kib()? })
}

fn report(samples: &BTreeMap<&str, Vec<Sample>>) -> Result<(), String> {
    let nginx = samples.get("nginx").ok_or("nginx was not measured")?;
    println!("\n{:<24} {:>10} {:>8} {:>16} {:>10}", "", "us/request", "ratio", "ratio, spread", "RSS");
    let mut rows = Vec::new();
    for (name, own) in samples {
        let costs: Vec<f64> = own.iter().map(|sample| sample.micros_per_request).collect();
        let ratios: Vec<f64> =
            own.iter().zip(nginx).map(|(own, nginx)| own.micros_per_request / nginx.micros_per_request).collect();
        let (least, most) = (at(&ratios, 0.0), at(&ratios, 1.0));
        let resident = own.iter().map(|sample| sample.resident_kib).max().unwrap_or(0) as f64 / 1024.0;
        println!(
            "{name:<24} {:>10.2} {:>8.2} {:>7.2} - {:>6.2} {:>6.1} MiB",
            at(&costs, 0.5),
            at(&ratios, 0.5),
            least,
            most,
            resident
        );
        rows.push(serde_json::json!({
            "name": name, "micros_per_request": costs, "ratios": ratios, "resident_mib": resident,
        }));
    }
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bench.json");
    std::fs::write(&path, format!("{:#}\n", serde_json::Value::from(rows))).map_err(|error| error.to_string())?;
    println!("\nall samples: target/bench.json");
    Ok(())
}

/// A quantile: 0 is the least, 0.5 the median, 1 the most.
fn at(values: &[f64], quantile: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let index = ((sorted.len().saturating_sub(1)) as f64 * quantile).round() as usize;
    sorted.get(index).copied().unwrap_or(f64::NAN)
}
