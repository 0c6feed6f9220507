//! `anonymous`: responsible for requests without an `Authorization` header (pipeline spec 2.3).

use http::header::AUTHORIZATION;
use keyward_core::diagnostic::Diagnostic;
use keyward_core::document::{Node, decode};
use keyward_core::gate::GatedRequest;
use keyward_core::pipeline::denial::Denial;
use keyward_core::pipeline::step::Step;
use keyward_core::pipeline::{Authentication, Authenticator, AuthenticatorKind, BindContext, HandlerKind};
use keyward_core::ports::UnixTime;
use keyward_core::session::Session;
/// Settings of `anonymous`.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AnonymousConfig {
    /// The session's subject. Empty means `anonymous`.
    #[serde(default)]
    pub subject: String,
}

/// Ready to run.
pub struct Anonymous {
    session: Session,
}

/// The row of the table.
pub struct Kind;

impl HandlerKind for Kind {
    fn id(&self) -> &'static str {
        "anonymous"
    }

    fn settings(&self, generator: &mut schemars::SchemaGenerator) -> Option<schemars::Schema> {
        Some(generator.subschema_for::<AnonymousConfig>())
    }
}

impl AuthenticatorKind for Kind {
    fn bind(&self, config: &Node, _: &BindContext<'_>) -> Result<Box<dyn Authenticator>, Diagnostic> {
        let AnonymousConfig { subject } = decode(config)?;
        let subject = if subject.is_empty() { "anonymous" } else { &subject };
        Ok(Box::new(Anonymous { session: Session::of(subject) }))
    }
}

impl Authenticator for Anonymous {
    fn authenticate<'a>(&'a self, request: &'a GatedRequest, _: UnixTime) -> Step<'a, Result<Authentication, Denial>> {
        let presented = request.headers().get(AUTHORIZATION).is_some_and(|value| !value.is_empty());
        Step::Ready(Ok(if presented {
            Authentication::NotResponsible
        } else {
            Authentication::Established(self.session.clone())
        }))
    }
}
