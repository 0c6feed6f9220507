//! What becomes of a request that is not answered by its upstream: it could not be read, was refused or denied, or nothing
//! came.

use std::net::SocketAddr;

use bytes::Bytes;
use http::header::{CONNECTION, HOST};
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};
use keyward_core::gate::{GatedRequest, RefusalReason};
use keyward_core::pipeline::RequestFacts;
use keyward_core::pipeline::answer::answer;
use keyward_core::pipeline::denial::{Denial, ErrorKind};
use keyward_core::rule::Rule;

use super::answers::{answered, local, respond, status_text};
use super::body::ResponseBody;
use super::completion::{Asked, Completion};
use super::connection::Connection;
use super::service::Service;
use crate::metrics::faults::Fault;
use crate::upstream::error::ForwardError;

/// How hyper puts that.
const TARGET_TOO_LONG: &str = "URI too long";

impl Service {
    /// hyper could not read a request's head and has answered that itself: only the record is left to do.
    pub fn unread(&self, connection: &Connection, error: &hyper::Error) {
        let status = match (error.is_parse_too_large(), error.is_parse()) {
            // hyper answers a target that is too long with a status of its own, and tells it from the rest in words only.
            (true, _) if error.to_string() == TARGET_TOO_LONG => StatusCode::URI_TOO_LONG,
            (true, _) => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            (false, true) => StatusCode::BAD_REQUEST,
            // The connection broke or ended: there was no request.
            (false, false) => return,
        };
        self.sinks.unread(self.current().live.snapshot.rules.version(), connection, status);
    }

    /// A head did not end in time; whoever reads the connection says so.
    pub fn late(&self, connection: &Connection) {
        self.sinks.late(self.current().live.snapshot.rules.version(), connection);
    }

    /// A connection broke the rules of its protocol.
    pub fn fault(&self, fault: Fault, peer: SocketAddr) {
        self.sinks.fault(fault, peer);
    }

    /// The gate's no: nothing about the request can be relied on, so the connection ends.
    #[cold]
    pub(super) fn refuse(
        &self,
        mut record: Box<Completion>,
        reason: RefusalReason,
        head: &Parts,
    ) -> Response<ResponseBody> {
        self.sinks.refused(reason.as_str(), record.name(), head.version, record.connection());
        let host = head.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        record.asked = Asked::Refused { path: head.uri.path().to_owned(), host: host.to_owned() };
        record.outcome = "denied";
        record.reason = Some("request_refused");
        let mut response = local(reason.status(), status_text(reason.status()));
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        answered(record, response)
    }

    #[cold]
    pub(super) fn deny(
        &self,
        mut record: Box<Completion>,
        rule: Option<&Rule>,
        denial: &Denial,
        request: &GatedRequest,
    ) -> Response<ResponseBody> {
        let reason = denial.reason.as_str();
        self.sinks.metrics.shared().denied(reason);
        record.outcome = if denial.error == ErrorKind::Internal { "error" } else { "denied" };
        record.reason = Some(reason);
        record.caller = denial.caller.clone().or_else(|| record.caller.take());
        let rule_id = rule.map(|rule| &**rule.id());
        let (request_id, trace_id) = record.name().shown();
        let (handler, detail) = (denial.handler, denial.detail.as_deref());
        let (method, path) = (request.method().as_str(), request.path());
        if denial.error == ErrorKind::Internal {
            tracing::error!(request_id, trace_id, rule_id, reason, handler, detail, method, path, "request failed");
        } else {
            tracing::info!(request_id, trace_id, rule_id, reason, handler, detail, method, path, "request denied");
        }
        let url = request.url_with_query();
        let facts =
            RequestFacts { method: request.method(), url: &url, headers: request.headers(), peer: request.peer() };
        let response = respond(answer(rule, &record.live().snapshot.fallback, denial, &facts));
        answered(record, response)
    }

    /// No answer came. When it was the caller's body that broke, that is what is said.
    #[cold]
    pub(super) fn upstream_failed(&self, mut record: Box<Completion>, error: &ForwardError) -> Response<ResponseBody> {
        if let Some(fault) = record.tally.fault.get() {
            return fault.refuse(record);
        }
        self.sinks.metrics.shared().upstream_failed(error.reason());
        let upstream = record.upstream_url().map(tracing::field::display);
        let (request_id, trace_id) = record.name().shown();
        tracing::error!(request_id, trace_id, upstream, %error, "upstream failed");
        record.outcome = "error";
        record.reason = Some(error.reason());
        // The reference's gateway errors have no body (serving spec 4.7).
        let mut response = Response::new(ResponseBody::full(Bytes::new()));
        *response.status_mut() = error.status();
        answered(record, response)
    }
}
