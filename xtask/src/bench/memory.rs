//! What a container needs to serve: the most memory that a server ever had, from its start on, under load.

use super::Bench;
use super::callers::{Callers, ISSUE, Requests};
use super::process::Server;
use super::report::{Figure, Row};
use super::requests::{MANY_CONNECTIONS, TOKENS};
use super::rivals::OTHERS;
use super::rounds::Load;
use super::set_ups::SET_UPS;
use super::setup::{Spoken, Stage};

/// Starts a server; `None` when it is not installed.
type Start = Box<dyn Fn(&Stage) -> Result<Option<Server>, String>>;

/// Each of them, started anew for each sample.
pub(super) fn run(bench: &Bench) -> Result<Vec<Row>, String> {
    let stage = &bench.stage;
    let _upstream = stage.upstream()?;
    let requests = Requests::InTurn { tokens: stage.tokens().at_least(TOKENS)?.to_owned(), count: TOKENS };
    let load = Callers { spoken: Spoken::Http1, path: ISSUE, connections: MANY_CONNECTIONS, requests };
    let mut subjects: Vec<(&str, Start)> = vec![("nginx", Box::new(|stage| stage.nginx().map(Some)))];
    for set_up in &SET_UPS[..2] {
        subjects.push((set_up.title, Box::new(|stage| stage.keyward(set_up).map(Some))));
    }
    for other in &OTHERS {
        subjects.push((other.title, Box::new(|stage| other.start(stage))));
    }

    let mut rows = Vec::new();
    let mut nginx = Vec::new();
    for (title, start) in subjects {
        let (mut peaks, mut private) = (Vec::new(), Vec::new());
        for round in 0..bench.rounds(3) {
            let Some(server) = start(stage)? else { break };
            let requests =
                load.drive(server.port, 2 * bench.seconds(), round).map_err(|why| format!("{title}: {why}"))?;
            peaks.push(mebibytes(server.peak_kib()?));
            private.push(mebibytes(server.private_kib()?));
            eprintln!("round {round}: {title}: {requests} requests, {:.1} MiB at most", peaks[peaks.len() - 1]);
            stage.forget_records();
        }
        if peaks.is_empty() {
            println!("skipped: no {title}");
            continue;
        }
        if nginx.is_empty() {
            nginx.clone_from(&peaks);
        }
        let ratios = peaks.iter().zip(&nginx).map(|(own, nginx)| own / nginx).collect();
        let figures = vec![
            Figure::spread("MiB at most", peaks),
            Figure::spread("ratio", ratios),
            Figure::spread("private MiB in the end", private),
        ];
        rows.push(Row { title: title.to_owned(), figures });
    }
    Ok(rows)
}

fn mebibytes(kib: u64) -> f64 {
    kib as f64 / 1024.0
}
