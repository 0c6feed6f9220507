//! The real binary with rules, and an upstream behind it that notes whatever reaches it.

use std::sync::Arc;

use keyward_core::jwt::generate::generate;
use keyward_core::jwt::sign::SigningKey;
use keyward_testkit::conformance::recorder::Recorder;
use keyward_testkit::pki::Authority;
use keyward_testkit::process::{Keyward, Running};
use serde_json::{Value, json};
use tokio_rustls::rustls::ClientConfig;

use super::caller::{Caller, Outcome};

const CONFIG: &str = "
authenticators:
  anonymous: {enabled: true}
  jwt: {enabled: true, config: {jwks_urls: [\"file://KEYS\"], allowed_algorithms: [ES256]}}
authorizers: {allow: {enabled: true}}
mutators: {header: {enabled: true}}
";

/// The credential that rules put in.
pub(crate) const CREDENTIAL: &str = "Bearer injected";

pub(crate) struct Stage {
    pub(crate) running: Running,
    pub(crate) upstream: Recorder,
    /// What callers trust, where they speak TLS.
    pub(crate) tls: Option<Arc<ClientConfig>>,
    pub(crate) scheme: &'static str,
    /// A token that `/keyed` lets in.
    pub(crate) token: String,
}

impl Stage {
    pub(crate) fn plain() -> Self {
        Self::set(false, &[])
    }

    pub(crate) fn over_tls() -> Self {
        Self::set(true, &[])
    }

    /// With variables of the environment.
    pub(crate) fn with(variables: &[(&str, &str)]) -> Self {
        Self::set(false, variables)
    }

    /// The same over TLS.
    pub(crate) fn over_tls_with(variables: &[(&str, &str)]) -> Self {
        Self::set(true, variables)
    }

    fn set(tls: bool, variables: &[(&str, &str)]) -> Self {
        let upstream = Recorder::start(true);
        Self::before(upstream.port, upstream, tls, variables)
    }

    /// With an upstream of one's own instead of the recorder.
    pub(crate) fn before_port(port: u16, variables: &[(&str, &str)]) -> Self {
        Self::before(port, Recorder::start(true), false, variables)
    }

    fn before(port: u16, upstream: Recorder, tls: bool, variables: &[(&str, &str)]) -> Self {
        let rule = |path: &str, authenticator: &str| {
            format!(
                "- id: {path}\n  match: {{url: \"<https?>://<[^/]*>/{path}/<.*>\", methods: [GET, POST, HEAD, OPTIONS]}}\n  \
                 authenticators: [{{handler: {authenticator}}}]\n  authorizer: {{handler: allow}}\n  \
                 mutators: [{{handler: header, config: {{headers: {{Authorization: {CREDENTIAL}}}}}}}]\n  \
                 upstream: {{url: \"http://127.0.0.1:{port}\"}}\n"
            )
        };
        let key = generate("ES256", "k", 0).unwrap();
        let signing = SigningKey::read(key.to_string().as_bytes(), None, None).unwrap();
        let token = signing.sign(&json!({"sub": "s", "exp": 4_000_000_000_u64})).unwrap();
        let mut keyward = Keyward::new(env!("CARGO_BIN_EXE_keyward"));
        let keys = keyward.write("keys.json", &json!({"keys": [key]}).to_string());
        let config = CONFIG.replace("KEYS", &keys.display().to_string());
        let rules = rule("open", "anonymous") + &rule("keyed", "jwt");
        let authority = Authority::new();
        if tls {
            keyward = keyward.with_tls(&authority);
        }
        for (name, value) in variables {
            keyward = keyward.env(name, value);
        }
        let running = keyward.with(&config, &rules).start();
        let (tls, scheme) = if tls { (Some(authority.client(&[b"h2"])), "https") } else { (None, "http") };
        Self { running, upstream, tls, scheme, token }
    }

    pub(crate) fn caller(&self) -> Caller {
        Caller::connect(self.running.proxy, self.tls.as_ref())
    }

    /// Sends frames on a connection of their own; what stream 1 comes to, and what reached the upstream, which must be
    /// clean.
    pub(crate) fn play(&self, frames: &[u8]) -> (Outcome, Vec<Value>) {
        let mut caller = self.caller();
        // It may have been turned away before everything was sent.
        let _ = caller.send(frames);
        let outcome = caller.outcome(1);
        caller.settle();
        let seen = self.upstream.take();
        for request in &seen {
            if let Some(odd) = odd(request) {
                panic!("{odd}: {request}");
            }
        }
        (outcome, seen)
    }

    /// The first four fields of a request.
    pub(crate) fn request<'a>(&'a self, method: &'a str, path: &'a str) -> Vec<(&'a str, &'a str)> {
        vec![(":method", method), (":scheme", self.scheme), (":authority", "h"), (":path", path)]
    }
}

/// What is wrong with a request that an upstream got: strictly what RFC 9112 allows, no field that ends at a hop, one
/// framing, one host, and the credential of the rule once.
pub(crate) fn odd(request: &Value) -> Option<&'static str> {
    const HOP_BY_HOP: [&str; 8] = [
        "connection",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "http2-settings",
    ];
    let fields: Vec<(&str, &str)> = request["headers"]
        .as_array()?
        .iter()
        .map(|line| (line[0].as_str().unwrap(), line[1].as_str().unwrap()))
        .collect();
    let count = |wanted: &str| fields.iter().filter(|(name, _)| name.eq_ignore_ascii_case(wanted)).count();
    let is_token =
        |name: &str| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    let target = request["target"].as_str()?;
    let is_framed_in_chunks = count("transfer-encoding") == 1 && count("content-length") == 0;
    let takes_trailers = fields.contains(&("te", "trailers")) && fields.contains(&("connection", "te"));
    let may = |name: &str| match name {
        "transfer-encoding" => is_framed_in_chunks,
        "te" | "connection" => takes_trailers,
        _ => false,
    };
    let rows = [
        (!target.starts_with('/') || !target.bytes().all(|byte| byte.is_ascii_graphic()), "the target"),
        (target.contains('#'), "a fragment"),
        (!fields.iter().all(|(name, _)| !name.is_empty() && is_token(name)), "a name"),
        (fields.iter().any(|(_, value)| value.chars().any(|c| c.is_control() && c != '\t')), "a value"),
        (fields.iter().any(|(_, value)| value.trim() != *value), "space around a value"),
        (HOP_BY_HOP.iter().any(|name| count(name) > usize::from(may(name))), "a field that ends here"),
        (count("host") != 1, "the host"),
        (count("content-length") > 1, "the length"),
        (count("cookie") > 1, "cookies"),
        (!fields.contains(&("authorization", CREDENTIAL)) || count("authorization") != 1, "the credential"),
    ];
    rows.into_iter().find_map(|(is_odd, what)| is_odd.then_some(what))
}
