//! Names as a name server gives them, with the real binary and the system's resolver: what a changed, missing, late or
//! lying answer comes to. Needs port 53 and a file system of the server's own; says so and shows nothing where these
//! cannot be had.

#![allow(clippy::unwrap_used)]

use std::io::{BufReader, ErrorKind, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use keyward_testkit::dns::{NameServer, Said};
use keyward_testkit::process::{Keyward, PATIENCE, Running};
use keyward_testkit::wire;

/// Beyond this, what was remembered of a name is asked for anew (30 s), and a bit.
const FORGOTTEN: Duration = Duration::from_secs(45);
/// Addresses of this machine that stand for some on the network, and one that nobody listens on.
const FIRST: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const SECOND: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);
/// One that is not allowed.
const INSIDE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 4);
const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);

/// Each core remembers names for itself, so that there is one.
const CONFIG: &str = "
authenticators: {anonymous: {enabled: true}}
authorizers: {allow: {enabled: true}}
mutators: {header: {enabled: true, config: {headers: {X-Key: the-secret}}}}
serve: {proxy: {workers: 1, upstream: {addresses: {allow: [127.0.0.2, 127.0.0.3]}}}}
";

fn name_server() -> Option<NameServer> {
    match NameServer::start() {
        Ok(server) => Some(server),
        Err(reason) => {
            // Past what the runner of tests keeps to itself.
            std::io::stderr().write_all(format!("skipped: {reason}\n").as_bytes()).unwrap();
            None
        }
    }
}

fn addresses(found: &[Ipv4Addr]) -> Said {
    Said::Addresses(found.iter().map(|address| IpAddr::V4(*address)).collect(), 1)
}

/// Listens on a port of several addresses at once; where each request came in, each on a connection of its own.
fn upstream() -> (u16, Receiver<IpAddr>) {
    let (sender, seen) = channel();
    let listeners = loop {
        let port = keyward_testkit::ports::free_port();
        let bound: Vec<_> =
            [FIRST, SECOND, INSIDE].iter().filter_map(|ip| TcpListener::bind((*ip, port)).ok()).collect();
        if bound.len() == 3 {
            break bound;
        }
    };
    let port = listeners[0].local_addr().unwrap().port();
    for listener in listeners {
        let sender = sender.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let _ = stream.set_read_timeout(Some(PATIENCE));
                let address = stream.local_addr().unwrap().ip();
                let mut reader = BufReader::new(stream);
                if let Ok(Some(_)) = wire::read_request(&mut reader) {
                    sender.send(address).unwrap();
                    let _ = reader.get_mut().write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
                }
            }
        });
    }
    (port, seen)
}

/// A server with a rule for each of these names: `/NAME/` goes to the host NAME.
fn serve(names: &NameServer, hosts: &[&str], port: u16) -> Running {
    let rule = |host: &&str| {
        format!(
            "- id: {host}\n  match: {{url: 'http://h/{host}/<.*>', methods: [GET]}}\n  authenticators: [{{handler: anonymous}}]\n  \
             authorizer: {{handler: allow}}\n  mutators: [{{handler: header}}]\n  upstream: {{url: 'http://{host}:{port}'}}\n"
        )
    };
    let rules: String = hosts.iter().map(rule).collect();
    Keyward::new(names.wrap(Path::new(env!("CARGO_BIN_EXE_keyward")))).with(CONFIG, &rules).start()
}

fn status(running: &Running, host: &str) -> u16 {
    running.get(&format!("/{host}/x"), &[("Host", "h")]).status()
}

/// Every connection is judged: what a name leads to is known only when it is opened.
#[test]
fn what_changes_is_followed_and_what_must_not_be_reached_is_refused() {
    let Some(names) = name_server() else { return };
    let (port, seen) = upstream();
    let hosts =
        ["moves.example", "rebinds.example", "metadata.example", "goes.example", "fails.example", "silent.example"];
    for host in hosts {
        names.say(host, addresses(&[FIRST]));
    }
    let running = serve(&names, &hosts, port);
    for host in hosts {
        for _ in 0..3 {
            assert_eq!(status(&running, host), 204, "{host}: {}", running.log());
            assert_eq!(seen.recv_timeout(PATIENCE).unwrap(), FIRST);
        }
    }
    // What is remembered is not asked for again.
    assert_eq!(names.asked(), hosts);
    names.say("moves.example", addresses(&[SECOND]));
    names.say("rebinds.example", addresses(&[INSIDE]));
    names.say("metadata.example", addresses(&[METADATA]));
    names.say("goes.example", Said::NoSuchName);
    names.say("fails.example", Said::Failure);
    names.say("silent.example", Said::Silence);
    let begun = Instant::now();
    // As long as it is remembered, a request goes where it did.
    let until = |what: &str, host: &str, status: u16, address: Option<Ipv4Addr>| loop {
        let answer = running.get(&format!("/{host}/x"), &[("Host", "h")]);
        let came = seen.try_recv().ok();
        if answer.status() == status && came == address.map(IpAddr::V4) {
            break;
        }
        assert_eq!((answer.status(), came), (204, Some(FIRST.into())), "{host}: {}", running.log());
        assert!(begun.elapsed() < FORGOTTEN, "{what}: {}", running.log());
        thread::sleep(Duration::from_millis(200));
    };
    until("the new address is used", "moves.example", 204, Some(SECOND));
    until("it is refused", "rebinds.example", 502, None);
    until("it is refused", "metadata.example", 502, None);
    for (host, address) in [("rebinds.example", INSIDE), ("metadata.example", METADATA)] {
        let answer = running.get(&format!("/{host}/x"), &[("Host", "h")]);
        assert_eq!((answer.status(), answer.text()), (502, String::new()), "{host}");
        assert!(running.log().contains(&format!("`{host}` leads to {address}, a ")), "{}", running.log());
    }
    assert!(running.metric("keyward_upstream_errors_total{reason=\"upstream_address\"}") >= Some(4.0));
    // A name server that knows a name no more, or is gone, stops no traffic.
    names.asked();
    for host in ["goes.example", "fails.example", "silent.example"] {
        let mut asked = 0;
        while asked < 2 {
            assert_eq!(status(&running, host), 204, "{host}: {}", running.log());
            assert_eq!(seen.recv_timeout(PATIENCE).unwrap(), FIRST, "{host}");
            asked += names.asked().iter().filter(|name| *name == host).count();
            // Who says nothing is asked once, as long as that takes.
            asked += usize::from(asked == 1 && host == "silent.example");
            assert!(begun.elapsed() < FORGOTTEN, "{host} is not asked for again");
        }
    }
}

/// From the beginning on: no address, no request.
#[test]
fn names_that_lead_nowhere_or_inside_get_nothing_and_are_named_in_the_log() {
    let Some(names) = name_server() else { return };
    let (port, seen) = upstream();
    let ipv6 = |text: &str| Said::Addresses(vec![text.parse().unwrap()], 60);
    let rows: [(&str, Said, &str, &str); 9] = [
        ("missing.example", Said::NoSuchName, "upstream_connect", "missing.example"),
        ("failing.example", Said::Failure, "upstream_connect", "failing.example"),
        ("empty.example", addresses(&[]), "upstream_connect", "empty.example"),
        ("inside.example", addresses(&[INSIDE]), "upstream_address", "`inside.example` leads to 127.0.0.4, a loopback"),
        ("metadata.example", addresses(&[METADATA]), "upstream_address", "leads to 169.254.169.254, a metadata"),
        ("link.example", addresses(&[Ipv4Addr::new(169, 254, 1, 1)]), "upstream_address", "169.254.1.1, a link_local"),
        ("any.example", addresses(&[Ipv4Addr::UNSPECIFIED]), "upstream_address", "leads to 0.0.0.0, a"),
        ("six.example", ipv6("::1"), "upstream_address", "`six.example` leads to ::1, a loopback"),
        ("mapped.example", ipv6("::ffff:127.0.0.4"), "upstream_address", "`mapped.example` leads to ::ffff:127.0.0.4"),
    ];
    let hosts: Vec<&str> = rows.iter().map(|(host, ..)| *host).chain(["mixed.example"]).collect();
    for (host, said, ..) in &rows {
        names.say(host, said.clone());
    }
    names.say("mixed.example", addresses(&[METADATA, INSIDE, SECOND]));
    let running = serve(&names, &hosts, port);
    for (number, (host, _, reason, log)) in rows.iter().enumerate() {
        let answer = running.get(&format!("/{host}/x"), &[("Host", "h")]);
        assert_eq!((answer.status(), answer.text()), (502, String::new()), "{host}");
        assert_eq!(running.audit(number + 1)[number]["reason"], *reason, "{host}");
        assert!(running.log().contains(log), "{log}: {}", running.log());
    }
    assert!(seen.try_recv().is_err(), "nothing was connected to");
    // Of several, those that may be are used.
    assert_eq!(status(&running, "mixed.example"), 204, "{}", running.log());
    assert_eq!(seen.recv_timeout(PATIENCE).unwrap(), SECOND);
    // A name that comes to be is found: that it was missing is not remembered.
    names.say("missing.example", addresses(&[FIRST]));
    assert_eq!(status(&running, "missing.example"), 204, "{}", running.log());
}

/// More callers wait for one name than there are threads to ask with; all others are served.
#[test]
fn a_name_server_that_is_late_holds_up_nobody_else() {
    const WAITING: usize = 300;
    let Some(names) = name_server() else { return };
    let (port, seen) = upstream();
    let late = Said::Late(Duration::from_secs(10), Box::new(addresses(&[FIRST])));
    let others: Vec<String> = (0..5).map(|number| format!("other-{number}.example")).collect();
    names.say("late.example", late);
    others.iter().for_each(|host| names.say(host, addresses(&[SECOND])));
    let hosts: Vec<&str> = others.iter().map(String::as_str).chain(["late.example"]).collect();
    let running = serve(&names, &hosts, port);
    let mut waiting = Vec::new();
    for _ in 0..WAITING {
        let mut stream = TcpStream::connect(("127.0.0.1", running.proxy)).unwrap();
        stream.set_read_timeout(Some(2 * PATIENCE)).unwrap();
        stream.write_all(b"GET /late.example/x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").unwrap();
        waiting.push(stream);
    }
    running.until("all of them", |running| running.metric("keyward_connections ") >= Some(WAITING as f64));
    for host in &others {
        assert_eq!(status(&running, host), 204, "{host}: {}", running.log());
        assert_eq!(seen.recv_timeout(PATIENCE).unwrap(), SECOND);
    }
    let asked = names.asked().iter().filter(|name| *name == "late.example").count();
    assert_eq!(asked, 1, "how often the late name was asked for");
    for stream in waiting {
        let answer = wire::read_response(&mut BufReader::new(stream), false);
        let answer = answer.unwrap_or_else(|error| panic!("{:?}: {}", error.kind(), running.log()));
        assert!(matches!(answer.status(), 204 | 504), "{answer:?}");
    }
    let begun = Instant::now();
    while status(&running, "late.example") != 204 {
        assert!(begun.elapsed() < 2 * PATIENCE, "{}", running.log());
    }
    assert_ne!(seen.recv_timeout(PATIENCE).map_err(|_| ErrorKind::TimedOut), Err(ErrorKind::TimedOut));
}
