//! What has ended, as OTLP has it: names and attributes follow OpenTelemetry's conventions for HTTP, as far as they cannot
//! hold what nobody should read. There is no query, no header, no subject, and no text of an error.

use std::time::Instant;

use keyward_core::gate::Scheme;
use keyward_core::pipeline::observe::StepKind;
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;

use super::ids::SpanId;
use super::trace::{Ended, Forwarded, Step};
use crate::config::settings::tracing::TracingSettings;
use crate::metrics::known_method;
use crate::redaction;

/// The attributes follow this version of the conventions.
const SCHEMA: &str = "https://opentelemetry.io/schemas/1.37.0";
/// Bits of `flags` that say whether the parent is known to be in another process, and whether it is.
const KNOWS_PARENT: u32 = 0x100;
const HAS_REMOTE_PARENT: u32 = 0x200;
const SAMPLED: u32 = 1;

/// Who exports.
pub(super) struct Resource(Vec<KeyValue>);

impl Resource {
    pub(super) fn of(settings: &TracingSettings) -> Self {
        let mut attributes =
            vec![text("service.name", &settings.service_name), text("service.version", env!("CARGO_PKG_VERSION"))];
        attributes.extend(settings.environment.as_deref().map(|name| text("deployment.environment.name", name)));
        Self(attributes)
    }
}

/// One export, encoded.
pub(super) fn request(resource: &Resource, batch: Vec<Ended>) -> Vec<u8> {
    let scope = InstrumentationScope {
        name: "keyward".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..InstrumentationScope::default()
    };
    let resource = resource::v1::Resource { attributes: resource.0.clone(), ..resource::v1::Resource::default() };
    let spans =
        ScopeSpans { scope: Some(scope), spans: batch.iter().flat_map(spans).collect(), schema_url: SCHEMA.to_owned() };
    let spans = ResourceSpans { resource: Some(resource), scope_spans: vec![spans], schema_url: SCHEMA.to_owned() };
    ExportTraceServiceRequest { resource_spans: vec![spans] }.encode_to_vec()
}

/// How many spans an answer says were refused. One that says nothing that can be read refuses none.
pub(super) fn rejected_spans(answer: &[u8]) -> u64 {
    let answer = ExportTraceServiceResponse::decode(answer).unwrap_or_default();
    answer.partial_success.map_or(0, |partial| u64::try_from(partial.rejected_spans).unwrap_or(0))
}

fn spans(ended: &Ended) -> impl Iterator<Item = Span> {
    let steps = ended.steps.iter().map(|step| of_step(ended, step));
    let upstream = ended.upstream.iter().map(|forwarded| of_upstream(ended, forwarded));
    std::iter::once(of_server(ended)).chain(steps).chain(upstream)
}

fn of_server(ended: &Ended) -> Span {
    let mut attributes = vec![
        text("http.request.method", known_method(&ended.method).unwrap_or("_OTHER")),
        text("url.scheme", if ended.tls { "https" } else { "http" }),
        number("http.response.status_code", ended.status.into()),
        text("client.address", &ended.client.to_canonical().to_string()),
        text("keyward.service", ended.service),
        text("keyward.rules.version", &ended.rules_version),
        text("keyward.outcome", ended.outcome),
    ];
    if let Some((authority, path)) = &ended.target {
        let (host, port) = split(authority);
        attributes.push(text("server.address", host));
        attributes.extend(port.map(|port| number("server.port", port.into())));
        attributes.push(text("url.path", path));
    }
    attributes.extend(ended.rule_id.as_deref().map(|id| text("keyward.rule.id", id)));
    attributes.extend(ended.reason.map(|reason| text("keyward.reason", reason)));
    let is_error = ended.outcome == "error" || ended.status >= 500;
    let status = ended.status.to_string();
    let kind = is_error.then(|| ended.reason.unwrap_or(&status));
    let verb = known_method(&ended.method).unwrap_or("HTTP");
    Span {
        parent_span_id: ended.parent.as_ref().map(SpanId::bytes).unwrap_or_default(),
        flags: SAMPLED | KNOWS_PARENT | if ended.parent.is_some() { HAS_REMOTE_PARENT } else { 0 },
        name: match &ended.rule_id {
            Some(id) => format!("{verb} {}", redaction::known().text(id)),
            None => verb.to_owned(),
        },
        ..span(ended, &ended.span, SpanKind::Server, [ended.arrived.0, ended.arrived.0 + ended.took], attributes, kind)
    }
}

fn of_step(ended: &Ended, step: &Step) -> Span {
    let (Ok(came_to) | Err(came_to)) = step.came_to;
    let attributes = vec![text("keyward.handler", step.handler), text("keyward.result", came_to)];
    let name = match step.kind {
        StepKind::Authenticator => "authentication",
        StepKind::Authorizer => "authorization",
        StepKind::Mutator => "mutation",
    };
    let times = [step.begun, step.ended];
    Span {
        parent_span_id: ended.span.bytes(),
        name: name.to_owned(),
        ..span(ended, &SpanId::random(), SpanKind::Internal, times, attributes, step.came_to.err())
    }
}

fn of_upstream(ended: &Ended, forwarded: &Forwarded) -> Span {
    let Forwarded { span: id, begun, origin, status } = forwarded;
    let mut attributes = vec![
        text("http.request.method", known_method(&ended.method).unwrap_or("_OTHER")),
        text("url.scheme", if origin.scheme == Scheme::Https { "https" } else { "http" }),
        text("server.address", &origin.host),
        number("server.port", origin.port.into()),
    ];
    attributes.extend(status.map(|status| number("http.response.status_code", status.into())));
    // What broke here after an answer began is said by its reason, too.
    let broken = ended.reason.filter(|_| status.is_none() || ended.outcome == "error");
    let code = status.filter(|status| *status >= 400).map(|status| status.to_string());
    let kind = broken.or(code.as_deref());
    let times = [*begun, ended.arrived.0 + ended.took];
    Span {
        parent_span_id: ended.span.bytes(),
        name: "upstream".to_owned(),
        ..span(ended, id, SpanKind::Client, times, attributes, kind)
    }
}

/// What all spans have. `error` is what went wrong, if something did.
fn span(
    ended: &Ended,
    id: &SpanId,
    kind: SpanKind,
    times: [Instant; 2],
    mut attributes: Vec<KeyValue>,
    error: Option<&str>,
) -> Span {
    attributes.extend(error.map(|error| text("error.type", error)));
    let [begun, over] = times.map(|time| ended.unix_nanos(time));
    Span {
        trace_id: ended.trace_id.bytes(),
        span_id: id.bytes(),
        flags: SAMPLED | KNOWS_PARENT,
        kind: kind.into(),
        start_time_unix_nano: begun,
        end_time_unix_nano: over.max(begun),
        attributes,
        status: error.map(|_| Status { code: StatusCode::Error.into(), message: String::new() }),
        ..Span::default()
    }
}

/// Host and port, the host of an IPv6 address without brackets.
fn split(authority: &str) -> (&str, Option<u16>) {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, port.parse().ok()),
        _ => (authority, None),
    };
    (host.trim_start_matches('[').trim_end_matches(']'), port)
}

/// An attribute without the values of secrets: a path, say, can hold what its caller should not have.
fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(redaction::known().text(value).into_owned()))
}

fn number(key: &str, value: i64) -> KeyValue {
    attribute(key, Value::IntValue(value))
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn hosts_and_ports_are_told_apart() {
        let rows = [
            ("h", ("h", None)),
            ("h:80", ("h", Some(80))),
            ("[::1]:80", ("::1", Some(80))),
            ("[::1]", ("::1", None)),
            ("h:", ("h", None)),
            ("", ("", None)),
        ];
        for (authority, expected) in rows {
            assert_eq!(split(authority), expected, "{authority}");
        }
    }
}
