//! A name server that is slow, silent or broken. It is one of this test's, which the server under test finds in its
//! `/etc/resolv.conf`: that needs a view of the file system of its own.

use std::io::Write;
use std::net::UdpSocket;
use std::process::Command;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use keyward_testkit::process::{Keyward, PATIENCE};
use keyward_testkit::scripted::{read_head, upstream};

use crate::{CONFIG, Caller};

/// Where the system's resolver asks has no port of one's own to name.
const NAME_SERVER: &str = "127.77.0.1";

const SILENT: u8 = 0xff;
const ANSWERS: u8 = 0;
const SERVFAIL: u8 = 2;
const NXDOMAIN: u8 = 3;

/// What is said of every name, and how many questions there were.
struct NameServer {
    says: Arc<AtomicU8>,
    asked: Arc<Mutex<usize>>,
}

impl NameServer {
    fn start() -> std::io::Result<Self> {
        let socket = UdpSocket::bind((NAME_SERVER, 53))?;
        let (says, asked) = (Arc::new(AtomicU8::new(SILENT)), Arc::new(Mutex::new(0)));
        let server = Self { says: says.clone(), asked: asked.clone() };
        thread::spawn(move || {
            let mut query = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut query) {
                *asked.lock().unwrap() += 1;
                let says = says.load(Ordering::SeqCst);
                if says != SILENT {
                    let _ = socket.send_to(&answer(&query[..length], says), from);
                }
            }
        });
        Ok(server)
    }

    fn say(&self, what: u8) {
        self.says.store(what, Ordering::SeqCst);
    }
}

/// RFC 1035 section 4: the question again, and 127.0.0.1 if it is for an address of that kind.
fn answer(query: &[u8], code: u8) -> Vec<u8> {
    let name = query[12..].iter().position(|octet| *octet == 0).map_or(query.len(), |end| 12 + end + 1);
    let question = &query[12..(name + 4).min(query.len())];
    let is_for_ipv4 = query.get(name..name + 2) == Some(&[0, 1]);
    let found = code == ANSWERS && is_for_ipv4;
    let mut answer = vec![query[0], query[1], 0x81, 0x80 | code, 0, 1, 0, found.into(), 0, 0, 0, 0];
    answer.extend_from_slice(question);
    if found {
        answer.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
    }
    answer
}

/// Has a shell go on with a `resolv.conf` and a file of hosts that nobody else sees.
fn own_names(keyward: Keyward) -> Keyward {
    let resolv = keyward.write("resolv.conf", &format!("nameserver {NAME_SERVER}\noptions timeout:5 attempts:2\n"));
    let mount = format!("mount --bind {} /etc/resolv.conf", resolv.display());
    keyward.after(&format!("exec unshare -m sh -c '{mount} && exec \"$0\" \"$@\"' \"$0\" \"$@\""))
}

fn can_have_own_names() -> bool {
    let tried = Command::new("unshare").args(["-m", "mount", "--bind", "/dev/null", "/etc/resolv.conf"]).output();
    tried.is_ok_and(|tried| tried.status.success())
}

#[test]
fn a_name_server_that_is_silent_or_fails_holds_up_no_other_upstream() {
    let name_server = NameServer::start().ok().filter(|_| can_have_own_names());
    let Some(name_server) = name_server else {
        return eprintln!("SKIPPED: no name server can be put in the place of the system's here");
    };
    // Keeps no connection, over which nobody has to be asked.
    let upstream = upstream(|mut stream| {
        read_head(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
    });
    let rule = |id: &str, host: &str| {
        format!(
            "- id: {id}\n  match: {{url: \"http://<[^/]*>/{id}\", methods: [GET]}}\n  \
             authenticators: [{{handler: anonymous}}]\n  authorizer: {{handler: allow}}\n  mutators: [{{handler: noop}}]\n  \
             upstream: {{url: \"http://{host}:{upstream}\"}}\n"
        )
    };
    let keyward = Keyward::new(env!("CARGO_BIN_EXE_keyward"))
        .with(CONFIG, &(rule("named", "upstream.example") + &rule("literal", "127.0.0.1")))
        .env("SERVE_PROXY_WORKERS", "1")
        .env("SERVE_PROXY_UPSTREAM_CONNECT_TIMEOUT", "1s")
        .env("SERVE_PROXY_UPSTREAM_ADDRESSES_ALLOW", "127.0.0.0/8");
    let running = own_names(keyward).start();
    for (says, expected) in [
        (SILENT, 502),
        (SERVFAIL, 502),
        (NXDOMAIN, 502),
        (ANSWERS, 200),
        // What was answered is remembered.
        (SILENT, 200),
        (SERVFAIL, 200),
    ] {
        name_server.say(says);
        let mut waiting: Vec<Caller> = (0..20).map(|_| Caller::connect(running.proxy).unwrap()).collect();
        waiting.iter_mut().for_each(|caller| caller.send("/named").unwrap());
        let (begun, mut other) = (Instant::now(), Caller::connect(running.proxy).unwrap());
        for _ in 0..10 {
            assert_eq!(other.ask("/literal").unwrap().status(), 200);
            thread::sleep(Duration::from_millis(5));
        }
        for mut caller in waiting {
            let status = caller.answer().unwrap().status();
            let is_expected = status == expected || expected == 502 && status == 504;
            assert!(is_expected, "{says:#x}: {status}\n{}", running.log());
        }
        // Long before the system's resolver gives up.
        assert!(begun.elapsed() < PATIENCE, "{says:#x}");
    }
    assert!(*name_server.asked.lock().unwrap() > 0);
}
