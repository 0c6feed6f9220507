//! Host names to addresses: configured overrides first, then the system's resolver, remembered briefly.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

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
/// How many names are remembered.
const MAX_NAMES: usize = 1024;

/// Answers by name and port, with their time.
type Remembered = HashMap<(String, u16), (Instant, Vec<SocketAddr>)>;

/// A resolver with a small memory.
#[derive(Debug, Default)]
pub struct Resolver {
    overrides: Vec<Override>,
    remembered: Mutex<Remembered>,
}

impl Resolver {
    /// A resolver with overrides.
    pub fn new(overrides: Vec<Override>) -> Self {
        Self { overrides, remembered: Mutex::default() }
    }

    /// The addresses to try, in order. An answer that has grown old is still used when the resolver
    /// fails: a name server's pause must not stop traffic.
    pub async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let fixed: Vec<SocketAddr> = self
            .overrides
            .iter()
            .filter(|entry| entry.port == port && entry.host == host)
            .map(|entry| entry.address)
            .collect();
        if !fixed.is_empty() {
            return Ok(fixed);
        }
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let key = (host.to_owned(), port);
        let known = self.remembered.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some((_, addresses)) = known.as_ref().filter(|(since, _)| since.elapsed() < TTL) {
            return Ok(addresses.clone());
        }
        match tokio::net::lookup_host((host, port)).await {
            Ok(found) => {
                let addresses: Vec<SocketAddr> = found.collect();
                let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
                if remembered.len() >= MAX_NAMES {
                    remembered.clear();
                }
                remembered.insert(key, (Instant::now(), addresses.clone()));
                Ok(addresses)
            }
            Err(error) => known.map(|(_, addresses)| addresses).ok_or(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
