//! Of the caller's cookies the one that is its credential never goes on, those that the rule sets are the rule's, and
//! the others are what they were. Another reader of cookies finds the same.

use std::sync::LazyLock;

use keyward_core::gate::GatePolicy;
use keyward_core::pipeline::cookies::parse;
use keyward_core::rule::rule_set::RuleSet;
use keyward_server::proxy::body::RequestBody;
use keyward_server::upstream::http1_head;

use crate::head::{Arrived, Written};
use crate::world::{SECRET, credentialed, sound};

const AUTHENTICATORS: &str = r#"[
    {handler: jwt, config: {jwks_urls: ["https://issuer.internal/public"], token_from: {cookie: session}}},
    {handler: noop}]"#;

/// Rules without a cookie of their own, and with one.
static RULES: LazyLock<[RuleSet; 2]> = LazyLock::new(|| {
    [
        "[{handler: noop}]",
        r#"[{handler: cookie, config: {cookies: {user: alice, upstream: '{{ secret "upstream" }}'}}}]"#,
    ]
    .map(|mutators| {
        sound(&format!(
            r#"
- id: everything
  match: {{url: "<**>", methods: [GET]}}
  authenticators: {AUTHENTICATORS}
  authorizer: {{handler: allow}}
  mutators: {mutators}
  upstream: {{url: "http://upstream.internal"}}
"#
        ))
    })
});

pub(crate) fn check(data: &[u8]) {
    let lines = data.split(|byte| *byte == b'\n').take(8).map(|line| [b"Cookie: ", line, b"\r\n"].concat());
    let head = [b"GET / HTTP/1.1\r\nHost: h\r\n", &lines.collect::<Vec<_>>().concat()[..], b"\r\n"].concat();
    for (rules, sets) in RULES.iter().zip([false, true]) {
        let Some(request) = Arrived::read(&head).and_then(|arrived| arrived.admit(&GatePolicy::default()).ok()) else {
            return;
        };
        let theirs: Vec<(String, String)> =
            read(request.headers().get_all("cookie").iter().map(|line| line.as_bytes()));
        let Ok(credentialed) = credentialed(rules, request) else { return };
        let bytes = http1_head(credentialed.into_outgoing(), &RequestBody::Empty);
        let written = Written::read(&bytes);
        let lines = written.values("cookie");
        for pair in lines.iter().flat_map(|line| line.split(|byte| *byte == b';')) {
            let name = pair.split(|byte| *byte == b'=').next().unwrap_or_default().trim_ascii();
            assert_ne!(name, b"session", "{}", bytes.escape_ascii());
        }
        let sent = read(lines.iter().copied());
        let is_ours = |name: &str| sets && matches!(name, "user" | "upstream");
        let expected = theirs.iter().filter(|(name, _)| name != "session" && !is_ours(name));
        let others = sent.iter().filter(|(name, _)| !is_ours(name));
        assert!(others.eq(expected), "{theirs:?} became {sent:?}");
        if sets {
            assert_eq!(lines.len(), 1, "{}", bytes.escape_ascii());
            let ours: Vec<&str> = sent.iter().filter(|(name, _)| is_ours(name)).map(|(_, value)| &**value).collect();
            let mut ours = ours;
            ours.sort_unstable();
            assert_eq!(ours, ["alice", SECRET], "{}", bytes.escape_ascii());
        }
    }
}

fn read<'l>(lines: impl Iterator<Item = &'l [u8]>) -> Vec<(String, String)> {
    lines.flat_map(parse).map(|cookie| (cookie.name.to_owned(), cookie.value.to_owned())).collect()
}
