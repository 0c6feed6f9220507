//! `remote_json`: describes the request to a remote authorizer in JSON (pipeline spec 4.3).

use std::collections::BTreeMap;

use http::HeaderValue;
use keyward_core::diagnostic::Diagnostic;
use keyward_core::document::{Node, decode};
use keyward_core::gate::GatedRequest;
use keyward_core::go_json;
use keyward_core::pipeline::denial::{Denial, Reason};
use keyward_core::pipeline::step::Step;
use keyward_core::pipeline::{Authorizer, AuthorizerKind, BindContext, HandlerKind};
use keyward_core::ports::UnixTime;
use keyward_core::session::Session;

use crate::remote_call::{RemoteCall, RetryConfig};
use crate::rendered::Rendered;

/// Settings of `remote_json`.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RemoteJsonConfig {
    /// The authorizer: an `https` or `http` URL.
    pub remote: String,
    /// What to send, as a template that renders to JSON. Write texts with `toJson`: they are not escaped.
    #[schemars(with = "String")]
    pub payload: Node,
    /// Headers to send, as templates; what renders to nothing is left out.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub headers: Option<Node>,
    /// Headers of the answer to set on the upstream request, empty where the answer lacks them.
    #[serde(default)]
    #[schemars(extend("uniqueItems" = true))]
    pub forward_response_headers_to_upstream: Vec<String>,
    /// Waits between attempts.
    #[serde(default)]
    pub retry: RetryConfig,
}

/// Ready to run.
pub struct RemoteJson {
    payload: Rendered,
    call: RemoteCall,
}

/// The row of the table.
pub struct Kind;

impl HandlerKind for Kind {
    fn id(&self) -> &'static str {
        "remote_json"
    }

    fn settings(&self, generator: &mut schemars::SchemaGenerator) -> Option<schemars::Schema> {
        Some(generator.subschema_for::<RemoteJsonConfig>())
    }
}

impl AuthorizerKind for Kind {
    fn bind(&self, node: &Node, context: &BindContext<'_>) -> Result<Box<dyn Authorizer>, Diagnostic> {
        let config: RemoteJsonConfig = decode(node)?;
        let payload = Rendered::compile("payload", &config.payload, context)?;
        if let Some(text) = payload.template.constant() {
            check(text)
                .map_err(|problem| Diagnostic::error(problem.clone()).at(&config.payload.origin).told(problem))?;
        }
        let forwarded = &config.forward_response_headers_to_upstream;
        let call = RemoteCall::bind(&config.remote, config.headers.as_ref(), forwarded, &config.retry, node, context)?;
        Ok(Box::new(RemoteJson { payload, call }))
    }
}

/// A payload must be JSON. The error is the reference's, and names one character of it at most.
fn check(payload: &str) -> Result<(), String> {
    go_json::check(payload.as_bytes()).map_err(|problem| format!("payload is not a JSON text: {problem}"))
}

impl Authorizer for RemoteJson {
    fn authorize<'a>(
        &'a self,
        request: &'a GatedRequest,
        session: &'a mut Session,
        _: UnixTime,
    ) -> Step<'a, Result<(), Denial>> {
        let payload = match self.payload.render(request, session) {
            Ok(payload) => payload,
            Err(denial) => return Step::Ready(Err(denial)),
        };
        if let Err(problem) = check(&payload) {
            let denial = Denial::internal(Reason::SideServiceFailed, problem.clone()).because("").told(problem);
            return Step::Ready(Err(denial));
        }
        let content_type = HeaderValue::from_static("application/json");
        Step::Pending(Box::pin(self.call.authorize(request, session, content_type, payload.into())))
    }

    fn reads_captures(&self) -> bool {
        self.payload.template.reads_captures() || self.call.reads_captures()
    }

    fn sets_headers(&self) -> bool {
        self.call.sets_headers()
    }
}
