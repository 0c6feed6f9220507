#![allow(clippy::unwrap_used)]

use super::*;

fn verdict(policy: &AddressPolicy, host: &str, ip: &str) -> String {
    match policy.permit(host, SocketAddr::new(ip.parse().unwrap(), 443)) {
        Ok(permitted) => {
            assert_eq!(permitted.address().ip().to_string(), ip.parse::<IpAddr>().unwrap().to_string());
            "permitted".to_owned()
        }
        Err(Objection::Denied) => "denied".to_owned(),
        Err(Objection::OfKind(kind)) => kind.to_string(),
    }
}

fn policy(allow: &[&str], deny: &[&str]) -> AddressPolicy {
    let read = |entries: &[&str]| entries.iter().map(|entry| Addresses::parse(entry).unwrap()).collect();
    AddressPolicy::new(read(allow), read(deny))
}

/// Where a name leads, and what becomes of it. The same address is always permitted where it is written itself.
#[test]
fn a_name_leads_to_no_address_that_must_be_written() {
    let rows = [
        ("permitted", "1.1.1.1 192.0.2.1 198.18.0.1 2606:4700::1111 2001:db8::1 64:ff9b::101:101 ::ffff:1.1.1.1"),
        // Services of a cluster or a compose network.
        ("permitted", "10.0.0.1 10.255.255.255 172.16.0.1 172.31.255.255 192.168.0.1 100.64.0.1 fd12:3456::1 fc00::1"),
        ("permitted", "::ffff:10.0.0.1 64:ff9b::a00:1 2002:a00:1::1"),
        ("permitted", "126.255.255.255 128.0.0.1 169.253.255.255 169.255.0.1 223.255.255.255 1.0.0.0 fe7f::1"),
        ("loopback", "127.0.0.1 127.0.0.0 127.1.2.3 127.255.255.255 ::1"),
        ("loopback", "::ffff:127.0.0.1 ::127.0.0.1 ::ffff:0:127.0.0.1 64:ff9b::7f00:1 64:ff9b::127.255.0.1"),
        ("loopback", "64:ff9b:1:7f00:0:100:: 64:ff9b:1:a00::7f00:1 2002:7f00:1::1 2002:7f00:1:2:3:4:5:6"),
        ("loopback", "2001:0:7f00:1::1 2001:0:102:304::80ff:fffe 2001:db8::5efe:127.0.0.1 fd00::200:5efe:7f00:1"),
        ("link_local", "169.254.0.1 169.254.255.255 169.254.169.253 fe80::1 fe80::1:2:3:4 febf:ffff::1"),
        ("link_local", "::ffff:169.254.1.1 64:ff9b::a9fe:101 ::169.254.1.1"),
        ("metadata", "169.254.169.254 169.254.170.2 169.254.170.23 100.100.100.200 168.63.129.16 192.0.0.192"),
        ("metadata", "fd00:ec2::254 fd00:ec2::23 fd20:ce::254 fd00:42::42"),
        (
            "metadata",
            "::ffff:169.254.169.254 ::169.254.169.254 64:ff9b::a9fe:a9fe 2002:a9fe:a9fe:: ::ffff:100.100.100.200",
        ),
        ("unspecified", "0.0.0.0 0.1.2.3 0.255.255.255 :: ::ffff:0.0.0.0 64:ff9b::"),
        ("multicast", "224.0.0.1 239.255.255.255 ff02::1 ff0e::1 ::ffff:224.0.0.1"),
        ("reserved", "240.0.0.1 255.255.255.255 fec0::1 ::ffff:255.255.255.255"),
    ];
    let default = AddressPolicy::default();
    for (expected, ips) in rows {
        for ip in ips.split(' ') {
            for name in ["internal", "127.1", "2130706433", "0x7f000001", "localhost.example", "notlocalhost"] {
                assert_eq!(verdict(&default, name, ip), expected, "{name} {ip}");
            }
            assert_eq!(verdict(&default, ip, ip), "permitted", "{ip}");
        }
    }
}

/// RFC 6761 section 6.3: who writes such a name means this machine, and nothing else of what must be written.
#[test]
fn localhost_is_a_name_of_this_machine() {
    for name in ["localhost", "api.localhost"] {
        for (ip, expected) in [
            ("127.0.0.1", "permitted"),
            ("::1", "permitted"),
            ("::ffff:127.0.0.1", "permitted"),
            ("169.254.169.254", "metadata"),
            ("fe80::1", "link_local"),
            ("0.0.0.0", "unspecified"),
        ] {
            assert_eq!(verdict(&AddressPolicy::default(), name, ip), expected, "{name} {ip}");
        }
    }
}

/// A zone says on which link an address is; it is link-local with any.
#[test]
fn a_zone_changes_nothing() {
    let address = "[fe80::1%3]:80".parse::<SocketAddr>().unwrap();
    let objection = AddressPolicy::default().permit("printer", address).unwrap_err();
    assert_eq!(objection, Objection::OfKind(Kind::LinkLocal));
}

/// What is allowed, what is denied, the host, where it leads, and what becomes of it.
type Row<'a> = (&'a [&'a str], &'a [&'a str], &'a str, &'a str, &'a str);

#[test]
fn lists_widen_and_narrow_where_hosts_lead() {
    let rows: [Row<'_>; 16] = [
        (&["127.0.0.1"], &[], "h", "127.0.0.1", "permitted"),
        (&["127.0.0.1"], &[], "h", "127.0.0.2", "loopback"),
        (&["127.0.0.1"], &[], "h", "::ffff:127.0.0.1", "permitted"),
        (&["loopback"], &[], "h", "::1", "permitted"),
        (&["169.254.171.0/24"], &[], "h", "169.254.171.9", "permitted"),
        (&["link_local"], &[], "h", "169.254.169.254", "metadata"),
        (&["64:ff9b::/96"], &[], "h", "64:ff9b::7f00:1", "permitted"),
        (&["0.0.0.0/0"], &[], "h", "169.254.169.254", "permitted"),
        (&["0.0.0.0/0"], &[], "h", "::1", "loopback"),
        (&[], &["private"], "h", "10.1.2.3", "denied"),
        (&[], &["private"], "10.1.2.3", "10.1.2.3", "denied"),
        (&[], &["private"], "h", "::ffff:10.1.2.3", "denied"),
        (&["10.1.2.0/24"], &["private"], "h", "10.1.2.3", "permitted"),
        (&[], &["metadata"], "169.254.169.254", "169.254.169.254", "denied"),
        (&[], &["::/0"], "h", "2001:db8::1", "denied"),
        (&[], &["loopback"], "localhost", "127.0.0.1", "denied"),
    ];
    for (allow, deny, host, ip, expected) in rows {
        assert_eq!(verdict(&policy(allow, deny), host, ip), expected, "{allow:?} {deny:?} {host} {ip}");
    }
    for ip in ["127.0.0.1", "::1", "169.254.169.254", "0.0.0.0"] {
        assert_eq!(verdict(&AddressPolicy::anywhere(), "h", ip), "permitted", "{ip}");
    }
}

/// Google's libraries know no other way to ask who a machine is; rules have no use for it.
#[test]
fn only_object_stores_reach_the_metadata_server_by_its_name() {
    let (host, ip) = ("metadata.google.internal", "169.254.169.254");
    let rules = AddressPolicy::default();
    assert_eq!(verdict(&rules, host, ip), "metadata");
    assert_eq!(verdict(&rules.for_documents(), host, ip), "permitted");
    assert_eq!(verdict(&rules.for_documents(), "evil.example", ip), "metadata");
    assert_eq!(verdict(&rules.for_documents(), host, "127.0.0.1"), "loopback");
    assert_eq!(verdict(&policy(&[], &["metadata"]).for_documents(), host, ip), "denied");
}

#[test]
fn entries_that_are_no_addresses_are_refused() {
    for text in
        ["", "h", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/+8", "10.0.0.0/8/8", "10.0.0", "Private", "[::1]"]
    {
        let problem = Addresses::parse(text).unwrap_err();
        assert!(problem.contains(&format!("`{text}` is no address")) && problem.contains("`metadata`"), "{problem}");
    }
}
