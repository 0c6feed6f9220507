//! `json`: answers in the reference's JSON shape (pipeline spec 7.3).

use keyward_core::diagnostic::Diagnostic;
use keyward_core::document::{Node, decode};
use keyward_core::pipeline::denial::{Denial, Reason};
use keyward_core::pipeline::error_response::{self, ErrorResponse};
use keyward_core::pipeline::{BindContext, ErrorHandler, ErrorHandlerKind, HandlerKind, RequestFacts};

/// Settings of `json`.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JsonConfig {
    /// Tell the caller what kind of failure it was. Claims, keys and addresses are never told.
    #[serde(default)]
    pub verbose: bool,
    /// When this handler answers.
    #[serde(default)]
    pub when: Option<Vec<keyward_core::pipeline::when::ConditionConfig>>,
}

/// Ready to run.
pub struct Json {
    verbose: bool,
}

/// The row of the table.
pub struct Kind;

impl HandlerKind for Kind {
    fn id(&self) -> &'static str {
        "json"
    }

    fn settings(&self, generator: &mut schemars::SchemaGenerator) -> Option<schemars::Schema> {
        Some(generator.subschema_for::<JsonConfig>())
    }
}

impl ErrorHandlerKind for Kind {
    fn bind(&self, config: &Node, _: &BindContext<'_>) -> Result<Box<dyn ErrorHandler>, Diagnostic> {
        let JsonConfig { verbose, .. } = decode(config)?;
        Ok(Box::new(Json { verbose }))
    }
}

impl ErrorHandler for Json {
    fn respond(&self, denial: &Denial, request: &RequestFacts<'_>) -> ErrorResponse {
        let request_id = request.headers.get("x-request-id").and_then(|value| value.to_str().ok());
        let (message, reason) = if self.verbose {
            let name = || explained(denial.reason).then(|| denial.reason.as_str());
            (&*denial.message, denial.explanation.as_deref().or_else(name))
        } else {
            (denial.error.generic_message(), None)
        };
        let mut response = error_response::json(denial.error.status(), message, reason, request_id);
        for (name, value) in &denial.headers {
            response.headers.insert(name, value.clone());
        }
        response
    }
}

/// The reference gives a reason only where more than the class is known.
fn explained(reason: Reason) -> bool {
    !matches!(
        reason,
        Reason::CredentialMissing | Reason::Refused | Reason::Denied | Reason::NoRule | Reason::SeveralRules
    )
}
