//! Why Vault handed out no value, and what to do about it. Its own messages are not repeated.

use http::StatusCode;

use super::api::Api;
use crate::secrets::backend::Failure;

/// Why there is no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// Nobody answered.
    NoAnswer(String),
    /// An answer that makes no sense.
    Malformed,
    /// A status other than 200.
    Refused(StatusCode),
}

impl Problem {
    /// Whether everything else that is asked now would fail in the same way.
    pub(super) fn is_about_all(&self) -> bool {
        match self {
            Self::NoAnswer(_) => true,
            Self::Malformed => false,
            Self::Refused(status) => {
                status.is_redirection()
                    || is_from_before(*status)
                    || matches!(*status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS)
            }
        }
    }

    /// For the operator; `what` was asked for.
    pub(super) fn failure(&self, what: &str, api: &Api<'_>) -> Failure {
        let status = match self {
            Self::NoAnswer(cause) => return Failure::new(cause).remedy("check `address`, and the way to it"),
            Self::Malformed => {
                return Failure::new(format!("the answer about {what} is not what Vault answers"))
                    .remedy("check that `address` is that of a Vault, and begins with `https` if TLS is spoken there");
            }
            Self::Refused(status) => *status,
        };
        let failure = Failure::new(format!("Vault answered {} for {what}", status.as_u16()));
        match remedy(status, api) {
            Some(remedy) => failure.remedy(remedy),
            None => failure,
        }
    }
}

fn remedy(status: StatusCode, api: &Api<'_>) -> Option<String> {
    let mount = &api.options.mount;
    let remedy = match status {
        StatusCode::BAD_REQUEST => format!("check `namespace` and `mount`: `{mount}` must be a KV engine, version 2"),
        StatusCode::NOT_FOUND => format!(
            "check `id`, which is the path without `{mount}/data/`, `version`, and that `{mount}` is a KV engine, version 2"
        ),
        StatusCode::SERVICE_UNAVAILABLE => "Vault is sealed or not ready: unseal it".to_owned(),
        // OpenBao v2.6.2 answers so as a standby without an active node.
        StatusCode::INTERNAL_SERVER_ERROR => {
            "Vault failed, or is a standby that finds no active node: its log says which".to_owned()
        }
        status if is_from_before(status) => "what stands before Vault does not reach it".to_owned(),
        StatusCode::TOO_MANY_REQUESTS => {
            "it is asked again later; a longer `refresh_interval` asks less often".to_owned()
        }
        status if status.is_redirection() => {
            "redirects are not followed: a standby sends them, so write the address of the active node, or of a load \
             balancer that finds it"
                .to_owned()
        }
        _ => return None,
    };
    Some(remedy)
}

/// Whether a gateway answers so in place of what is behind it (RFC 9110 sections 15.6.3 and 15.6.5).
fn is_from_before(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT)
}
