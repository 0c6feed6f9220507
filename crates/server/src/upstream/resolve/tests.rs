#![allow(clippy::unwrap_used)]
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Semaphore;

use super::super::addresses::Addresses;
use super::*;

/// A name server that gives one answer after the other, and then none.
#[derive(Debug)]
struct Scripted(Mutex<VecDeque<&'static [&'static str]>>);

impl Lookup for Scripted {
    fn look_up<'a>(&'a self, _: &'a str, port: u16) -> Answering<'a> {
        let next = self.0.lock().unwrap().pop_front();
        let answer = next.map(|ips| ips.iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), port)).collect());
        Box::pin(std::future::ready(answer.ok_or_else(|| io::Error::other("the name server is silent"))))
    }
}

fn resolver(ttl: Duration, policy: AddressPolicy, answers: &[&'static [&'static str]]) -> Resolver {
    let lookup = Arc::new(Scripted(Mutex::new(answers.iter().copied().collect())));
    Resolver { lookup, ttl, ..Resolver::new(Vec::new(), policy) }
}

async fn ask(resolver: &Resolver, host: &str) -> Result<Vec<String>, String> {
    let found = resolver.resolve(host, 80).await.map_err(|error| error.to_string())?;
    Ok(found.iter().map(|permitted| permitted.address().ip().to_string()).collect())
}

#[tokio::test]
async fn of_several_addresses_those_that_are_refused_are_left_out() {
    let answers: [&[&str]; 2] = [&["127.0.0.1", "192.0.2.1", "::1", "10.0.0.1"], &["::ffff:169.254.169.254", "::1"]];
    let resolver = resolver(Duration::ZERO, AddressPolicy::default(), &answers);
    assert_eq!(ask(&resolver, "h").await.unwrap(), ["192.0.2.1", "10.0.0.1"]);
    assert_eq!(
        ask(&resolver, "h").await.unwrap_err(),
        "`h` leads to ::ffff:169.254.169.254, a metadata address, to which no name may lead; if it is meant, write \
         the address for the name, or list it in `serve.proxy.upstream.addresses.allow`"
    );
}

/// A name may lead elsewhere at each connection: what was good for the first one says nothing of the next.
#[tokio::test]
async fn a_name_that_is_rebound_to_this_machine_is_refused_at_the_next_connection() {
    let answers: [&[&str]; 3] = [&["192.0.2.1"], &["127.0.0.1"], &["192.0.2.2"]];
    let resolver = resolver(Duration::ZERO, AddressPolicy::default(), &answers);
    assert_eq!(ask(&resolver, "h").await.unwrap(), ["192.0.2.1"]);
    assert!(ask(&resolver, "h").await.unwrap_err().contains("a loopback address"));
    assert_eq!(ask(&resolver, "h").await.unwrap(), ["192.0.2.2"]);
}

/// What is remembered, or used because nobody answers any more, is judged as what is new.
#[tokio::test]
async fn a_remembered_answer_is_judged_each_time_it_is_used() {
    for ttl in [TTL, Duration::ZERO] {
        let resolver = resolver(ttl, AddressPolicy::default(), &[&["127.0.0.1"]]);
        for _ in 0..3 {
            assert!(ask(&resolver, "h").await.unwrap_err().contains("a loopback address"));
        }
    }
    let silent = self::resolver(Duration::ZERO, AddressPolicy::default(), &[&["192.0.2.1"]]);
    for _ in 0..3 {
        assert_eq!(ask(&silent, "h").await.unwrap(), ["192.0.2.1"], "a name server's pause");
    }
    assert_eq!(ask(&silent, "other").await.unwrap_err(), "the name server is silent");
}

/// But not for ever.
#[tokio::test]
async fn an_answer_is_used_without_another_one_for_a_time() {
    let mut silent = resolver(Duration::ZERO, AddressPolicy::default(), &[&["192.0.2.1"]]);
    assert_eq!(ask(&silent, "h").await.unwrap(), ["192.0.2.1"]);
    silent.max_stale = Duration::ZERO;
    assert_eq!(ask(&silent, "h").await.unwrap_err(), "the name server is silent");
}

/// A name server that answers when it is told to, and counts how often it is asked.
#[derive(Debug)]
struct Late {
    asked: AtomicUsize,
    may: Semaphore,
}

impl Late {
    fn new() -> Self {
        Self { asked: AtomicUsize::new(0), may: Semaphore::new(0) }
    }
}

impl Lookup for Late {
    fn look_up<'a>(&'a self, _: &'a str, port: u16) -> Answering<'a> {
        Box::pin(async move {
            self.asked.fetch_add(1, Ordering::SeqCst);
            self.may.acquire().await.map_err(io::Error::other)?.forget();
            Ok(vec![SocketAddr::new([192, 0, 2, 1].into(), port)])
        })
    }
}

/// Each lookup takes a thread: however many wait, and however many have given up waiting, there is one for a name.
#[tokio::test]
async fn who_asks_for_one_name_at_once_waits_for_one_lookup() {
    let late = Arc::new(Late::new());
    let resolver = Resolver { lookup: late.clone(), ..Resolver::new(Vec::new(), AddressPolicy::default()) };
    for _ in 0..20 {
        assert!(tokio::time::timeout(Duration::from_millis(1), ask(&resolver, "h")).await.is_err());
    }
    assert_eq!(late.asked.load(Ordering::SeqCst), 1);
    late.may.add_permits(1);
    assert_eq!(ask(&resolver, "h").await.unwrap(), ["192.0.2.1"]);
    assert_eq!(late.asked.load(Ordering::SeqCst), 1);
    assert!(locked(&resolver.memory.awaited).is_empty());
}

#[tokio::test]
async fn where_an_answer_is_known_a_late_one_is_not_waited_for_long() {
    let late = Arc::new(Late::new());
    let resolver =
        Resolver { lookup: late.clone(), ttl: Duration::ZERO, ..Resolver::new(Vec::new(), AddressPolicy::default()) };
    late.may.add_permits(1);
    for _ in 0..3 {
        let answer = tokio::time::timeout(20 * STALE_WAIT, ask(&resolver, "h")).await;
        assert_eq!(answer.unwrap().unwrap(), ["192.0.2.1"]);
    }
    assert_eq!(late.asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn what_is_denied_is_denied_however_it_is_written_but_for_overrides() {
    let deny = AddressPolicy::new(Vec::new(), vec![Addresses::parse("192.0.2.0/24").unwrap()]);
    let mut resolver = resolver(TTL, deny, &[&["192.0.2.1"]]);
    let expected = "leads to 192.0.2.1, which `serve.proxy.upstream.addresses.deny` covers";
    for host in ["h", "192.0.2.1"] {
        assert!(ask(&resolver, host).await.unwrap_err().contains(expected), "{host}");
    }
    resolver.overrides = vec![Override::parse("h:80:192.0.2.1").unwrap()];
    assert_eq!(ask(&resolver, "h").await.unwrap(), ["192.0.2.1"]);
}

#[test]
fn overrides_are_written_as_for_curl() {
    let rows = [
        ("h:443:127.0.0.1:8443", Some("127.0.0.1:8443")),
        ("H.example:443:127.0.0.1", Some("127.0.0.1:443")),
        ("h:443:[::1]:8443", Some("[::1]:8443")),
        ("h:443:[::1]", Some("[::1]:443")),
        ("h:443", None),
        ("h:x:127.0.0.1", None),
        ("h:443:name", None),
    ];
    for (text, expected) in rows {
        assert_eq!(Override::parse(text).ok().map(|entry| entry.address.to_string()).as_deref(), expected, "{text}");
    }
}
