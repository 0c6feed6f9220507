//! Why the gate refuses a request, and what the caller gets.

use http::StatusCode;

/// A closed vocabulary: the label of `keyward_gate_refusals_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefusalReason {
    /// `Host` or the target's authority is missing, doubled or malformed.
    Authority,
    /// Target and `Host`, or `:authority` and `host`, disagree.
    AuthorityMismatch,
    /// `Connection` names a field that must not be removed.
    ConnectionNames,
    /// An expectation other than `100-continue` (RFC 9110 section 10.1.1).
    Expectation,
    /// A field too many.
    FieldCount,
    /// A field, or all of them together, too large.
    FieldSize,
    /// Framing that two readers could read differently (RFC 9112 section 6).
    Framing,
    /// A field name that folds to a protected one.
    LookAlike,
    /// CONNECT or TRACE.
    Method,
    /// A field that asks the upstream to take the request for one with another method.
    MethodOverride,
    /// The path is not canonical and cannot safely be made so.
    Path,
    /// Raw characters in the query.
    Query,
    /// The target's scheme is not the connection's.
    Scheme,
    /// Request line or header lines break the grammar (RFC 9112 sections 2.2, 3 and 5), or a field's name does.
    Syntax,
    /// The target is too long.
    TargetSize,
    /// An upgrade that is malformed or comes with a body.
    Upgrade,
}

impl RefusalReason {
    /// The spelling in metrics, logs and audit records.
    pub fn as_str(self) -> &'static str {
        match self {
            RefusalReason::Authority => "authority",
            RefusalReason::AuthorityMismatch => "authority_mismatch",
            RefusalReason::ConnectionNames => "connection_names",
            RefusalReason::Expectation => "expectation",
            RefusalReason::FieldCount => "field_count",
            RefusalReason::FieldSize => "field_size",
            RefusalReason::Framing => "framing",
            RefusalReason::LookAlike => "look_alike",
            RefusalReason::Method => "method",
            RefusalReason::MethodOverride => "method_override",
            RefusalReason::Path => "path",
            RefusalReason::Query => "query",
            RefusalReason::Scheme => "scheme",
            RefusalReason::Syntax => "syntax",
            RefusalReason::TargetSize => "target_size",
            RefusalReason::Upgrade => "upgrade",
        }
    }

    /// The status; the connection is closed after any of them (RFC 9112 section 9.6).
    pub fn status(self) -> StatusCode {
        match self {
            RefusalReason::Expectation => StatusCode::EXPECTATION_FAILED,
            RefusalReason::FieldCount | RefusalReason::FieldSize => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            RefusalReason::Method => StatusCode::METHOD_NOT_ALLOWED,
            RefusalReason::TargetSize => StatusCode::URI_TOO_LONG,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_its_name_and_its_status() {
        let rows = [
            (RefusalReason::Authority, "authority", 400),
            (RefusalReason::AuthorityMismatch, "authority_mismatch", 400),
            (RefusalReason::Expectation, "expectation", 417),
            (RefusalReason::FieldCount, "field_count", 431),
            (RefusalReason::FieldSize, "field_size", 431),
            (RefusalReason::Framing, "framing", 400),
            (RefusalReason::Method, "method", 405),
            (RefusalReason::TargetSize, "target_size", 414),
        ];
        for (reason, name, status) in rows {
            assert_eq!((reason.as_str(), reason.status().as_u16()), (name, status));
        }
    }
}
