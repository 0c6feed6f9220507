//! Asking a remote authorizer, as `remote` and `remote_json` do (pipeline spec 4.2, 4.3).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use keyward_core::diagnostic::{Diagnostic, Origin};
use keyward_core::document::Node;
use keyward_core::document::duration::GoDuration;
use keyward_core::gate::GatedRequest;
use keyward_core::pipeline::BindContext;
use keyward_core::pipeline::denial::{Denial, Reason};
use keyward_core::ports::{CallPolicy, SideClient, SideRequest};
use keyward_core::session::Session;
use keyward_core::side_url::SideUrl;

use crate::framing::is_framing;
use crate::rendered::{Rendered, trimmed};
use crate::retry::{MAX_WAIT, bounded};
use crate::side_url;

/// Retries. The reference makes five attempts, whatever is written.
#[derive(Debug, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RetryConfig {
    /// Without effect, as in Oathkeeper: an attempt may take 10 s.
    #[serde(default)]
    pub max_delay: Option<GoDuration>,
    /// The longest wait before another attempt; 1s when not set, 30s at most.
    #[serde(default)]
    pub give_up_after: Option<GoDuration>,
}

/// A remote authorizer, ready to be asked.
pub(crate) struct RemoteCall {
    side: Arc<dyn SideClient>,
    url: SideUrl,
    policy: CallPolicy,
    headers: Vec<(HeaderName, Rendered)>,
    /// Of headers that are ignored: never sent, but who fails them is denied, as in the reference.
    ignored: Vec<Rendered>,
    forwarded: Vec<HeaderName>,
    /// What the message about a wrong status begins with.
    pub(crate) wrong_status: &'static str,
}

impl RemoteCall {
    /// Checks the settings both handlers have.
    pub(crate) fn bind(
        url: &str,
        headers: Option<&Node>,
        forwarded: &[String],
        retry: &RetryConfig,
        node: &Node,
        context: &BindContext<'_>,
    ) -> Result<Self, Diagnostic> {
        let url = side_url::read("remote", url, node, context)?;
        let mut sent = Vec::new();
        let mut ignored = Vec::new();
        for rendered in headers.map(|map| Rendered::compile_all(map, context)).transpose()?.unwrap_or_default() {
            let place = &rendered.place.origin;
            let Some(name) = header_name(&rendered.name, place, context)? else {
                ignored.push(rendered);
                continue;
            };
            if let Some(Err(_)) = rendered.template.constant().map(HeaderValue::from_str) {
                let text =
                    format!("the value of `{}` holds characters that are not allowed in a header", rendered.name);
                let hint = "look for a line break at the end of the secret";
                return Err(Diagnostic::error(text).at(place).hint(hint));
            }
            sent.push((name, rendered));
        }
        ignored.retain(Rendered::is_per_request);
        let place = node.origin_of("forward_response_headers_to_upstream");
        if let Some((_, twice)) = forwarded.iter().enumerate().find(|(index, name)| forwarded[..*index].contains(name))
        {
            let finding = Diagnostic::error(format!("`forward_response_headers_to_upstream` names `{twice}` twice"));
            return Err(finding.at(place));
        }
        let forwarded = forwarded.iter().filter_map(|name| header_name(name, place, context).transpose());
        let forwarded = forwarded.collect::<Result<_, _>>()?;
        if retry.max_delay.is_some() {
            let text = "`retry.max_delay` has no effect, as in Oathkeeper: an attempt may take 10 s";
            context.warn(Diagnostic::warning(text).at(node.origin_of("retry.max_delay")).hint("remove it"));
        }
        let place = ("retry.give_up_after", node);
        let max_wait = bounded(retry.give_up_after, Duration::from_secs(1), MAX_WAIT, place, context);
        Ok(Self {
            side: context.outside.side.clone(),
            url,
            policy: CallPolicy {
                attempts: 5,
                attempt_timeout: Duration::from_secs(10),
                first_wait: Duration::from_secs(1),
                max_wait,
                max_body: CallPolicy::ONCE.max_body,
            },
            headers: sent,
            ignored,
            forwarded,
            wrong_status: "",
        })
    }

    /// Whether a header reads the capture groups of the rule's pattern.
    pub(crate) fn reads_captures(&self) -> bool {
        let sent = self.headers.iter().map(|(_, rendered)| rendered);
        sent.chain(&self.ignored).any(|rendered| rendered.template.reads_captures())
    }

    pub(crate) fn sets_headers(&self) -> bool {
        !self.forwarded.is_empty()
    }

    /// Asks. Only 200 allows; then the listed headers of the answer become the session's, empty ones
    /// included, so that a caller's own header of that name never passes for the authorizer's.
    pub(crate) async fn authorize(
        &self,
        request: &GatedRequest,
        session: &mut Session,
        content_type: HeaderValue,
        body: Bytes,
    ) -> Result<(), Denial> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, content_type);
        if let Some(authorization) = request.headers().get(AUTHORIZATION).filter(|value| !value.is_empty()) {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        for rendered in &self.ignored {
            rendered.render(request, session)?;
        }
        for (name, rendered) in &self.headers {
            let text = rendered.render(request, session)?;
            if text.is_empty() {
                continue;
            }
            let mut value =
                HeaderValue::from_str(trimmed(&text)).map_err(|_| self.failed("a rendered header is not usable"))?;
            value.set_sensitive(rendered.template.is_sensitive());
            headers.insert(name.clone(), value);
        }
        self.url.authorize(&mut headers);
        let call = SideRequest { method: Method::POST, url: self.url.whole(), headers, body };
        let answer = self.side.call(call, &self.policy).await.map_err(|error| self.failed(&error.to_string()))?;
        match answer.status {
            StatusCode::OK => {}
            StatusCode::FORBIDDEN => return Err(Denial::forbidden(Reason::Denied)),
            status => {
                let code = status.as_u16();
                let told = format!("{}expected status code 200 but got {code}", self.wrong_status);
                return Err(self.failed(&format!("status {code}")).because("").told(told));
            }
        }
        for name in &self.forwarded {
            let value = answer.headers.get(name).cloned().unwrap_or(HeaderValue::from_static(""));
            session.set_header(name.clone(), value);
        }
        Ok(())
    }

    fn failed(&self, what: &str) -> Denial {
        let shown = self.url.shown();
        Denial::internal(Reason::SideServiceFailed, format!("remote authorizer `{shown}`: {what}")).because("")
    }
}

/// A header that can be set; `None` for one of the connection's own, as in the reference for the most part.
fn header_name(name: &str, place: &Origin, context: &BindContext<'_>) -> Result<Option<HeaderName>, Diagnostic> {
    let parsed = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| Diagnostic::error(format!("`{name}` is not a header name")).at(place))?;
    if is_framing(&parsed) {
        context.warn(Diagnostic::warning(format!("`{name}` belongs to the connection and is ignored")).at(place));
        return Ok(None);
    }
    Ok(Some(parsed))
}
