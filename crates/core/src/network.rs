//! Networks of IP addresses (RFC 4632 section 3.1, RFC 4291 section 2.3).

use std::net::IpAddr;

/// Addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    base: IpAddr,
    bits: u32,
}

impl Network {
    /// Those that share the first so many bits of an address; nothing where that has fewer.
    pub const fn new(base: IpAddr, bits: u32) -> Option<Self> {
        if bits > width(base) { None } else { Some(Self { base, bits }) }
    }

    /// An address alone.
    pub const fn of_one(address: IpAddr) -> Self {
        Self { base: address, bits: width(address) }
    }

    /// Whether an address is one of them. One of IPv4 that is written as one of IPv6 is in no network of IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let differs = match (self.base, address) {
            (IpAddr::V4(base), IpAddr::V4(address)) => {
                (base.to_bits() ^ address.to_bits()).checked_shr(32 - self.bits).unwrap_or(0) != 0
            }
            (IpAddr::V6(base), IpAddr::V6(address)) => {
                (base.to_bits() ^ address.to_bits()).checked_shr(128 - self.bits).unwrap_or(0) != 0
            }
            _ => true,
        };
        !differs
    }
}

const fn width(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_network_holds_what_begins_with_its_bits() {
        let rows = [
            ("192.168.1.7", 24, "192.168.1.255", true),
            ("192.168.1.7", 24, "192.168.2.0", false),
            ("192.168.1.7", 32, "192.168.1.7", true),
            ("192.168.1.7", 32, "192.168.1.6", false),
            ("0.0.0.0", 0, "255.255.255.255", true),
            ("0.0.0.0", 0, "::1", false),
            ("0.0.0.0", 0, "::ffff:1.2.3.4", false),
            ("::", 0, "ffff::1", true),
            ("::", 0, "1.2.3.4", false),
            ("fe80::", 10, "febf::1", true),
            ("fe80::", 10, "fec0::1", false),
            ("::1", 128, "::1", true),
            ("::1", 128, "::", false),
        ];
        for (base, bits, address, expected) in rows {
            let network = Network::new(base.parse().unwrap(), bits).unwrap();
            assert_eq!(network.contains(address.parse().unwrap()), expected, "{base}/{bits} {address}");
        }
        for (base, bits) in [("1.2.3.4", 33), ("::", 129)] {
            assert_eq!(Network::new(base.parse().unwrap(), bits), None);
        }
    }
}
