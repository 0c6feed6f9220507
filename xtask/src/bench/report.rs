//! The table, and the file of all samples.

use serde_json::json;

use super::{Pair, Sample};

/// The rounds of one set-up.
pub(super) struct Row {
    pub(super) title: &'static str,
    pub(super) pairs: Vec<Pair>,
}

/// Prints the table and writes the samples to `target/bench.json`.
pub(super) fn report(rows: &[Row]) -> Result<(), String> {
    println!(
        "\n{:<24} {:>18} {:>34} {:>10} {:>17} {:>17}",
        "", "us/request", "ratio", "", "side connections", "side calls"
    );
    println!(
        "{:<24} {:>9} {:>8} {:>9} {:>15} {:>8} {:>10} {:>17} {:>17}",
        "", "median", "least", "median", "quartiles", "least", "RSS", "opened", "per request"
    );
    let nginx: Vec<Sample> = rows.iter().flat_map(|row| row.pairs.iter().map(|pair| pair.nginx)).collect();
    let costs = micros(&nginx);
    println!(
        "{:<24} {:>9.2} {:>8.2} {:>9.2} {:>15} {:>8} {:>10}",
        "nginx",
        at(&costs, 0.5),
        at(&costs, 0.0),
        1.0,
        "",
        "",
        mebibytes(&nginx)
    );
    for row in rows {
        println!("{}", line(row));
    }
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bench.json");
    std::fs::write(&path, format!("{:#}\n", samples(rows))).map_err(|error| error.to_string())?;
    println!("\nall samples: target/bench.json");
    Ok(())
}

fn line(row: &Row) -> String {
    let own: Vec<Sample> = row.pairs.iter().map(|pair| pair.own).collect();
    let (costs, ratios) = (micros(&own), ratios(row));
    let connections: u64 = own.iter().map(|sample| sample.side.connections).sum();
    let calls: u64 = own.iter().map(|sample| sample.side.calls).sum();
    let requests: u64 = own.iter().map(|sample| sample.requests).sum();
    format!(
        "{:<24} {:>9.2} {:>8.2} {:>9.2} {:>6.2} - {:>6.2} {:>8.2} {:>10} {:>17} {:>17.3}",
        row.title,
        at(&costs, 0.5),
        at(&costs, 0.0),
        at(&ratios, 0.5),
        at(&ratios, 0.25),
        at(&ratios, 0.75),
        at(&ratios, 0.0),
        mebibytes(&own),
        connections,
        calls as f64 / requests as f64,
    )
}

fn samples(rows: &[Row]) -> serde_json::Value {
    let all = rows.iter().map(|row| {
        let pairs = row
            .pairs
            .iter()
            .map(|pair| json!({"nginx": sample(pair.nginx), "own": sample(pair.own), "ratio": pair.ratio()}));
        json!({"name": row.title, "pairs": pairs.collect::<Vec<_>>()})
    });
    all.collect()
}

fn sample(sample: Sample) -> serde_json::Value {
    json!({
        "micros_per_request": sample.micros_per_request,
        "requests": sample.requests,
        "resident_kib": sample.resident_kib,
        "side_connections": sample.side.connections,
        "side_calls": sample.side.calls,
    })
}

fn micros(samples: &[Sample]) -> Vec<f64> {
    samples.iter().map(|sample| sample.micros_per_request).collect()
}

fn ratios(row: &Row) -> Vec<f64> {
    row.pairs.iter().map(Pair::ratio).collect()
}

fn mebibytes(samples: &[Sample]) -> String {
    let most = samples.iter().map(|sample| sample.resident_kib).max().unwrap_or(0);
    format!("{:.1} MiB", most as f64 / 1024.0)
}

/// A quantile: 0 is the least, 0.5 the median, 1 the most.
fn at(values: &[f64], quantile: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let index = ((sorted.len().saturating_sub(1)) as f64 * quantile).round() as usize;
    sorted.get(index).copied().unwrap_or(f64::NAN)
}
