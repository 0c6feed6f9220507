//! Crates that had a vulnerability: those that are built are mended, the others are not there. `cargo deny` knows the
//! same from RustSec; here it holds without a network, and names the advisories.

use std::path::Path;

/// What `Cargo.lock` may hold of a crate.
enum Kept {
    /// This version or a later one, if any.
    Since([u64; 3]),
    /// None.
    Absent,
}
use Kept::{Absent, Since};

/// Names and versions of all that is locked.
fn locked() -> Vec<(String, [u64; 3])> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.lock");
    let text = std::fs::read_to_string(path).unwrap();
    let value = |package: &str, key: &str| {
        let line = package.lines().find_map(|line| line.strip_prefix(&format!("{key} = ")));
        line.unwrap().trim_matches('"').to_owned()
    };
    let number = |part: &str| part.split(['-', '+']).next().unwrap().parse().unwrap();
    let version = |text: String| {
        let mut parts = text.splitn(3, '.').map(number);
        [(); 3].map(|()| parts.next().unwrap())
    };
    let packages = text.split("[[package]]\n").skip(1);
    packages.map(|package| (value(package, "name"), version(value(package, "version")))).collect()
}

fn holds(name: &str, kept: &Kept) {
    let locked = locked();
    assert!(locked.len() > 100 && locked.iter().any(|(name, _)| name == "keyward-cli"), "{}", locked.len());
    for (_, version) in locked.iter().filter(|(found, _)| found == name) {
        let may = matches!(kept, Since(least) if version >= least);
        assert!(may, "{name} {version:?} is locked");
    }
}

/// A test for each advisory: the crate, and what may be locked of it.
macro_rules! crates {
    ($($advisory:ident: $name:literal, $kept:expr;)+) => {
        $(
            #[test]
            fn $advisory() {
                holds($name, &$kept);
            }
        )+
    };
}

crates! {
    rustsec_2024_0336_an_end_in_the_middle_turned_in_circles: "rustls", Since([0, 23, 18]);
    rustsec_2024_0399_a_hello_in_pieces_panicked: "rustls", Since([0, 23, 18]);
    rustsec_2026_0049_revocations_of_other_points: "rustls-webpki", Since([0, 103, 13]);
    rustsec_2026_0098_constraints_on_names: "rustls-webpki", Since([0, 103, 13]);
    rustsec_2026_0099_constraints_on_wildcards: "rustls-webpki", Since([0, 103, 13]);
    rustsec_2026_0104_a_list_of_revocations_panicked: "rustls-webpki", Since([0, 103, 13]);
    rustsec_2026_0044_aws_lc: "aws-lc-sys", Since([0, 39, 0]);
    rustsec_2026_0045_aws_lc: "aws-lc-sys", Since([0, 39, 0]);
    rustsec_2026_0046_aws_lc: "aws-lc-sys", Since([0, 39, 0]);
    rustsec_2026_0047_aws_lc: "aws-lc-sys", Since([0, 39, 0]);
    rustsec_2026_0048_aws_lc: "aws-lc-sys", Since([0, 39, 0]);
    // Locked as a part of rustls that is switched off; `deny.toml` keeps it out of what is built.
    rustsec_2025_0009_ring_overflowed: "ring", Since([0, 17, 12]);
    rustsec_2025_0007_ring_was_not_kept: "ring", Since([0, 17, 12]);
    rustsec_2026_0037_no_quic: "quinn-proto", Absent;
    rustsec_2026_0185_no_quic: "quinn-proto", Absent;
    rustsec_2026_0118_no_resolver_of_our_own: "hickory-proto", Absent;
    rustsec_2026_0119_no_resolver_of_our_own: "hickory-proto", Absent;
    rustsec_2026_0007_bytes_overflowed: "bytes", Since([1, 11, 1]);
    rustsec_2026_0009_dates_took_the_stack: "time", Since([0, 3, 47]);
    rustsec_2024_0421_two_spellings_of_one_host: "idna", Since([1, 0, 0]);
    rustsec_2023_0071_private_keys_through_timing: "rsa", Absent;
    rustsec_2025_0068_documents_without_memory_safety: "serde_yml", Absent;
    rustsec_2025_0134_pem_that_nobody_keeps: "rustls-pemfile", Absent;
    rustsec_2023_0065_messages_without_an_end: "tungstenite", Absent;
    rustsec_2023_0125_keys_in_debug_texts: "aws-sigv4", Absent;
}

/// What `deny.toml` keeps out stays out when a later change of `Cargo.lock` would let it in: each crate above is named
/// there with its least version, or as a whole.
#[test]
fn the_list_of_what_is_denied_names_them_too() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deny.toml");
    let text = std::fs::read_to_string(path).unwrap();
    for name in [
        "rustls",
        "rustls-webpki",
        "aws-lc-sys",
        "ring",
        "quinn-proto",
        "hickory-proto",
        "bytes",
        "time",
        "idna",
        "rsa",
        "serde_yml",
        "rustls-pemfile",
        "tungstenite",
        "aws-sigv4",
        "h2",
        "hyper",
        "tracing-subscriber",
        "jsonwebtoken",
    ] {
        assert!(text.contains(&format!("{{ name = \"{name}\"")), "{name}");
    }
}
