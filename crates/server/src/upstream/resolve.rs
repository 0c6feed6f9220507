//! Host names to addresses: configured overrides first, then the system's resolver, remembered briefly. Whatever comes
//! out may be connected to: answers are judged each time, remembered ones too.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

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
/// How long it is used while nobody can give another one.
const MAX_STALE: Duration = Duration::from_secs(3600);
/// How long another one is waited for where an old one is known.
const STALE_WAIT: Duration = Duration::from_millis(500);
/// How many names are remembered.
const MAX_NAMES: usize = 1024;

/// A name and a port.
type Place = (String, u16);

/// Answers with their time.
type Remembered = HashMap<Place, (Instant, Vec<SocketAddr>)>;

/// What a lookup came to; nothing as long as it goes on.
type Outcome = Option<Result<Vec<SocketAddr>, (io::ErrorKind, String)>>;

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
    memory: Arc<Memory>,
}

/// What the names that were looked up have come to, and which are being looked up.
#[derive(Debug, Default)]
struct Memory {
    remembered: Mutex<Remembered>,
    /// One for each name at most: a lookup takes a thread, for as long as a name server likes.
    awaited: Mutex<HashMap<Place, watch::Receiver<Outcome>>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
        let (lookup, memory) = (Arc::new(System), Arc::default());
        Self { overrides, policy, lookup, ttl: TTL, max_stale: MAX_STALE, memory }
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

    /// What a name leads to. An answer that has grown old is still used when the resolver fails or is late: a name
    /// server's pause must not stop traffic.
    async fn look_up(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let place = (host.to_owned(), port);
        let known = locked(&self.memory.remembered).get(&place).cloned();
        if let Some((_, addresses)) = known.as_ref().filter(|(since, _)| since.elapsed() < self.ttl) {
            return Ok(addresses.clone());
        }
        let mut awaited = self.ask(place);
        let Some((_, old)) = known.filter(|(since, _)| since.elapsed() < self.ttl + self.max_stale) else {
            return outcome(&mut awaited).await;
        };
        match tokio::time::timeout(STALE_WAIT, outcome(&mut awaited)).await {
            Ok(Ok(addresses)) => Ok(addresses),
            Ok(Err(_)) | Err(_) => Ok(old),
        }
    }

    /// Looks a name up, unless that is being done: then whoever asks waits for the same. It goes on when nobody waits.
    fn ask(&self, place: Place) -> watch::Receiver<Outcome> {
        let mut awaited = locked(&self.memory.awaited);
        // One whose end nobody will tell is none: its runtime has ended.
        if let Some(receiver) = awaited.get(&place).filter(|receiver| receiver.has_changed().is_ok()) {
            return receiver.clone();
        }
        let (sender, receiver) = watch::channel(None);
        awaited.insert(place.clone(), receiver.clone());
        let (lookup, memory) = (self.lookup.clone(), self.memory.clone());
        tokio::spawn(async move {
            let found = lookup.look_up(&place.0, place.1).await;
            if let Ok(addresses) = &found {
                memory.remember(place.clone(), addresses.clone());
            }
            locked(&memory.awaited).remove(&place);
            // They may all have given up.
            let _ = sender.send(Some(found.map_err(|error| (error.kind(), error.to_string()))));
        });
        receiver
    }
}

impl Memory {
    fn remember(&self, place: Place, addresses: Vec<SocketAddr>) {
        let mut remembered = locked(&self.remembered);
        if remembered.len() >= MAX_NAMES {
            remembered.clear();
        }
        remembered.insert(place, (Instant::now(), addresses));
    }
}

/// Waits for the end of a lookup.
async fn outcome(awaited: &mut watch::Receiver<Outcome>) -> io::Result<Vec<SocketAddr>> {
    let ended = || (io::ErrorKind::Interrupted, "the lookup was given up".to_owned());
    let outcome = awaited.wait_for(Option::is_some).await.map_or(None, |outcome| outcome.clone());
    outcome.unwrap_or_else(|| Err(ended())).map_err(|(kind, text)| io::Error::new(kind, text))
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
mod tests;
