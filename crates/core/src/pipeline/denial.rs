//! Why a request is not forwarded: what the caller may know, and what the operator must know.

use std::borrow::Cow;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use http::{HeaderMap, StatusCode};

use crate::caller::Caller;

/// The error class the caller sees (pipeline spec 1.7), with the messages of the reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// 400: the gate refused the request.
    BadRequest,
    /// 403.
    Forbidden,
    /// 500: configuration, template or internal failure.
    Internal,
    /// 404: no rule matches.
    NotFound,
    /// 503: a limit of this proxy was reached.
    Overloaded,
    /// 429, passed on from a side service.
    TooManyRequests,
    /// 401.
    Unauthorized,
    /// 500, passed on from a side service.
    UpstreamFailed,
    /// 404, passed on from a side service.
    UpstreamNotFound,
    /// 504: a side service did not answer in time.
    UpstreamTimeout,
    /// 503: a side service is unavailable.
    UpstreamUnavailable,
}

impl ErrorKind {
    /// The HTTP status.
    pub fn status(self) -> StatusCode {
        match self {
            ErrorKind::BadRequest => StatusCode::BAD_REQUEST,
            ErrorKind::Forbidden => StatusCode::FORBIDDEN,
            ErrorKind::Internal | ErrorKind::UpstreamFailed => StatusCode::INTERNAL_SERVER_ERROR,
            ErrorKind::NotFound | ErrorKind::UpstreamNotFound => StatusCode::NOT_FOUND,
            ErrorKind::Overloaded | ErrorKind::UpstreamUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            ErrorKind::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            ErrorKind::Unauthorized => StatusCode::UNAUTHORIZED,
            ErrorKind::UpstreamTimeout => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// The message for callers when errors are not verbose (serving spec 7.10).
    pub fn generic_message(self) -> &'static str {
        match self {
            ErrorKind::BadRequest => "The request was malformed or contained invalid parameters",
            ErrorKind::Forbidden => "The requested action was forbidden",
            ErrorKind::Internal | ErrorKind::UpstreamFailed => {
                "An internal server error occurred, please contact the system administrator"
            }
            ErrorKind::NotFound | ErrorKind::UpstreamNotFound => "The requested resource could not be found",
            ErrorKind::Overloaded | ErrorKind::UpstreamUnavailable => "The upstream service is not available",
            ErrorKind::TooManyRequests => "Too many requests",
            ErrorKind::Unauthorized => "The request could not be authorized",
            ErrorKind::UpstreamTimeout => "The upstream service is timing out",
        }
    }

    /// The name used by `when.error`: the status text in snake case (pipeline spec 7.2).
    pub fn name(self) -> &'static str {
        match self {
            ErrorKind::BadRequest => "bad_request",
            ErrorKind::Forbidden => "forbidden",
            // The reference counts a passed-on 429 as an internal error.
            ErrorKind::Internal | ErrorKind::TooManyRequests | ErrorKind::UpstreamFailed => "internal_server_error",
            ErrorKind::NotFound | ErrorKind::UpstreamNotFound => "not_found",
            ErrorKind::Overloaded | ErrorKind::UpstreamUnavailable => "service_unavailable",
            ErrorKind::Unauthorized => "unauthorized",
            ErrorKind::UpstreamTimeout => "gateway_timeout",
        }
    }
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident => $text:literal,)*) => {
        /// The closed vocabulary of the audit record's `reason`, the denial log line and the metrics.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason {
            $($(#[$doc])* $name,)*
        }

        impl Reason {
            /// All there are.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The spelling in audit records, logs and metric labels.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

reasons! {
    /// The audience does not fit.
    AudienceMismatch => "audience_mismatch",
    /// No authenticator found a credential.
    CredentialMissing => "credential_missing",
    /// A side service does not accept the caller's credential.
    CredentialRefused => "credential_refused",
    /// An authorizer said no.
    Denied => "denied",
    /// The issuer is not trusted.
    IssuerUntrusted => "issuer_untrusted",
    /// A required scope is not granted.
    InsufficientScope => "insufficient_scope",
    /// No key fits the token, or no key set could be had.
    KeyUnavailable => "key_unavailable",
    /// A mutator failed at run time.
    MutationFailed => "mutation_failed",
    /// No rule matches.
    NoRule => "no_rule",
    /// More than one rule matches.
    SeveralRules => "several_rules",
    /// The rule could not be compiled.
    RuleBroken => "rule_broken",
    /// The rules of a source were never had.
    RulesMissing => "rules_missing",
    /// The pattern engine gave up.
    PatternFailed => "pattern_failed",
    /// The signature does not verify, or the algorithm is not allowed.
    SignatureInvalid => "signature_invalid",
    /// The token has expired.
    TokenExpired => "token_expired",
    /// The authorization server says that the token is not active.
    TokenInactive => "token_inactive",
    /// The token is not a well-formed JWS.
    TokenMalformed => "token_malformed",
    /// The token is not valid yet.
    TokenNotYetValid => "token_not_yet_valid",
    /// The token lives longer than `max_token_age`, or has no `exp`.
    TokenLifetime => "token_lifetime",
    /// The token is for something else than access.
    TokenUse => "token_use",
    /// The `unauthorized` authenticator.
    Refused => "refused",
    /// The gate refused the request.
    RequestRefused => "request_refused",
    /// The rule has no upstream.
    NoUpstream => "no_upstream",
    /// A limit of this proxy was reached.
    Overloaded => "overloaded",
    /// A side service failed.
    SideServiceFailed => "side_service_failed",
    /// Something in this process failed; see the log.
    Internal => "internal",
}

/// A request that will not be forwarded. Boxed: whatever may end in one is handed up through every step of
/// requests that do not.
#[derive(Clone, Debug)]
pub struct Denial(Box<Facts>);

/// What is known about a [`Denial`].
#[derive(Clone, Debug)]
pub struct Facts {
    /// What the caller may know.
    pub error: ErrorKind,
    /// What audit, log and metrics say.
    pub reason: Reason,
    /// The message of a verbose answer: one text per failure kind, never a claim, an address or a secret.
    pub message: Cow<'static, str>,
    /// The reason in a verbose answer, where the reference has a text of its own for it or (empty) gives
    /// none; otherwise the name of `reason`. As harmless as `message`.
    pub explanation: Option<Cow<'static, str>>,
    /// For the log only; never sent, never a secret.
    pub detail: Option<String>,
    /// Which handler said so.
    pub handler: Option<&'static str>,
    /// Who asked, when the credential itself was verified.
    pub caller: Option<Arc<Caller>>,
    /// Rate-limit headers to pass on with a 429 (pipeline spec 1.7).
    pub headers: HeaderMap,
}

impl Deref for Denial {
    type Target = Facts;

    fn deref(&self) -> &Facts {
        &self.0
    }
}

impl DerefMut for Denial {
    fn deref_mut(&mut self) -> &mut Facts {
        &mut self.0
    }
}

impl Denial {
    /// A denial with the reference's verbose message for its class.
    #[cold]
    pub fn new(error: ErrorKind, reason: Reason) -> Self {
        let message = match (error, reason) {
            (_, Reason::SeveralRules) => "Expected exactly one rule but found multiple rules",
            (ErrorKind::Unauthorized, _) => "Access credentials are invalid",
            (ErrorKind::Forbidden, _) => "Access credentials are not sufficient to access this resource",
            (ErrorKind::NotFound, _) => "Requested url does not match any rules",
            (ErrorKind::UpstreamFailed, _) => "The upstream service encountered an unexpected error",
            (ErrorKind::UpstreamNotFound, _) => "Upstream service not found",
            _ => error.generic_message(),
        };
        Self(Box::new(Facts {
            error,
            reason,
            message: message.into(),
            explanation: None,
            detail: None,
            handler: None,
            caller: None,
            headers: HeaderMap::new(),
        }))
    }

    /// Access credentials are invalid or missing: 401.
    pub fn unauthorized(reason: Reason) -> Self {
        Self::new(ErrorKind::Unauthorized, reason)
    }

    /// Access credentials do not suffice: 403.
    pub fn forbidden(reason: Reason) -> Self {
        Self::new(ErrorKind::Forbidden, reason)
    }

    /// Something here does not work: 500.
    pub fn internal(reason: Reason, detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, reason).detail(detail)
    }

    /// Names the handler that denied.
    pub fn by(mut self, handler: &'static str) -> Self {
        self.handler = Some(handler);
        self
    }

    /// Names the caller, once the credential itself was verified.
    pub fn of(mut self, caller: Arc<Caller>) -> Self {
        self.caller = Some(caller);
        self
    }

    /// Replaces the message of a verbose answer.
    pub fn told(mut self, message: impl Into<Cow<'static, str>>) -> Self {
        self.message = message.into();
        self
    }

    /// Sets the reason of a verbose answer; empty for none.
    pub fn because(mut self, explanation: impl Into<Cow<'static, str>>) -> Self {
        self.explanation = Some(explanation.into());
        self
    }

    /// Adds what the operator should read in the log.
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}
