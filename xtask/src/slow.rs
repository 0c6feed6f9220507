//! `cargo xtask slow`: ten thousand connections that hardly say anything, half of them over TLS, and what becomes of
//! honest callers and of memory meanwhile. It fails when an honest caller gets anything but 200, or memory grows by more
//! than 250 MiB. Times are printed, and nothing is asserted of them.

use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use keyward_testkit::load::Callers;
use keyward_testkit::pki::Authority;
use keyward_testkit::process::{Keyward, Running};
use keyward_testkit::slow::{KINDS, SlowCaller};
use keyward_testkit::soak::Latencies;
use keyward_testkit::{scripted, wire};
use rustix::process::setpriority_process;

use crate::cores::Cores;
use crate::descriptors;
use crate::options::Options;

/// Slow callers in a brief run and in a full one.
const COUNTS: [usize; 2] = [1000, 10_000];
/// How many seconds honest callers call, before and beside the slow ones.
const LENGTHS: [u32; 2] = [2, 30];
/// Honest callers, and what they ask for in a second.
const HONEST: (u32, f64) = (16, 500.0);
const MOST_GROWTH_MIB: u64 = 250;
/// Slow callers take turns, so many in a second: few speak at once, since they know nothing of each other, and since
/// honest callers share a core with them, where one that speaks makes the others wait.
const TURNS: u32 = 2000;
/// For a connection to be taken.
const PATIENCE: Duration = Duration::from_secs(30);
/// The "nice" value of whoever is to run last.
const LEAST_URGENT: i32 = 19;
/// Longer than all of it takes: what is measured is connections that last.
const LIMITS: [&str; 4] = [
    "SERVE_PROXY_TIMEOUT_HEADER",
    "SERVE_PROXY_TIMEOUT_READ",
    "SERVE_PROXY_TIMEOUT_IDLE",
    // The upstream has a thread for each upload, and begins them as fast as it can.
    "SERVE_PROXY_UPSTREAM_CONNECT_TIMEOUT",
];

const CONFIG: &str = "
authenticators: {anonymous: {enabled: true}}
authorizers: {allow: {enabled: true}}
mutators: {noop: {enabled: true}}
log: {level: error}
";

pub(crate) fn run(options: &Options) -> Result<(), String> {
    let (binary, brief) = (options.binary()?, options.brief);
    let (count, length) = (COUNTS[usize::from(!brief)], LENGTHS[usize::from(!brief)]);
    descriptors::raise()?;
    // One for each, and one for each upload at the upstream.
    let needed = u32::try_from(count * 3 / 2).unwrap_or(u32::MAX) + 1000;
    if !descriptors::suffice_for(needed) {
        println!("skipped: {needed} open files are more than a process may have here (ulimit -n)");
        return Ok(());
    }
    eprintln!("measuring {}", binary.display());
    let authority = Authority::new();
    let servers = start_apart(&binary, &authority)?;
    let resident = || servers.iter().map(Running::resident_kib).sum::<u64>() / 1024;
    let honest = || call(servers[0].proxy, length);
    let alone = honest()?;
    let idle = resident();
    let trusts = authority.client(&[b"http/1.1"]);
    let connect = |number: usize| {
        let (server, tls) = if number.is_multiple_of(2) { (&servers[0], None) } else { (&servers[1], Some(&trusts)) };
        SlowCaller::connect(server.proxy, tls, KINDS[number / 2 % KINDS.len()], PATIENCE)
    };
    let opened = (0..count).map(connect).collect::<Result<Vec<_>, _>>();
    let mut slow = opened.map_err(|error| format!("a slow caller cannot connect: {error}"))?;
    let over = Arc::new(AtomicBool::new(false));
    let until = over.clone();
    let dripping = thread::spawn(move || {
        give_way()?;
        // Each once a second.
        let turn = Duration::from_secs(1) / TURNS;
        let at_once = slow.len().div_ceil(TURNS as usize);
        while !until.load(Ordering::Relaxed) {
            for callers in slow.chunks_mut(at_once) {
                let next = Instant::now() + turn;
                for caller in callers {
                    if let Err(error) = caller.drip() {
                        return Err(format!("a slow caller was cut off: {error}"));
                    }
                }
                sleep(next.saturating_duration_since(Instant::now()));
            }
        }
        Ok(slow)
    });
    let beside = honest();
    let most = resident();
    over.store(true, Ordering::Relaxed);
    let slow = dripping.join().map_err(|_| "dripping failed".to_owned())??;
    let beside = beside?;
    println!("{:>24} {:>9} {:>9} {:>9} {:>12} {:>9}", "", "200", "p50 ms", "p99 ms", "usual p99 ms", "RSS MiB");
    show("honest callers alone", &alone, idle);
    show(&format!("beside {} slow ones", slow.len()), &beside, most);
    let growth = most.saturating_sub(idle);
    println!("memory: {growth} MiB more");
    if growth > MOST_GROWTH_MIB { Err(format!("that is more than {MOST_GROWTH_MIB} MiB")) } else { Ok(()) }
}

/// Both servers, on a core of their own where there are two: what callers wait for there is what Keyward makes them wait.
fn start_apart(binary: &Path, authority: &Authority) -> Result<[Running; 2], String> {
    let cores = Cores::apart();
    if cores.is_none() {
        eprintln!("one core only: callers and servers take it from each other");
    }
    cores.as_ref().map_or(Ok(()), Cores::for_others)?;
    let upstream = scripted::upstream(answer);
    cores.as_ref().map_or(Ok(()), Cores::for_server)?;
    let servers = [start(binary, upstream, None), start(binary, upstream, Some(authority))];
    cores.as_ref().map_or(Ok(()), Cores::for_others)?;
    Ok(servers)
}

/// From now on this thread lets everyone else go first. Slow callers are on other machines elsewhere: the time that it
/// takes to be them is not to be seen in what honest ones wait for.
fn give_way() -> Result<(), String> {
    setpriority_process(None, LEAST_URGENT).map_err(|error| format!("slow callers cannot give way: {error}"))
}

fn start(binary: &Path, upstream: u16, tls: Option<&Authority>) -> Running {
    let rules = format!(
        "- id: any\n  match: {{url: \"<https?>://<[^/]*>/<.*>\", methods: [GET, POST]}}\n  \
         authenticators: [{{handler: anonymous}}]\n  authorizer: {{handler: allow}}\n  mutators: [{{handler: noop}}]\n  \
         upstream: {{url: \"http://127.0.0.1:{upstream}\"}}\n"
    );
    let mut keyward = Keyward::new(binary).with(CONFIG, &rules);
    // They have one core.
    keyward = keyward.env("SERVE_PROXY_WORKERS", "1");
    for name in LIMITS {
        keyward = keyward.env(name, "10m");
    }
    if let Some(authority) = tls {
        keyward = keyward.with_tls(authority);
    }
    keyward.start()
}

/// An upstream's connection.
fn answer(stream: TcpStream) {
    let mut reader = BufReader::new(&stream);
    while let Ok(Some(_)) = wire::read_request(&mut reader) {
        if (&stream).write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").is_err() {
            return;
        }
    }
}

/// What honest callers saw.
struct Seen {
    served: Latencies,
    /// The 99th percentile of a usual second: the median of all seconds'. A machine that stops for some milliseconds now
    /// and then, as virtual ones do, spoils the percentile of the whole, and few seconds'.
    usual: Duration,
}

fn call(port: u16, seconds: u32) -> Result<Seen, String> {
    let (callers, rate) = HONEST;
    let mut honest = Callers::connect(port, "/x", callers).map_err(|error| format!("no connections: {error}"))?;
    let (mut served, mut each) = (Latencies::default(), Vec::new());
    for _ in 0..seconds {
        let outcome = honest.call(Some(rate), Duration::from_secs(1));
        if !outcome.others.is_empty() || outcome.shed.count() > 0 {
            return Err(format!(
                "honest callers were refused {} times, or got {:?}",
                outcome.shed.count(),
                outcome.others
            ));
        }
        each.push(outcome.served.quantiles([0.99])[0]);
        served.add(outcome.served);
    }
    each.sort_unstable();
    let usual = each.get(each.len() / 2).copied().unwrap_or_default();
    Ok(Seen { served, usual })
}

fn show(who: &str, seen: &Seen, resident_mib: u64) {
    let [half, most] = seen.served.quantiles([0.5, 0.99]).map(milliseconds);
    let usual = milliseconds(seen.usual);
    println!("{who:>24} {:>9} {half:>9.1} {most:>9.1} {usual:>12.1} {resident_mib:>9}", seen.served.count());
}

fn milliseconds(latency: Duration) -> f64 {
    latency.as_secs_f64() * 1e3
}
