//! Why an upstream did not answer.

use std::fmt;

use super::http1::{Failure, Malformed};

/// A failure between this proxy and an upstream. Texts name hosts and causes, never credentials.
#[derive(Debug)]
pub enum ForwardError {
    /// The host leads where it may not.
    Address(String),
    /// No connection could be made: name, TCP or TLS.
    Connect(String),
    /// The exchange broke before the head of an answer arrived.
    Exchange(String),
    /// A limit of time was reached.
    Timeout(&'static str),
    /// The upstream switched protocols when nobody asked, or to another than was asked for.
    Upgrade(&'static str),
}

impl ForwardError {
    /// 504 for time, 502 for everything else (serving spec 4.7).
    pub fn status(&self) -> http::StatusCode {
        match self {
            ForwardError::Timeout(_) => http::StatusCode::GATEWAY_TIMEOUT,
            _ => http::StatusCode::BAD_GATEWAY,
        }
    }

    /// The spelling in audit records and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            ForwardError::Address(_) => "upstream_address",
            ForwardError::Connect(_) => "upstream_connect",
            ForwardError::Exchange(_) => "upstream_exchange",
            ForwardError::Timeout(_) => "upstream_timeout",
            ForwardError::Upgrade(_) => "upstream_upgrade",
        }
    }
}

impl fmt::Display for ForwardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ForwardError::Address(detail) => write!(f, "no connection: {detail}"),
            ForwardError::Connect(detail) => write!(f, "no connection to {detail}"),
            ForwardError::Exchange(detail) => write!(f, "the exchange with the upstream broke: {detail}"),
            ForwardError::Timeout(what) => write!(f, "too much time passed waiting {what}"),
            ForwardError::Upgrade(what) => write!(f, "the upstream {what}"),
        }
    }
}

impl std::error::Error for ForwardError {}

impl From<Failure> for ForwardError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Broken(error) | Failure::Body(error) => ForwardError::Exchange(chain(&error)),
            Failure::Malformed(malformed) => malformed.into(),
        }
    }
}

impl From<Malformed> for ForwardError {
    fn from(malformed: Malformed) -> Self {
        ForwardError::Exchange(malformed.0.to_owned())
    }
}

/// An error with its causes. hyper's texts hold no header values.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
