//! What a connection costs in memory that has nothing to say, after one request.

use std::thread::sleep;
use std::time::Duration;

use keyward_testkit::tls_client::TlsClient;

use super::Bench;
use super::callers::{Callers, ISSUE, Requests};
use super::keyward::Wiring;
use super::nginx::Extent;
use super::process::Server;
use super::report::{Figure, Row};
use super::rivals::{OTHERS, Other};
use super::rounds::Load;
use super::set_ups::{Authenticator, SET_UPS};
use super::setup::Spoken;
use super::turns::Turns;

/// Connections in a brief run and in a full one.
const COUNTS: [u32; 2] = [1000, 5000];
/// What a server may have to do before it gives memory back, in a brief run and in a full one.
const QUIET: [Duration; 2] = [Duration::from_secs(7), Duration::from_secs(15)];
/// Answers that were under way are over.
const SETTLED: Duration = Duration::from_millis(200);
/// Of nginx, on both sides.
const NGINX_CONNECTIONS: u32 = 16_384;

/// Whose connections.
enum Subject {
    Keyward(Spoken),
    Nginx(Spoken),
    Other(&'static Other),
}

/// Held open until dropped.
enum Held {
    Plain { _connections: Turns },
    Secure { _connections: Vec<TlsClient> },
}

/// Each of them, started anew for each sample.
pub(super) fn run(bench: &Bench) -> Result<Vec<Row>, String> {
    let needed = COUNTS[usize::from(!bench.brief)] + 1000;
    if !crate::descriptors::suffice_for(needed) {
        println!("skipped: {needed} open files are more than a process may have here (ulimit -n)");
        return Ok(Vec::new());
    }
    let _upstream = bench.stage.upstream()?;
    let spoken = [Spoken::Http1, Spoken::Http1OverTls];
    let subjects = spoken.map(Subject::Nginx).into_iter().chain(spoken.map(Subject::Keyward));
    let subjects = subjects.chain(OTHERS.iter().map(Subject::Other));
    let mut rows = Vec::new();
    // By what is spoken.
    let mut nginx: Vec<(Spoken, Vec<f64>)> = Vec::new();
    for subject in subjects {
        let mut samples = Vec::new();
        for round in 0..bench.rounds(3) {
            let Some(sample) = subject.sample(bench)? else { break };
            eprintln!("round {round}: {}: {:.2} KiB, {:.2} when quiet", subject.title(), sample[0], sample[1]);
            samples.push(sample);
        }
        if samples.is_empty() {
            println!("skipped: no {}", subject.title());
            continue;
        }
        let of = |index: usize| samples.iter().map(|sample: &[f64; 3]| sample[index]).collect::<Vec<_>>();
        if matches!(subject, Subject::Nginx(_)) {
            nginx.push((subject.spoken(), of(1)));
        }
        let same = nginx.iter().find(|(spoken, _)| *spoken == subject.spoken());
        let ratios = same.map(|(_, nginx)| of(1).iter().zip(nginx).map(|(own, nginx)| own / nginx).collect());
        let figures = vec![
            Figure::spread("KiB at once", of(0)),
            Figure::spread("KiB when quiet", of(1)),
            Figure::spread("ratio", ratios.unwrap_or_default()),
            Figure::spread("of which private", of(2)),
        ];
        rows.push(Row { title: subject.title(), figures });
    }
    Ok(rows)
}

impl Subject {
    fn title(&self) -> String {
        match self {
            Self::Keyward(spoken) => format!("keyward{}", with(*spoken)),
            Self::Nginx(spoken) => format!("nginx{}", with(*spoken)),
            Self::Other(other) => other.title.to_owned(),
        }
    }

    fn spoken(&self) -> Spoken {
        match self {
            Self::Keyward(spoken) | Self::Nginx(spoken) => *spoken,
            Self::Other(_) => Spoken::Http1,
        }
    }

    fn start(&self, bench: &Bench, count: u32) -> Result<Option<Server>, String> {
        match self {
            Self::Keyward(spoken) => {
                // A few more make it warm.
                let connections = Some(count + 100);
                let wiring = Wiring { spoken: *spoken, connections, ..Wiring::default() };
                bench.stage.keyward_wired(&SET_UPS[0], &wiring).map(Some)
            }
            Self::Nginx(spoken) => {
                let extent = Extent { connections: NGINX_CONNECTIONS, ..Extent::default() };
                bench.stage.nginx_as("nginx", *spoken, &extent).map(Some)
            }
            Self::Other(other) => other.start(&bench.stage),
        }
    }

    /// KiB for each connection right after they were opened, when they have been quiet, and of these the private ones;
    /// `None` when the server is not installed.
    fn sample(&self, bench: &Bench) -> Result<Option<[f64; 3]>, String> {
        let count = COUNTS[usize::from(!bench.brief)];
        let Some(server) = self.start(bench, count)? else { return Ok(None) };
        // Whatever is made once is there: the connection to the upstream, the token that is known, the record's buffers.
        let requests = Requests::Alike(Authenticator::Jwt.credential(&bench.stage.tokens().first()?));
        let warm = Callers { spoken: self.spoken(), path: ISSUE, connections: 1, requests };
        warm.drive(server.port, 1, 0).map_err(|why| format!("{}: {why}", self.title()))?;
        sleep(SETTLED);
        let (resident, private) = (server.resident_kib()?, server.private_kib()?);
        let _held = self.open(bench, &server, count as usize)?;
        sleep(SETTLED);
        let at_once = server.resident_kib()?;
        sleep(QUIET[usize::from(!bench.brief)]);
        let each = |now: u64, before: u64| (now as f64 - before as f64) / f64::from(count);
        let quiet = each(server.resident_kib()?, resident);
        Ok(Some([each(at_once, resident), quiet, each(server.private_kib()?, private)]))
    }

    fn open(&self, bench: &Bench, server: &Server, count: usize) -> Result<Held, String> {
        let header = Authenticator::Jwt.credential(&bench.stage.tokens().first()?);
        if self.spoken() == Spoken::Http1 {
            return Ok(Held::Plain { _connections: Turns::open(server.port, count, &header)? });
        }
        let host = format!("localhost:{}", server.port);
        let open = || {
            let mut caller = bench.stage.caller_over_tls(server.port)?;
            match caller.get_with(ISSUE, &host, &[&header])?.status() {
                200 => Ok(caller),
                status => Err(std::io::Error::other(format!("it answers {status}"))),
            }
        };
        let opened = (0..count).map(|_| open()).collect::<Result<Vec<_>, _>>();
        let connections = opened.map_err(|error| format!("{count} connections to {}: {error}", self.title()))?;
        Ok(Held::Secure { _connections: connections })
    }
}

fn with(spoken: Spoken) -> &'static str {
    if spoken == Spoken::Http1 { "" } else { ", TLS" }
}
