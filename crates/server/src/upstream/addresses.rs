//! Where a name may lead. Whoever answers for a name could point it at this machine, or at the service that hands a
//! cloud's credentials to it: an address of that kind is connected to only when it, and not a name, is written.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use keyward_core::network::Network;

use self::Kind::{LinkLocal, Loopback, Metadata, Multicast, Private, Reserved, Unspecified};

/// An address that may be connected to. Only an [`AddressPolicy`] makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permitted(SocketAddr);

impl Permitted {
    /// The address.
    pub fn address(self) -> SocketAddr {
        self.0
    }
}

/// `serve.proxy.upstream.addresses`: what is allowed and denied beyond the defaults. What is allowed is not denied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressPolicy {
    allow: Vec<Addresses>,
    deny: Vec<Addresses>,
    signs_in: bool,
}

/// Why an address is not connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Objection {
    /// The configuration denies it.
    Denied,
    /// A name leads there, and it is of a kind that has to be written.
    OfKind(Kind),
}

impl AddressPolicy {
    /// Reads both lists.
    pub fn new(allow: Vec<Addresses>, deny: Vec<Addresses>) -> Self {
        Self { allow, deny, signs_in: false }
    }

    /// No objection to anything: for commands, whose user names the server.
    pub fn anywhere() -> Self {
        Self::new([v4(0, 0, 0, 0, 0), v6([0; 8], 0)].map(Addresses::Network).into(), Vec::new())
    }

    /// The same, for clients of object stores, which ask Google's metadata server by its name who this machine is.
    pub fn for_documents(&self) -> Self {
        Self { signs_in: true, ..self.clone() }
    }

    /// What the configuration itself says a name leads to.
    pub(super) fn configured(address: SocketAddr) -> Permitted {
        Permitted(address)
    }

    /// Judges an address that a host, as it is written, leads to.
    pub fn permit(&self, host: &str, address: SocketAddr) -> Result<Permitted, Objection> {
        let is_allowed = |ip: IpAddr| self.allow.iter().any(|addresses| addresses.contain(ip));
        let is_literal = host.parse::<IpAddr>().is_ok();
        let whole = address.ip();
        if is_allowed(whole) {
            return Ok(Permitted(address));
        }
        for ip in std::iter::once(whole).chain(embedded(whole)).filter(|ip| !is_allowed(*ip)) {
            if self.deny.iter().any(|addresses| addresses.contain(ip)) {
                return Err(Objection::Denied);
            }
            match Kind::of(ip) {
                Some(kind) if !is_literal && !self.is_written(host, kind) => return Err(Objection::OfKind(kind)),
                _ => {}
            }
        }
        Ok(Permitted(address))
    }

    /// Whether who writes this name means addresses of this kind.
    fn is_written(&self, host: &str, kind: Kind) -> bool {
        match kind {
            Private => true,
            // RFC 6761 section 6.3.
            Loopback => host == "localhost" || host.ends_with(".localhost"),
            Metadata => self.signs_in && host == "metadata.google.internal",
            _ => false,
        }
    }
}

/// One entry of a list: an address, a network or the name of a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Addresses {
    /// All of a kind.
    Kind(Kind),
    /// All of a network.
    Network(Network),
}

impl Addresses {
    /// Reads an entry.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some((kind, ..)) = KINDS.iter().find(|(_, name, _)| *name == text) {
            return Ok(Self::Kind(*kind));
        }
        network(text).map(Self::Network).ok_or_else(|| {
            let names: Vec<String> = KINDS.iter().map(|(_, name, _)| format!("`{name}`")).collect();
            format!("`{text}` is no address, no network such as `10.0.0.0/8`, and none of {}", names.join(", "))
        })
    }

    fn contain(&self, ip: IpAddr) -> bool {
        match self {
            Addresses::Kind(kind) => Kind::of(ip) == Some(*kind),
            Addresses::Network(network) => network.contains(ip),
        }
    }
}

/// What an address is for, as far as that matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the table says what they are")]
pub enum Kind {
    LinkLocal,
    Loopback,
    Metadata,
    Multicast,
    Private,
    Reserved,
    Unspecified,
}

impl Kind {
    fn of(ip: IpAddr) -> Option<Self> {
        let covers = |networks: &[Network]| networks.iter().any(|network| network.contains(ip));
        KINDS.iter().find(|(.., networks)| covers(networks)).map(|(kind, ..)| *kind)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(KINDS.iter().find(|(kind, ..)| kind == self).map_or("", |(_, name, _)| name))
    }
}

/// Kinds, how they are written, and what is of them; the first one that covers an address counts. All but `private`
/// must be written to be connected to.
static KINDS: &[(Kind, &str, &[Network])] = &[
    // The services that tell a machine who it is: AWS, Google, Azure and others (the same address), AWS for containers,
    // Alibaba, Azure's agent, Oracle, Scaleway.
    (
        Metadata,
        "metadata",
        &[
            v4(169, 254, 169, 254, 32),
            v4(169, 254, 170, 2, 32),
            v4(169, 254, 170, 23, 32),
            v4(100, 100, 100, 200, 32),
            v4(168, 63, 129, 16, 32),
            v4(192, 0, 0, 192, 32),
            v6([0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x254], 128),
            v6([0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x23], 128),
            v6([0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254], 128),
            v6([0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42], 128),
        ],
    ),
    (Loopback, "loopback", &[v4(127, 0, 0, 0, 8), v6([0, 0, 0, 0, 0, 0, 0, 1], 128)]),
    (LinkLocal, "link_local", &[v4(169, 254, 0, 0, 16), v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10)]),
    // Systems connect to themselves for these.
    (Unspecified, "unspecified", &[v4(0, 0, 0, 0, 8), v6([0; 8], 128)]),
    (Multicast, "multicast", &[v4(224, 0, 0, 0, 4), v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8)]),
    // RFC 1112 section 4 with the broadcast address; site-local addresses (RFC 3879).
    (Reserved, "reserved", &[v4(240, 0, 0, 0, 4), v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10)]),
    // RFC 1918, RFC 6598, RFC 4193: where the services of a cluster live.
    (
        Private,
        "private",
        &[
            v4(10, 0, 0, 0, 8),
            v4(172, 16, 0, 0, 12),
            v4(192, 168, 0, 0, 16),
            v4(100, 64, 0, 0, 10),
            v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7),
        ],
    ),
];

/// An address, or one and how many of its bits count.
fn network(text: &str) -> Option<Network> {
    let Some((address, bits)) = text.split_once('/') else { return text.parse().ok().map(Network::of_one) };
    let is_number = bits.bytes().all(|byte| byte.is_ascii_digit());
    Network::new(address.parse().ok()?, bits.parse().ok().filter(|_| is_number)?)
}

const fn v4(a: u8, b: u8, c: u8, d: u8, bits: u32) -> Network {
    written(IpAddr::V4(Ipv4Addr::new(a, b, c, d)), bits)
}

const fn v6(segments: [u16; 8], bits: u32) -> Network {
    let [a, b, c, d, e, f, g, h] = segments;
    written(IpAddr::V6(Ipv6Addr::new(a, b, c, d, e, f, g, h)), bits)
}

/// One of the table above: the compiler refuses what is none.
const fn written(base: IpAddr, bits: u32) -> Network {
    match Network::new(base, bits) {
        Some(network) => network,
        None => panic!("an address has fewer bits"),
    }
}

/// IPv4 addresses that something on the way may make of an IPv6 address.
fn embedded(ip: IpAddr) -> Vec<IpAddr> {
    let IpAddr::V6(ip) = ip else { return Vec::new() };
    let (segments, octets) = (ip.segments(), ip.octets());
    let at = |places: [usize; 4]| Ipv4Addr::from(places.map(|place| octets[place]));
    let (last, mut found) = (at([12, 13, 14, 15]), Vec::new());
    match segments {
        // `::` and `::1` are kinds of their own; then IPv4-compatible (RFC 4291 section 2.5.5.1).
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => {}
        [0, 0, 0, 0, 0, 0, ..] => found.push(last),
        // IPv4-mapped (RFC 4291 section 2.5.5.2), IPv4-translated (RFC 2765), NAT64 (RFC 6052 section 2.1).
        [0, 0, 0, 0, 0, 0xffff, ..] | [0, 0, 0, 0, 0xffff, 0, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => found.push(last),
        // NAT64 of a site (RFC 8215): with 48 bits of prefix (RFC 6052 section 2.2), or 96.
        [0x64, 0xff9b, 1, ..] => {
            found.push(at([6, 7, 9, 10]));
            found.extend(Some(last).filter(|last| !last.is_unspecified()));
        }
        // 6to4 (RFC 3056) and Teredo (RFC 4380 section 4): the router or server, and the client, inverted.
        [0x2002, ..] => found.push(at([2, 3, 4, 5])),
        [0x2001, 0, ..] => found.extend([at([4, 5, 6, 7]), Ipv4Addr::from(!last.to_bits())]),
        // ISATAP (RFC 5214 section 6.1).
        [_, _, _, _, 0 | 0x200, 0x5efe, ..] => found.push(last),
        _ => {}
    }
    found.into_iter().map(IpAddr::V4).collect()
}

#[cfg(test)]
mod tests;
