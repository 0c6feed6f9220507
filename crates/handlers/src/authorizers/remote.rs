//! `remote`: shows the request's body to a remote authorizer (pipeline spec 4.2).

use std::collections::BTreeMap;

use http::HeaderValue;
use http::header::CONTENT_TYPE;
use keyward_core::diagnostic::Diagnostic;
use keyward_core::document::{Node, decode};
use keyward_core::gate::GatedRequest;
use keyward_core::pipeline::denial::Denial;
use keyward_core::pipeline::step::Step;
use keyward_core::pipeline::{Authorizer, AuthorizerKind, BindContext, HandlerKind};
use keyward_core::ports::UnixTime;
use keyward_core::session::Session;

use crate::remote_call::{RemoteCall, RetryConfig};

/// Settings of `remote`.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RemoteConfig {
    /// The authorizer: an `https` or `http` URL.
    pub remote: String,
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
pub struct Remote {
    call: RemoteCall,
}

/// The row of the table.
pub struct Kind;

impl HandlerKind for Kind {
    fn id(&self) -> &'static str {
        "remote"
    }

    fn settings(&self, generator: &mut schemars::SchemaGenerator) -> Option<schemars::Schema> {
        Some(generator.subschema_for::<RemoteConfig>())
    }
}

impl AuthorizerKind for Kind {
    fn bind(&self, node: &Node, context: &BindContext<'_>) -> Result<Box<dyn Authorizer>, Diagnostic> {
        let config: RemoteConfig = decode(node)?;
        let forwarded = &config.forward_response_headers_to_upstream;
        let mut call =
            RemoteCall::bind(&config.remote, config.headers.as_ref(), forwarded, &config.retry, node, context)?;
        call.wrong_status = "unexpected status code: ";
        Ok(Box::new(Remote { call }))
    }
}

impl Authorizer for Remote {
    fn authorize<'a>(
        &'a self,
        request: &'a GatedRequest,
        session: &'a mut Session,
        _: UnixTime,
    ) -> Step<'a, Result<(), Denial>> {
        // As the reference: a caller's missing content type is sent as an empty one.
        let content_type = request.headers().get(CONTENT_TYPE).cloned().unwrap_or(HeaderValue::from_static(""));
        Step::Pending(Box::pin(self.call.authorize(request, session, content_type, request.body().clone())))
    }

    fn reads_captures(&self) -> bool {
        self.call.reads_captures()
    }

    fn sets_headers(&self) -> bool {
        self.call.sets_headers()
    }

    fn reads_body(&self) -> bool {
        true
    }
}
