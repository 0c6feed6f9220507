//! How long a server takes from the start of its process until it is ready, and until it has answered a caller.

use std::io::{self, BufReader, Write};
use std::net::TcpStream;
use std::thread::sleep;
use std::time::{Duration, Instant};

use keyward_testkit::wire;

use super::Bench;
use super::callers::ISSUE;
use super::keyward::{Keyward, Wiring};
use super::report::{Figure, Row};
use super::set_ups::{Authenticator, SET_UPS};

/// Between two questions. It is what the figures are exact to.
const LOOK: Duration = Duration::from_millis(1);
/// For all of it; a debug build takes its time.
const PATIENCE: Duration = Duration::from_secs(120);

/// With 10 rules and with 10,000.
pub(super) fn run(bench: &Bench) -> Result<Vec<Row>, String> {
    let _upstream = bench.stage.upstream()?;
    let header = Authenticator::Jwt.credential(&bench.stage.tokens().first()?);
    let mut rows = Vec::new();
    let mut fewest: Vec<f64> = Vec::new();
    for set_up in &SET_UPS[..2] {
        let keyward = bench.stage.keyward_configured(set_up, &Wiring::default())?;
        let (mut ready, mut answered) = (Vec::new(), Vec::new());
        for round in 0..bench.rounds(11) {
            let [until_ready, until_answered] =
                time(&keyward, &header).map_err(|why| format!("{}: {why}", set_up.title))?;
            eprintln!("round {round}: {}: ready {until_ready:.1} ms, answer {until_answered:.1} ms", set_up.title);
            ready.push(until_ready);
            answered.push(until_answered);
        }
        if fewest.is_empty() {
            fewest.clone_from(&ready);
        }
        let ratios = ready.iter().zip(&fewest).map(|(own, fewest)| own / fewest).collect();
        let figures = vec![
            Figure::spread("ms until ready", ready),
            Figure::spread("ratio", ratios),
            Figure::spread("ms until the first answer", answered),
        ];
        rows.push(Row { title: set_up.title.to_owned(), figures });
    }
    Ok(rows)
}

/// Starts it once: milliseconds until it says that it is ready, and until a request is let through.
fn time(keyward: &Keyward, header: &str) -> Result<[f64; 2], String> {
    let begun = Instant::now();
    let _server = keyward.launch()?;
    let mut moments = [None; 2];
    while moments.contains(&None) {
        if begun.elapsed() > PATIENCE {
            return Err("it is not ready".to_owned());
        }
        let questions = [(keyward.api_port, "/health/ready", ""), (keyward.port, ISSUE, header)];
        for (moment, (port, path, header)) in moments.iter_mut().zip(questions) {
            if moment.is_none() && answers(port, path, header).unwrap_or(false) {
                *moment = Some(begun.elapsed());
            }
        }
        sleep(LOOK);
    }
    Ok(moments.map(|moment| moment.unwrap_or_default().as_secs_f64() * 1e3))
}

/// Whether a port answers with 200; an error while nobody listens there.
fn answers(port: u16, path: &str, header: &str) -> io::Result<bool> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let header = if header.is_empty() { String::new() } else { format!("{header}\r\n") };
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{header}\r\n").as_bytes())?;
    Ok(wire::read_response(&mut BufReader::new(stream), false)?.status() == 200)
}
