//! Host names to addresses: configured overrides first, then the system's resolver, remembered briefly. Whatever comes
//! out may be connected to: answers are judged each time, remembered ones too.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::addresses::{AddressPolicy, Objection, Permitted};

/// One entry of `serve.proxy.upstream.resolve`: `host:port:address[:port]`, like curl's `--resolve`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    host: String,
    port: u16,
    address: SocketAddr,
}

impl Override {
    /// Parses one entry. IPv6 addresses are written in brackets.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const SHAPE: &str = "write `host:port:address` or `host:port:address:port`";
        let (host, rest) = text.split_once(':').ok_or(SHAPE)?;
        let (port, address) = rest.split_once(':').ok_or(SHAPE)?;
        let port: u16 = port.parse().map_err(|_| SHAPE)?;
        let address = match address.parse::<SocketAddr>() {
            Ok(address) => address,
            Err(_) => {
                let ip: IpAddr = address.trim_matches(['[', ']']).parse().map_err(|_| SHAPE)?;
                SocketAddr::new(ip, port)
            }
        };
        Ok(Self { host: host.to_ascii_lowercase(), port, address })
    }
}

/// How long an answer of the system's resolver is used.
const TTL: Duration = Duration::from_secs(30);
/// How long it may be used while the system's resolver fails.
const MAX_STALE: Duration = Duration::from_secs(3600);
/// How many names are remembered.
const MAX_NAMES: usize = 1024;

/// Answers by name and port, with their time.
type Remembered = HashMap<(String, u16), (Instant, Vec<SocketAddr>)>;

/// Who knows the addresses of names.
pub(super) trait Lookup: fmt::Debug + Send + Sync {
    /// All of them, in order of preference.
    fn look_up<'a>(&'a self, host: &'a str, port: u16) -> Answering<'a>;
}

type Answering<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'a>>;

/// The system's resolver.
#[derive(Debug)]
struct System;

impl Lookup for System {
    fn look_up<'a>(&'a self, host: &'a str, port: u16) -> Answering<'a> {
        Box::pin(async move { tokio::net::lookup_host((host, port)).await.map(Iterator::collect) })
    }
}

/// A resolver with a small memory.
#[derive(Debug)]
pub struct Resolver {
    overrides: Vec<Override>,
    policy: AddressPolicy,
    lookup: Arc<dyn Lookup>,
    ttl: Duration,
    max_stale: Duration,
    remembered: Mutex<Remembered>,
}

/// Why there is no address to connect to.
#[derive(Debug)]
pub enum ResolveError {
    /// The name is not known, or nobody can say.
    Failed(io::Error),
    /// No address that the host leads to may be connected to.
    Refused {
        /// The host as it is written.
        host: String,
        /// One of the addresses.
        address: IpAddr,
        /// What is wrong with it.
        objection: Objection,
    },
}

impl Resolver {
    /// A resolver with overrides, which says where names may lead.
    pub fn new(overrides: Vec<Override>, policy: AddressPolicy) -> Self {
        let lookup = Arc::new(System);
        Self { overrides, policy, lookup, ttl: TTL, max_stale: MAX_STALE, remembered: Mutex::default() }
    }

    /// The addresses to try, in order; those that may not be connected to are left out.
    pub async fn resolve(&self, host: &str, port: u16) -> Result<Vec<Permitted>, ResolveError> {
        let fixed: Vec<Permitted> = self
            .overrides
            .iter()
            .filter(|entry| entry.port == port && entry.host == host)
            .map(|entry| AddressPolicy::configured(entry.address))
            .collect();
        if !fixed.is_empty() {
            return Ok(fixed);
        }
        let found = match host.parse::<IpAddr>() {
            Ok(address) => vec![SocketAddr::new(address, port)],
            Err(_) => self.look_up(host, port).await.map_err(ResolveError::Failed)?,
        };
        let (mut permitted, mut refused) = (Vec::with_capacity(found.len()), None);
        for address in found {
            match self.policy.permit(host, address) {
                Ok(address) => permitted.push(address),
                Err(objection) => refused = refused.or(Some((address.ip(), objection))),
            }
        }
        match refused {
            Some((address, objection)) if permitted.is_empty() => {
                Err(ResolveError::Refused { host: host.to_owned(), address, objection })
            }
            _ => Ok(permitted),
        }
    }

    /// What a name leads to. An answer that has grown old is still used, for a while, when the resolver fails: a name
    /// server's pause must not stop traffic.
    async fn look_up(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let key = (host.to_owned(), port);
        let known = self.remembered.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some((_, addresses)) = known.as_ref().filter(|(since, _)| since.elapsed() < self.ttl) {
            return Ok(addresses.clone());
        }
        match self.lookup.look_up(host, port).await {
            Ok(addresses) => {
                let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
                if remembered.len() >= MAX_NAMES {
                    remembered.clear();
                }
                remembered.insert(key, (Instant::now(), addresses.clone()));
                Ok(addresses)
            }
            Err(error) => {
                let known = known.filter(|(since, _)| since.elapsed() < self.max_stale);
                known.map(|(_, addresses)| addresses).ok_or(error)
            }
        }
    }
}

impl Default for Resolver {
    fn default() -> Self {
        Self::new(Vec::new(), AddressPolicy::default())
    }
}

impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ResolveError::Failed(error) => error.fmt(f),
            ResolveError::Refused { host, address, objection: Objection::Denied } => {
                write!(f, "`{host}` leads to {address}, which `serve.proxy.upstream.addresses.deny` covers")
            }
            ResolveError::Refused { host, address, objection: Objection::OfKind(kind) } => write!(
                f,
                "`{host}` leads to {address}, a {kind} address, to which no name may lead; if it is meant, write the \
                 address for the name, or list it in `serve.proxy.upstream.addresses.allow`"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::VecDeque;

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
        let answers: [&[&str]; 2] =
            [&["127.0.0.1", "192.0.2.1", "::1", "10.0.0.1"], &["::ffff:169.254.169.254", "::1"]];
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

    #[tokio::test]
    async fn an_answer_that_is_too_old_is_not_used_while_nobody_answers() {
        let mut resolver = resolver(Duration::ZERO, AddressPolicy::default(), &[&["192.0.2.1"]]);
        assert_eq!(ask(&resolver, "h").await.unwrap(), ["192.0.2.1"]);
        assert_eq!(ask(&resolver, "h").await.unwrap(), ["192.0.2.1"]);
        resolver.max_stale = Duration::ZERO;
        assert_eq!(ask(&resolver, "h").await.unwrap_err(), "the name server is silent");
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
            assert_eq!(
                Override::parse(text).ok().map(|entry| entry.address.to_string()).as_deref(),
                expected,
                "{text}"
            );
        }
    }
}
