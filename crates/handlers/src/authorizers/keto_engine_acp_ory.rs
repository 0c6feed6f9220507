//! `keto_engine_acp_ory`: asks the access control policies of Ory Keto 0.x (pipeline spec 4.4).

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use keyward_core::diagnostic::Diagnostic;
use keyward_core::document::{Node, Value as Written, decode};
use keyward_core::gate::GatedRequest;
use keyward_core::go_json;
use keyward_core::pipeline::denial::{Denial, Reason};
use keyward_core::pipeline::step::Step;
use keyward_core::pipeline::{Authorizer, AuthorizerKind, BindContext, HandlerKind};
use keyward_core::ports::{CallPolicy, Clock, SideClient, SideRequest, UnixTime};
use keyward_core::rule::pattern::Strategy;
use keyward_core::session::Session;
use keyward_core::side_url::SideUrl;
use serde_json::{Value, json};

use crate::decoder_text;
use crate::rendered::Rendered;
use crate::side_url;

/// Settings of `keto_engine_acp_ory`.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KetoEngineAcpOryConfig {
    /// Where Keto is: an `https` or `http` URL, whose query is sent along.
    pub base_url: String,
    /// The action, as a template.
    #[schemars(with = "String")]
    pub required_action: Node,
    /// The resource, as a template.
    #[schemars(with = "String")]
    pub required_resource: Node,
    /// The subject, as a template; the session's when not set.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub subject: Option<Node>,
    /// How Keto matches: `regex`, `exact` or `glob`.
    #[serde(default)]
    pub flavor: String,
}

/// Ready to run.
pub struct KetoEngineAcpOry {
    side: Arc<dyn SideClient>,
    clock: Arc<dyn Clock>,
    url: SideUrl,
    action: Rendered,
    resource: Rendered,
    subject: Option<Rendered>,
}

/// The row of the table.
pub struct Kind;

/// As the reference: six attempts, 100 ms apart; but never without an end.
const POLICY: CallPolicy = CallPolicy {
    attempts: 6,
    attempt_timeout: Duration::from_secs(10),
    first_wait: Duration::from_millis(100),
    max_wait: Duration::from_millis(100),
    max_body: CallPolicy::ONCE.max_body,
};

impl HandlerKind for Kind {
    fn id(&self) -> &'static str {
        "keto_engine_acp_ory"
    }

    fn settings(&self, generator: &mut schemars::SchemaGenerator) -> Option<schemars::Schema> {
        Some(generator.subschema_for::<KetoEngineAcpOryConfig>())
    }
}

impl AuthorizerKind for Kind {
    fn bind(&self, node: &Node, context: &BindContext<'_>) -> Result<Box<dyn Authorizer>, Diagnostic> {
        if context.strategy != Strategy::Regexp {
            return Err(Diagnostic::error("it works with `access_rules.matching_strategy: regexp` only")
                .at(&node.origin)
                .told("The matched handler uses Regexp MatchingStrategy which is not selected in the configuration"));
        }
        let config: KetoEngineAcpOryConfig = decode(node)?;
        let flavor = if config.flavor.is_empty() { "regex" } else { config.flavor.as_str() };
        if !flavor.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) {
            return Err(
                Diagnostic::error(format!("`flavor` `{flavor}` is not a path segment")).at(node.origin_of("flavor"))
            );
        }
        let address = format!("/engines/acp/ory/{flavor}/allowed");
        let url = side_url::read_below("base_url", &config.base_url, &address, node, context)?;
        Ok(Box::new(KetoEngineAcpOry {
            side: context.outside.side.clone(),
            clock: context.outside.clock.clone(),
            url,
            action: Rendered::compile("required_action", &or_unset(config.required_action), context)?,
            resource: Rendered::compile("required_resource", &or_unset(config.required_resource), context)?,
            subject: Rendered::compile_given("subject", config.subject.as_ref(), context)?,
        }))
    }
}

/// What the reference asks for where a rule writes an empty text (pipeline spec 4.4).
fn or_unset(written: Node) -> Node {
    match &written.value {
        Written::String(text) if text.is_empty() => Node { value: Written::String("unset".to_owned()), ..written },
        _ => written,
    }
}

impl Authorizer for KetoEngineAcpOry {
    fn authorize<'a>(
        &'a self,
        request: &'a GatedRequest,
        session: &'a mut Session,
        _: UnixTime,
    ) -> Step<'a, Result<(), Denial>> {
        match self.body(request, session) {
            Ok(body) => Step::Pending(Box::pin(self.ask(body))),
            Err(denial) => Step::Ready(Err(denial)),
        }
    }

    fn reads_captures(&self) -> bool {
        let all = [Some(&self.action), Some(&self.resource), self.subject.as_ref()];
        all.into_iter().flatten().any(|rendered| rendered.template.reads_captures())
    }
}

impl KetoEngineAcpOry {
    fn body(&self, request: &GatedRequest, session: &Session) -> Result<String, Denial> {
        let subject = match &self.subject {
            Some(template) => template.render(request, session)?,
            None => session.caller.subject().to_owned(),
        };
        let body = json!({
            "action": self.action.render(request, session)?,
            "context": {"remoteIpAddress": remote_address(request), "requestedAt": timestamp(self.clock.unix())},
            "resource": self.resource.render(request, session)?,
            "subject": subject,
        });
        Ok(go_json::encode(&body) + "\n")
    }

    async fn ask(&self, body: String) -> Result<(), Denial> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.url.authorize(&mut headers);
        let call = SideRequest { method: Method::POST, url: self.url.whole(), headers, body: body.into() };
        let failed = |what: &str| {
            Denial::internal(Reason::SideServiceFailed, format!("Keto at `{}`: {what}", self.url.shown())).because("")
        };
        let answer = self.side.call(call, &POLICY).await.map_err(|error| failed(&error.to_string()))?;
        match answer.status {
            StatusCode::OK => {}
            StatusCode::FORBIDDEN => return Err(Denial::forbidden(Reason::Denied)),
            status => {
                let code = status.as_u16();
                let told = format!("expected status code 200 but got {code}");
                return Err(failed(&format!("status {code}")).told(told));
            }
        }
        match read(&answer.body) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Denial::forbidden(Reason::Denied)),
            Err(text) => Err(failed(&text).told(text)),
        }
    }
}

/// Whether an answer allows. What says nothing does not.
fn read(body: &[u8]) -> Result<bool, String> {
    match decoder_text::read_stream(body)? {
        Value::Null => Ok(false),
        Value::Object(written) => match decoder_text::members(written, &["allowed"])?.get("allowed") {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(allowed)) => Ok(*allowed),
            Some(other) => Err(decoder_text::of_member("", "allowed", other, "bool")),
        },
        other => Err(decoder_text::of_value(&other, "struct { Allowed bool \"json:\\\"allowed\\\"\" }")),
    }
}

/// RFC 3339 with nanoseconds, in UTC.
fn timestamp(since: Duration) -> String {
    let seconds = i64::try_from(since.as_secs()).unwrap_or(0);
    let time = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    format!("{}.{:09}Z", time.strftime("%Y-%m-%dT%H:%M:%S"), since.subsec_nanos())
}

/// The peer's, unless forwarded headers are trusted: whoever could choose the address could meet any CIDR
/// condition. Then the first public one of `X-Forwarded-For`, else `X-Real-Ip`, as in the reference.
fn remote_address(request: &GatedRequest) -> String {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (forwarded, real) = (header("x-forwarded-for"), header("x-real-ip"));
    if !request.trusts_forwarded() || (forwarded.is_empty() && real.is_empty()) {
        return request.peer().ip().to_canonical().to_string();
    }
    let public = forwarded.split(',').map(str::trim).find(|text| text.parse().is_ok_and(|address| is_public(&address)));
    public.unwrap_or(real).to_owned()
}

fn is_public(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !(v4.is_private() || v4.is_loopback() || v4.is_link_local()),
        IpAddr::V6(v6) => !(v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use keyward_core::gate::{Arrival, GatePolicy, admit};

    use super::*;

    #[test]
    fn the_address_is_the_peers_or_the_first_public_one_of_those_that_are_trusted() {
        let rows = [
            (false, "8.8.8.8", "9.9.9.9", "192.0.2.1"),
            (true, "", "", "192.0.2.1"),
            (true, "8.8.8.8", "", "8.8.8.8"),
            (true, "", "9.9.9.9", "9.9.9.9"),
            (true, "10.0.0.1", "9.9.9.9", "9.9.9.9"),
            (true, "10.0.0.1, 127.0.0.1, 169.254.1.1, 192.168.1.1, 8.8.8.8, 1.1.1.1", "", "8.8.8.8"),
            (true, "::1, fd00::1, fe80::1, 2001:db8::1", "", "2001:db8::1"),
            (true, "unknown, 8.8.8.8", "", "8.8.8.8"),
        ];
        for (trust_forwarded_headers, forwarded, real, expected) in rows {
            let head = http::Request::builder().uri("/").header("host", "h");
            let head = head.header("x-forwarded-for", forwarded).header("x-real-ip", real);
            let (mut head, ()) = head.body(()).unwrap().into_parts();
            let arrival = Arrival { tls: false, peer: "[::ffff:192.0.2.1]:1".parse().unwrap(), violation: None };
            let policy = GatePolicy { trust_forwarded_headers, ..GatePolicy::default() };
            let request = admit(&mut head, &arrival, &policy).unwrap();
            assert_eq!(remote_address(&request), expected, "{trust_forwarded_headers} {forwarded} {real}");
        }
    }

    #[test]
    fn times_have_nanoseconds() {
        assert_eq!(timestamp(Duration::new(1_795_523_696, 7)), "2026-11-24T12:34:56.000000007Z");
    }

    #[test]
    fn only_a_plain_true_allows() {
        let rows: [(&[u8], Result<bool, &str>); 10] = [
            (b"{\"Allowed\":true}", Ok(true)),
            (b"{\"allowed\":true,\"allowed\":true}", Err("invalid JSON")),
            (b"{\"allowed\":false,\"Allowed\":true}", Err("invalid JSON")),
            (b"{\"allowed\":true}", Ok(true)),
            (b"{\"allowed\":true,\"x\":1}", Ok(true)),
            (b"{\"allowed\":false}", Ok(false)),
            (b"{}", Ok(false)),
            (b"null", Ok(false)),
            (b"", Err("EOF")),
            (b"<p>", Err("invalid character '<' looking for beginning of value")),
        ];
        for (body, expected) in rows {
            assert_eq!(read(body), expected.map_err(str::to_owned), "{body:?}");
        }
        assert!(read(b"{\"allowed\":\"true\"}").is_err());
    }
}
