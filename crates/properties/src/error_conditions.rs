//! Conditions of error handlers are alternatives: several hold when one of them does, and none at all always do.
//!
//! Up to an empty line it is the value of `when`; what follows is the fields of the request.

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use keyward_core::document::{Node, Value};
use keyward_core::pipeline::RequestFacts;
use keyward_core::pipeline::denial::{Denial, ErrorKind, Reason};
use keyward_core::pipeline::when::When;
use keyward_server::config::yaml::{self, Dialect};

const DENIALS: [(ErrorKind, Reason); 4] = [
    (ErrorKind::Unauthorized, Reason::CredentialMissing),
    (ErrorKind::Forbidden, Reason::Denied),
    (ErrorKind::NotFound, Reason::NoRule),
    (ErrorKind::Internal, Reason::Internal),
];

pub(crate) fn check(data: &[u8]) {
    let (when, fields) = match data.windows(2).position(|two| two == b"\n\n") {
        Some(end) => (&data[..end], &data[end + 2..]),
        None => (data, &[][..]),
    };
    let Some(node) = std::str::from_utf8(when).ok().and_then(|text| yaml::parse(text, "when", Dialect::Rules).ok())
    else {
        return;
    };
    let headers = headers(fields);
    let facts = |peer: &str| RequestFacts {
        method: &Method::GET,
        url: "http://h/",
        headers: &headers,
        peer: peer.parse().unwrap(),
    };
    let all = match When::compile(&node) {
        Ok(all) => all,
        Err(problem) => return assert!(problem.origin.is_some(), "{problem}"),
    };
    let Value::List(conditions) = &node.value else { panic!("no list: {:?}", node.value) };
    let each: Vec<When> = conditions.iter().map(|condition| When::compile(&listed(condition)).unwrap()).collect();
    for (error, reason) in DENIALS {
        let denial = Denial::new(error, reason);
        for peer in ["127.0.0.1:1", "[::1]:1", "192.168.1.7:80", "[::ffff:10.0.0.1]:9"] {
            let holds = all.holds(&denial, &facts(peer));
            let one_holds = each.iter().any(|one| one.holds(&denial, &facts(peer)));
            assert_eq!(holds, each.is_empty() || one_holds, "{} {peer}", when.escape_ascii());
        }
    }
}

fn listed(condition: &Node) -> Node {
    Node { value: Value::List(vec![condition.clone()]), origin: condition.origin.clone() }
}

fn headers(lines: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines.split(|byte| *byte == b'\n').take(100) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let name = HeaderName::from_bytes(&line[..colon]);
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(line[colon + 1..].trim_ascii())) {
            headers.append(name, value);
        }
    }
    headers
}
