//! Answers of our own, which no upstream has a part in. Each writes its record.

use std::time::Instant;

use bytes::Bytes;
use http::header::{CONNECTION, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use http_body::Body;
use keyward_core::pipeline::denial::ErrorKind;
use keyward_core::pipeline::error_response::{ErrorResponse, json};

use super::body::{BodyFault, ResponseBody};
use super::completion::Completion;
use crate::cors;

impl BodyFault {
    /// The answer to a request whose body went wrong.
    #[cold]
    pub(super) fn refuse(self, mut record: Box<Completion>) -> Response<ResponseBody> {
        record.outcome = "error";
        record.reason = Some(self.reason());
        let mut response = local(self.status(), status_text(self.status()));
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        answered(record, response)
    }
}

/// A browser's question about another origin, which no rule needs to know of.
#[cold]
pub(super) fn preflight_answer(mut record: Box<Completion>) -> Response<ResponseBody> {
    (record.outcome, record.reason) = ("allowed", Some("cors_preflight"));
    let mut response = Response::new(ResponseBody::full(Bytes::new()));
    *response.status_mut() = cors::PREFLIGHT_STATUS;
    answered(record, response)
}

/// Nothing is forwarded that could not be recorded, or that this process has no room or time for.
#[cold]
pub(super) fn shed(mut record: Box<Completion>) -> Response<ResponseBody> {
    record.outcome = "error";
    record.reason = Some("overloaded");
    let mut response = local(ErrorKind::Overloaded.status(), ErrorKind::Overloaded.generic_message());
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    answered(record, response)
}

/// Writes the record of an answer that is complete already.
pub(super) fn answered(mut record: Box<Completion>, response: Response<ResponseBody>) -> Response<ResponseBody> {
    record.status = response.status().as_u16();
    record.add_bytes_out(response.body().size_hint().exact().unwrap_or(0));
    record.complete(Instant::now());
    response
}

/// An answer of our own in the reference's shape.
#[cold]
pub(super) fn local(status: StatusCode, message: &str) -> Response<ResponseBody> {
    respond(json(status, message, None, None))
}

/// An answer that was put together for it.
pub(super) fn respond(error: ErrorResponse) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::full(error.body));
    *response.status_mut() = error.status;
    *response.headers_mut() = error.headers;
    response
}

/// What is said of a status where there is no more to say.
pub(super) fn status_text(status: StatusCode) -> &'static str {
    match status {
        StatusCode::BAD_REQUEST => ErrorKind::BadRequest.generic_message(),
        other => other.canonical_reason().unwrap_or_default(),
    }
}
