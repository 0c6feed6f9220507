//! The four kinds of handler, and the decision they make together.
//!
//! A rule binds handlers once, when it is compiled ([`AuthenticatorKind::bind`] and its siblings); a
//! request only runs them ([`decide`](mod@decide)). Handlers neither log nor count: whoever runs the
//! decision records it.

pub mod answer;
pub mod cookies;
pub mod decide;
pub mod denial;
pub mod error_response;
pub mod grant;
mod look_alikes;
pub mod observe;
pub mod shared;
pub mod step;
pub mod when;

use http::HeaderName;

use crate::credential::Uses;
use crate::diagnostic::Diagnostic;
use crate::document::Node;
use crate::gate::GatedRequest;
use crate::pipeline::denial::Denial;
use crate::pipeline::error_response::ErrorResponse;
use crate::pipeline::shared::Shared;
use crate::pipeline::step::Step;
use crate::ports::{Outside, SigningSource, UnixTime};
use crate::rule::pattern::Strategy;
use crate::session::Session;

/// What a handler may reach while it is bound to a rule.
pub struct BindContext<'a> {
    /// The rule's id, for messages.
    pub rule_id: &'a str,
    /// The matching strategy in force.
    pub strategy: Strategy,
    /// What the outside provides.
    pub outside: &'a Outside,
    /// What handlers of several rules have in common: caches, compiled settings.
    pub shared: &'a Shared,
    /// What handlers use, for who compiles the rule.
    pub uses: &'a Uses,
    /// Findings that do not stop the rule from working.
    pub warnings: &'a std::cell::RefCell<Vec<Diagnostic>>,
}

impl BindContext<'_> {
    /// Records a finding that does not stop the rule from working.
    pub fn warn(&self, warning: Diagnostic) {
        self.warnings.borrow_mut().push(warning);
    }
}

/// What every kind of handler has: the name a rule uses, and the shape of its settings.
pub trait HandlerKind: Sync {
    /// The name used in configuration files.
    fn id(&self) -> &'static str;

    /// The JSON Schema of its `config` object; `None` when it takes none (then any rule-level config
    /// is ignored, as in the reference).
    fn settings(&self, generator: &mut schemars::SchemaGenerator) -> Option<schemars::Schema>;

    /// Settings that the whole process has in common: in a rule they are accepted and have no effect.
    fn global_settings(&self) -> &'static [&'static str] {
        &[]
    }
}

/// A kind of authenticator: one row of the table in `keyward-handlers`.
pub trait AuthenticatorKind: HandlerKind {
    /// Checks and compiles settings (global merged with the rule's) into a handler that is ready to run.
    fn bind(&self, config: &Node, context: &BindContext<'_>) -> Result<Box<dyn Authenticator>, Diagnostic>;
}

/// A kind of authorizer.
pub trait AuthorizerKind: HandlerKind {
    /// See [`AuthenticatorKind::bind`].
    fn bind(&self, config: &Node, context: &BindContext<'_>) -> Result<Box<dyn Authorizer>, Diagnostic>;
}

/// A kind of mutator.
pub trait MutatorKind: HandlerKind {
    /// See [`AuthenticatorKind::bind`].
    fn bind(&self, config: &Node, context: &BindContext<'_>) -> Result<Box<dyn Mutator>, Diagnostic>;
}

/// A kind of error handler.
pub trait ErrorHandlerKind: HandlerKind {
    /// See [`AuthenticatorKind::bind`]. The `when` conditions have been taken out of `config`: the
    /// pipeline judges them, the handler only answers.
    fn bind(&self, config: &Node, context: &BindContext<'_>) -> Result<Box<dyn ErrorHandler>, Diagnostic>;
}

/// Outcome of an authenticator that found no fault.
pub enum Authentication {
    /// The caller is known.
    Established(Session),
    /// This request carries nothing for this authenticator; the next one is asked.
    NotResponsible,
}

/// Where in a request an authenticator looks for the caller's credential.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CredentialLocation {
    /// The bearer token in `Authorization`.
    Bearer,
    /// A header, as it stands.
    Header(HeaderName),
    /// A query parameter.
    QueryParameter(String),
    /// A cookie.
    Cookie(String),
}

/// Establishes who is asking. Must not change the request.
pub trait Authenticator: Send + Sync {
    /// Called once per request, in the rule's order, until one is responsible.
    fn authenticate<'a>(&'a self, request: &'a GatedRequest, now: UnixTime)
    -> Step<'a, Result<Authentication, Denial>>;

    /// Every place this authenticator can read a credential from. What stands there is removed before
    /// the request is sent upstream, whichever authenticator was responsible in the end.
    fn credential_locations(&self) -> &[CredentialLocation] {
        &[]
    }
}

/// Decides whether the caller may proceed.
pub trait Authorizer: Send + Sync {
    /// Called after authentication; `Err` denies.
    fn authorize<'a>(
        &'a self,
        request: &'a GatedRequest,
        session: &'a mut Session,
        now: UnixTime,
    ) -> Step<'a, Result<(), Denial>>;

    /// Whether it reads the capture groups of the rule's pattern.
    fn reads_captures(&self) -> bool {
        false
    }

    /// Whether it reads the request's body, which is then held in memory from authentication on.
    fn reads_body(&self) -> bool {
        false
    }

    /// Whether it sets headers on the request to the upstream.
    fn sets_headers(&self) -> bool {
        false
    }
}

/// Changes what goes upstream, through the session's headers.
pub trait Mutator: Send + Sync {
    /// Called after every authorizer allowed; all mutators of a rule run, in order.
    fn mutate<'a>(
        &'a self,
        request: &'a GatedRequest,
        session: &'a mut Session,
        now: UnixTime,
    ) -> Step<'a, Result<(), Denial>>;

    /// Whether it reads the capture groups of the rule's pattern.
    fn reads_captures(&self) -> bool {
        false
    }

    /// Names of the headers whose values it writes: they are redacted wherever a rule is shown.
    fn written_headers(&self) -> Vec<HeaderName> {
        Vec::new()
    }

    /// Those of them that carry a credential whatever is written there. The audit record names them where the handler
    /// uses no secret, which it would name instead.
    fn credential_headers(&self) -> Vec<HeaderName> {
        Vec::new()
    }

    /// The keys it signs with, whose public halves are published.
    fn signing_source(&self) -> Option<&std::sync::Arc<dyn SigningSource>> {
        None
    }
}

/// Answers a request that was denied.
pub trait ErrorHandler: Send + Sync {
    /// Builds the answer. Must not reveal more than [`Denial::error`](denial::Denial) allows.
    fn respond(&self, denial: &Denial, request: &RequestFacts<'_>) -> ErrorResponse;
}

/// What error handling knows of the request, also when it never passed the gate.
pub struct RequestFacts<'a> {
    /// The request method.
    pub method: &'a http::Method,
    /// `scheme://authority/path?query` as the caller asked for it.
    pub url: &'a str,
    /// Request headers after the gate.
    pub headers: &'a http::HeaderMap,
    /// The peer of the connection.
    pub peer: std::net::SocketAddr,
}
