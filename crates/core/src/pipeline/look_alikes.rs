//! Fields of a caller that an upstream may take for those that are set here or hold a credential, because it reads
//! `_` as `-`, as CGI does (CVE-2025-64484).

use http::{HeaderMap, HeaderName};

use crate::pipeline::CredentialLocation;
use crate::rule::Rule;

/// Removes them. `set` are the headers that are going to be set, and are not among `headers` yet.
pub(super) fn remove(headers: &mut HeaderMap, set: &HeaderMap, rule: &Rule) {
    let read = rule.credential_locations().iter().filter_map(|location| match location {
        CredentialLocation::Header(name) => Some(name),
        _ => None,
    });
    let kept: Vec<&HeaderName> = set.keys().chain(rule.written_headers()).chain(read).collect();
    let alike: Vec<HeaderName> =
        headers.keys().filter(|name| kept.iter().any(|kept| looks_like(name, kept))).cloned().collect();
    for name in alike {
        headers.remove(name);
    }
}

/// Whether names are different, but not to software that reads `_` as `-`.
fn looks_like(name: &HeaderName, other: &HeaderName) -> bool {
    let folded = |byte: u8| if byte == b'_' { b'-' } else { byte };
    let (name, other) = (name.as_str().as_bytes(), other.as_str().as_bytes());
    name != other && name.len() == other.len() && name.iter().zip(other).all(|(a, b)| folded(*a) == folded(*b))
}

/// Whether a name has another spelling.
pub(super) fn has_underscore(name: &HeaderName) -> bool {
    name.as_str().contains('_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_look_alike_that_differ_in_underscores_only() {
        let rows = [
            ("x_user", "x-user", true),
            ("x-user", "x_user", true),
            ("a_b-c", "a-b_c", true),
            ("x_user", "x_user", false),
            ("x-user", "x-user", false),
            ("x_user", "x-users", false),
            ("xuser", "x-user", false),
        ];
        for (name, other, expected) in rows {
            let [name, other] = [name, other].map(HeaderName::from_static);
            assert_eq!(looks_like(&name, &other), expected, "{name} {other}");
        }
    }
}
