//! Asking a session store who a caller is, as `cookie_session` and `bearer_token` do (pipeline spec 2.0.2).

use std::collections::BTreeMap;
use std::sync::Arc;

use http::header::{ACCEPT_ENCODING, AUTHORIZATION};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use keyward_core::diagnostic::Diagnostic;
use keyward_core::document::Node;
use keyward_core::gate::GatedRequest;
use keyward_core::pipeline::denial::{Denial, Reason};
use keyward_core::pipeline::{BindContext, CredentialLocation};
use keyward_core::ports::{CallPolicy, SideAnswer, SideClient, SideError, SideRequest};
use keyward_core::session::{Extra, Session};
use keyward_core::side_url::SideUrl;
use keyward_core::strict_json;
use serde_json::Value;

use crate::decoder_text;
use crate::framing::is_framing;
use crate::gjson::Path;
use crate::rate_limit::too_many_requests;
use crate::side_url;

const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Where the session's extra data stands in an answer, unless the settings say otherwise.
const EXTRA_FROM: &str = "extra";

/// [`EXTRA_FROM`], for settings.
pub(crate) fn default_extra_from() -> String {
    EXTRA_FROM.to_owned()
}

/// `preserve_query` is on unless the settings say otherwise.
pub(crate) fn default_preserve_query() -> bool {
    true
}

/// What both handlers are configured with.
pub(crate) struct StoreConfig<'c> {
    pub(crate) check_session_url: &'c str,
    pub(crate) preserve_path: bool,
    pub(crate) preserve_query: bool,
    pub(crate) preserve_host: bool,
    pub(crate) force_method: &'c str,
    pub(crate) forward_http_headers: &'c [String],
    pub(crate) additional_headers: &'c BTreeMap<String, String>,
    /// Empty means the default, as `extra_from` does.
    pub(crate) subject_from: &'c str,
    pub(crate) default_subject_from: &'c str,
    pub(crate) extra_from: &'c str,
    /// The header that carries the session, forwarded whether it is listed or not.
    pub(crate) carrier: HeaderName,
}

/// A session store, ready to be asked.
pub(crate) struct SessionStore {
    side: Arc<dyn SideClient>,
    url: SideUrl,
    preserve_path: bool,
    preserve_query: bool,
    preserve_host: bool,
    method: Option<Method>,
    forwarded: Vec<HeaderName>,
    additional: HeaderMap,
    subject: Path,
    extra: Path,
}

impl SessionStore {
    /// Checks the settings; messages name their places in `node`.
    pub(crate) fn bind(config: &StoreConfig<'_>, node: &Node, context: &BindContext<'_>) -> Result<Self, Diagnostic> {
        let url = side_url::read("check_session_url", config.check_session_url, node, context)?;
        let path = |key: &str, text: &str, default: &str| {
            Path::compile(if text.is_empty() { default } else { text })
                .map_err(|problem| Diagnostic::error(format!("`{key}`: {problem}")).at(node.origin_of(key)))
        };
        let method = match config.force_method {
            "" => None,
            name => match Method::from_bytes(name.as_bytes()) {
                Ok(method) if method != Method::CONNECT => Some(method),
                _ => {
                    let finding = Diagnostic::error(format!("`force_method`: `{name}` is not a method to ask with"));
                    return Err(finding.at(node.origin_of("force_method")));
                }
            },
        };
        let is_sent = |name: &HeaderName, key: &str| {
            // As in the reference, which sends its own.
            let is_sent = !is_framing(name);
            if !is_sent {
                let finding =
                    Diagnostic::warning(format!("`{key}`: `{name}` belongs to the connection and is ignored"));
                context.warn(finding.at(node.origin_of(key)));
            }
            is_sent
        };
        let mut forwarded = vec![config.carrier.clone()];
        for name in config.forward_http_headers {
            let (key, place) = ("forward_http_headers", node.origin_of("forward_http_headers"));
            let name = header_name(name, key).map_err(|finding| finding.at(place))?;
            if name == ACCEPT_ENCODING {
                context.warn(
                    Diagnostic::warning(
                        "with `Accept-Encoding` the session store may compress its answer, which is then refused",
                    )
                    .at(place),
                );
            }
            if is_sent(&name, key) {
                forwarded.push(name);
            }
        }
        let mut additional = HeaderMap::new();
        for (name, value) in config.additional_headers {
            let (key, place) = ("additional_headers", node.origin_of("additional_headers"));
            let name = header_name(name, key).map_err(|finding| finding.at(place))?;
            let mut value = HeaderValue::from_str(value).map_err(|_| {
                Diagnostic::error(format!("`additional_headers`: the value of `{name}` is not usable")).at(place)
            })?;
            value.set_sensitive(true);
            if is_sent(&name, key) {
                additional.insert(name, value);
            }
        }
        Ok(Self {
            side: context.outside.side.clone(),
            url,
            preserve_path: config.preserve_path,
            preserve_query: config.preserve_query,
            preserve_host: config.preserve_host,
            method,
            forwarded,
            additional,
            subject: path("subject_from", config.subject_from, config.default_subject_from)?,
            extra: path("extra_from", config.extra_from, EXTRA_FROM)?,
        })
    }

    /// Asks about a request.
    pub(crate) async fn session(&self, request: &GatedRequest) -> Result<Session, Denial> {
        let call = self.request(request);
        let is_head = call.method == Method::HEAD;
        let answer = self.side.call(call, &CallPolicy::ONCE).await.map_err(|error| {
            let said = self.said(&error.to_string());
            match error {
                SideError::Cut(_) => Denial::internal(Reason::SideServiceFailed, said),
                _ => {
                    let told = "The session store could not be asked";
                    Denial::forbidden(Reason::SideServiceFailed).because(told).detail(said)
                }
            }
        })?;
        self.read(&answer, is_head)
    }

    /// Places of credentials besides the handler's own: what the store may tell callers by.
    pub(crate) fn credential_location(&self) -> Option<CredentialLocation> {
        self.sends(&AUTHORIZATION).then_some(CredentialLocation::Header(AUTHORIZATION))
    }

    /// Whether the caller's header of this name goes along.
    pub(crate) fn sends(&self, name: &HeaderName) -> bool {
        self.forwarded.contains(name)
    }

    /// Whether the caller's query goes along.
    pub(crate) fn sends_query(&self) -> bool {
        !self.preserve_query
    }

    /// The call. Nothing of the caller's request goes along but what is named here.
    fn request(&self, request: &GatedRequest) -> SideRequest {
        let mut url = self.url.origin().to_owned();
        url.push_str(if self.preserve_path { self.url.path() } else { request.path() });
        let query = if self.preserve_query { self.url.query() } else { request.query() };
        if let Some(query) = query {
            url.extend(["?", query]);
        }
        let mut headers = HeaderMap::new();
        for name in &self.forwarded {
            if !headers.contains_key(name) {
                for value in request.headers().get_all(name) {
                    headers.append(name, value.clone());
                }
            }
        }
        for (name, value) in &self.additional {
            headers.insert(name, value.clone());
        }
        if self.preserve_host
            && let Ok(host) = HeaderValue::from_str(request.authority())
        {
            headers.insert(FORWARDED_HOST, host);
        }
        self.url.authorize(&mut headers);
        let method = self.method.as_ref().unwrap_or(request.method()).clone();
        SideRequest { method, url, headers, body: bytes::Bytes::new() }
    }

    fn read(&self, answer: &SideAnswer, is_head: bool) -> Result<Session, Denial> {
        match answer.status {
            StatusCode::OK => {}
            StatusCode::TOO_MANY_REQUESTS => return Err(too_many_requests(&answer.headers, self.said("status 429"))),
            status => {
                let said = self.said(&format!("status {}", status.as_u16()));
                return Err(Denial::unauthorized(Reason::CredentialRefused).because("").detail(said));
            }
        }
        let refuse = |told: String, said: &str| {
            Denial::forbidden(Reason::SideServiceFailed).because(told).detail(self.said(said))
        };
        let document = strict_json::value(&answer.body).map_err(|_| {
            let said = match is_head {
                true => "the answer to `HEAD` has no body; set `force_method: GET`",
                false => "the answer is not JSON",
            };
            refuse("The session store's answer is not JSON".to_owned(), said)
        })?;
        let wrong = |key: &str, found: &Value, wanted: &str| {
            let why = decoder_text::of_value(found, wanted);
            let told = format!("The configured {key} GJSON path returned an error on JSON output: {why}");
            refuse(told, &format!("`{key}` finds {}", decoder_text::kind(found)))
        };
        let mut session = match self.subject.find(&document).as_deref() {
            None | Some(Value::Null) => Session::of(""),
            Some(Value::String(subject)) => Session::of(subject),
            Some(other) => return Err(wrong("subject_from", other, "string")),
        };
        session.extra = match self.extra.find(&document).as_deref() {
            None | Some(Value::Null) => Extra::Null,
            Some(Value::Object(extra)) => extra.clone().into(),
            Some(other) => return Err(wrong("extra_from", other, "map[string]interface {}")),
        };
        Ok(session)
    }

    fn said(&self, what: &str) -> String {
        format!("session store `{}`: {what}", self.url.shown())
    }
}

fn header_name(name: &str, key: &str) -> Result<HeaderName, Diagnostic> {
    HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| Diagnostic::error(format!("`{key}`: `{name}` is not a header name")))
}
