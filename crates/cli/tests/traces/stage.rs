//! A server whose traces go to a collector of the test.

use keyward_testkit::collector::{Collector, Seen};
use keyward_testkit::conformance::recorder::Recorder;
use keyward_testkit::ports::free_port;
use keyward_testkit::process::{Keyward, Running};

const HANDLERS: &str = "
authenticators: {anonymous: {enabled: true}, jwt: {enabled: true, config: {jwks_urls: ['file:///nonexistent']}}}
authorizers: {allow: {enabled: true}, deny: {enabled: true}}
mutators: {noop: {enabled: true}, header: {enabled: true, config: {headers: {X-Key: s3cr3t}}}}
";

const RULES: &str = "
- id: plain
  match: {url: 'http://<[^/]*>/plain<.*>', methods: [GET, POST, PURGE]}
  authenticators: [{handler: anonymous}]
  authorizer: {handler: allow}
  mutators: [{handler: noop}]
  upstream: {url: 'UPSTREAM'}
- id: several
  match: {url: 'http://<[^/]*>/several<.*>', methods: [GET]}
  authenticators: [{handler: jwt}, {handler: anonymous}]
  authorizer: {handler: allow}
  mutators: [{handler: noop}, {handler: header}]
  upstream: {url: 'UPSTREAM'}
- id: denied
  match: {url: 'http://<[^/]*>/denied', methods: [GET]}
  authenticators: [{handler: anonymous}]
  authorizer: {handler: deny}
  mutators: [{handler: noop}]
  upstream: {url: 'UPSTREAM'}
- id: down
  match: {url: 'http://<[^/]*>/down', methods: [GET]}
  authenticators: [{handler: anonymous}]
  authorizer: {handler: allow}
  mutators: [{handler: noop}]
  upstream: {url: 'http://127.0.0.1:CLOSED'}
";

/// How many spans a request has that is served under the rule `plain`.
pub(crate) const SPANS: usize = 5;

/// A configuration with what `tracing` says.
pub(crate) fn config(tracing: &str) -> String {
    format!("{HANDLERS}tracing: {tracing}\n")
}

/// What `tracing` says to have everything exported in the clear, and more of its keys.
pub(crate) fn everything(port: u16, more: &str) -> String {
    format!("{{provider: otel, providers: {{otlp: {{server_url: '127.0.0.1:{port}', insecure: true}}}}{more}}}")
}

/// A server to be started, over an upstream.
pub(crate) fn keyward(tracing: &str, upstream: u16) -> Keyward {
    let rules =
        RULES.replace("UPSTREAM", &format!("http://127.0.0.1:{upstream}")).replace("CLOSED", &free_port().to_string());
    Keyward::new(env!("CARGO_BIN_EXE_keyward")).with(&config(tracing), &rules)
}

/// One that runs, with its upstream and its collector. Everything is exported.
pub(crate) fn start(more: &str) -> (Running, Recorder, Collector) {
    let (collector, upstream) = (Collector::start(), Recorder::start(true));
    let running = keyward(&everything(collector.port, more), upstream.port).start();
    (running, upstream, collector)
}

/// The only span of a name.
pub(crate) fn named<'s>(spans: &'s [Seen], name: &str) -> &'s Seen {
    let found: Vec<&Seen> = spans.iter().filter(|span| span.name == name).collect();
    assert_eq!(found.len(), 1, "{name} of {spans:#?}");
    found[0]
}
