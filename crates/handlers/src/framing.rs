//! Header fields that no rule, setting or side service may set.

use http::HeaderName;

/// Fields that belong to one connection or say how long a message is (RFC 9110 section 7.6.1, RFC 9112
/// section 6). `Host` is the upstream's.
pub(crate) fn is_framing(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "content-length"
            | "host"
            | "keep-alive"
            | "proxy-connection"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    )
}
