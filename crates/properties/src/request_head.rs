//! What the gate lets in reaches the upstream as the one request that the rules saw, and as nothing else: an
//! independent reader finds method, target and fields where they were written.

use std::sync::LazyLock;

use keyward_core::gate::GatePolicy;
use keyward_core::rule::rule_set::RuleSet;
use keyward_server::proxy::body::RequestBody;
use keyward_server::proxy::head_scan::HeadScanner;
use keyward_server::upstream::http1_head;

use crate::head::{Arrived, MAX_FIELDS, Written};
use crate::world::{SECRET, credentialed, sound};

static RULES: LazyLock<RuleSet> = LazyLock::new(|| {
    sound(
        r#"
- id: everything
  match: {url: "<**>", methods: [GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS]}
  authenticators: [{handler: noop}]
  authorizer: {handler: allow}
  mutators: [{handler: header, config: {headers: {Authorization: '{{ secret "upstream" }}', X-Injected: injected}}}]
  upstream:
    {url: "http://upstream.internal:8080/base", allow_encoded_slashes: true, upgrade: [websocket, "a/1.0"]}
"#,
    )
});

/// Fields that end at this hop, and so are written by this proxy or by nobody.
const HOP_BY_HOP: [&str; 10] = [
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "trailer",
    "forwarded",
    "http2-settings",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
];

pub(crate) fn check(data: &[u8]) {
    for passes_underscores in [false, true] {
        let Some(arrived) = Arrived::read(data) else { return };
        let (announces_body, named) = (arrived.announces_body(), arrived.named_by_connection());
        let policy = GatePolicy { passes_underscores, ..GatePolicy::default() };
        let Ok(request) = arrived.admit(&policy) else { return };
        let url = request.url().to_owned();
        assert!(url.starts_with("http://") && url.bytes().all(|byte| byte.is_ascii_graphic()), "{url}");
        assert!(!request.authority().contains(['@', '/', '?', '#', ',', ' ']), "{url}");
        assert_eq!(request.authority(), request.authority().to_ascii_lowercase());
        let Ok(credentialed) = credentialed(&RULES, request.clone()) else { return };
        let outgoing = credentialed.into_outgoing();
        let body = if announces_body { RequestBody::held("body".into()) } else { RequestBody::Empty };
        let bytes = http1_head(outgoing.clone(), &body);
        let written = Written::read(&bytes);

        let path = if request.path() == "/" { "" } else { request.path() };
        let query = request.query().map(|query| format!("?{query}")).unwrap_or_default();
        assert_eq!((written.method, written.target), (request.method().as_str(), &*format!("/base{path}{query}")));
        assert_eq!(written.values("host"), [b"upstream.internal:8080"]);
        assert_eq!(written.values("authorization"), [SECRET.as_bytes()]);
        assert_eq!(written.values("x-injected"), [b"injected"]);
        assert_eq!((written.looking_like("authorization"), written.looking_like("x-injected")), (1, 1));
        check_framing(&written, announces_body);
        for (name, value) in &written.fields {
            assert!(!HOP_BY_HOP.iter().any(|hop| name.eq_ignore_ascii_case(hop)), "{name} went on");
            let is_ours = ["host", "authorization", "x-injected", "connection", "upgrade", "te", "content-length"]
                .iter()
                .chain(&["transfer-encoding"])
                .any(|own| name.eq_ignore_ascii_case(own));
            let mut theirs = request.headers().get_all(*name).iter();
            assert!(is_ours || theirs.any(|own| own.as_bytes().trim_ascii() == *value), "{name} came from nowhere");
            assert!(
                is_ours || !named.contains(&name.to_ascii_lowercase()),
                "{name}, which `Connection` names, went on"
            );
        }
        check_readers(&bytes, &written);
    }
}

/// One way to tell where the body ends, and connection fields of this hop alone.
fn check_framing(written: &Written<'_>, announces_body: bool) {
    let (lengths, codings) = (written.values("content-length"), written.values("transfer-encoding"));
    assert!(lengths.len() + codings.len() <= 1, "{lengths:?} {codings:?}");
    assert!(codings.iter().all(|coding| *coding == b"chunked"), "{codings:?}");
    assert!(!announces_body || lengths.len() + codings.len() == 1, "a body without an end");
    match written.values("connection")[..] {
        [] => assert!(written.values("upgrade").is_empty() && written.values("te").is_empty()),
        [b"upgrade"] => assert_eq!(written.values("upgrade").len(), 1),
        [b"te"] => assert_eq!(written.values("te"), [b"trailers"]),
        ref others => panic!("Connection: {others:?}"),
    }
}

/// Two other readers see the same.
fn check_readers(bytes: &[u8], written: &Written<'_>) {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut parsed = httparse::Request::new(&mut fields);
    assert_eq!(parsed.parse(bytes), Ok(httparse::Status::Complete(bytes.len())));
    assert_eq!((parsed.method, parsed.path, parsed.version), (Some(written.method), Some(written.target), Some(1)));
    let seen: Vec<(&str, &[u8])> = parsed.headers.iter().map(|field| (field.name, field.value.trim_ascii())).collect();
    assert_eq!(seen, written.fields);
    let mut scanner = HeadScanner::default();
    assert_eq!(scanner.feed(bytes), Ok(()));
    assert_eq!((scanner.violation(), scanner.heads()), (None, 1), "{}", bytes.escape_ascii());
}
