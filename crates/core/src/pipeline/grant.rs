//! From permission to the request that is sent: proof values that make skipping a step a type error.
//!
//! Only [`decide`](super::decide::decide) makes a [`Grant`]; only a grant makes a [`CredentialedRequest`];
//! only that can be forwarded.

use std::borrow::Cow;
use std::sync::Arc;

use http::header::{AUTHORIZATION, COOKIE, HOST, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::caller::Caller;
use crate::gate::{GatedRequest, keep_first_or_none};
use crate::pipeline::denial::{Denial, ErrorKind, Reason};
use crate::pipeline::{Authenticator, CredentialLocation, cookies, look_alikes};
use crate::rule::Rule;
use crate::rule::upstream::{Upstream, UpstreamOrigin};
use crate::session::{Session, spent};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Permission for one request under one rule.
#[derive(Debug)]
pub struct Grant {
    session: Session,
}

impl Grant {
    pub(super) fn new(session: Session) -> Self {
        Self { session }
    }

    /// Who was permitted.
    pub fn caller(&self) -> &Arc<Caller> {
        &self.session.caller
    }

    /// The headers the decision API answers with (serving spec 7.9): the session's, over the request's
    /// own when the `noop` mutator ran; never `Content-Length`.
    pub fn into_decision_headers(self, request: &GatedRequest, rule: &Rule) -> HeaderMap {
        let mut headers = self.session.composed_headers(request);
        if self.may_be_mimicked(request) {
            look_alikes::remove(&mut headers, &self.session.header, rule);
        }
        for (name, value) in first_values(self.session.header.into_iter()) {
            headers.insert(name, value);
        }
        headers.remove(http::header::CONTENT_LENGTH);
        headers
    }

    /// The request as it will be sent: the caller's credential removed, then the session's headers set.
    /// A denial gives the request back, to be answered.
    pub fn credential(
        self,
        request: GatedRequest,
        rule: &Rule,
    ) -> Result<CredentialedRequest, Box<(Denial, GatedRequest)>> {
        let Some(upstream) = rule.upstream() else {
            let denial = Denial::new(ErrorKind::Internal, Reason::NoUpstream)
                .detail("the matched rule has no `upstream.url`; it can only serve the decision API");
            let message = "Unable to forward the request because matched rule does not define an upstream URL";
            return Err(Box::new((denial.told(message), request)));
        };
        let upgrade = match request.upgrade() {
            Some(protocol) if !upstream.upgrade.iter().any(|allowed| allowed.eq_ignore_ascii_case(protocol)) => {
                let denial = Denial::forbidden(Reason::Denied).detail(
                    "the rule does not permit this upgrade; write `upstream.upgrade: [websocket]` for websockets",
                );
                return Err(Box::new((denial, request)));
            }
            Some(protocol) => HeaderValue::from_str(protocol).ok(),
            None => None,
        };
        let host = if upstream.preserve_host {
            HeaderValue::from_str(request.authority()).unwrap_or_else(|_| upstream.host().clone())
        } else {
            upstream.host().clone()
        };
        Ok(self.outgoing(request, rule, upstream, host, upgrade))
    }

    /// Whether one of the request's fields could look like one that is set here.
    fn may_be_mimicked(&self, request: &GatedRequest) -> bool {
        request.has_underscores() || self.session.header.keys().any(look_alikes::has_underscore)
    }

    /// Whether what is written into `Authorization` is something that the caller sent, and so no secret to it.
    fn gives_theirs_on(&self, request: &GatedRequest) -> bool {
        let mut written = self.session.header.iter().filter(|(name, _)| **name == AUTHORIZATION);
        let Some((_, value)) = written.next().filter(|(_, value)| !value.is_sensitive()) else { return false };
        let value = value.as_bytes();
        let is_part = |theirs: &[u8]| !theirs.is_empty() && (value.ends_with(theirs) || theirs.ends_with(value));
        request.headers().values().any(|theirs| is_part(theirs.as_bytes()))
    }

    fn outgoing(
        self,
        request: GatedRequest,
        rule: &Rule,
        upstream: &Upstream,
        host: HeaderValue,
        upgrade: Option<HeaderValue>,
    ) -> CredentialedRequest {
        let accepts_trailers = request.accepts_trailers();
        let may_be_mimicked = self.may_be_mimicked(&request);
        let strips = !upstream.forward_caller_credential;
        let locations = || rule.credential_locations().iter().filter(|_| strips);
        let hidden: Vec<&str> = locations()
            .filter_map(|location| match location {
                CredentialLocation::QueryParameter(name) => Some(name.as_str()),
                _ => None,
            })
            .collect();
        let target = match request.query() {
            Some(query) if !hidden.is_empty() => {
                upstream.target(request.path(), without_parameters(query, &hidden).as_deref())
            }
            query => upstream.target(request.path(), query),
        };
        let is_theirs = self.gives_theirs_on(&request);
        let (method, mut headers) = request.into_method_and_headers();
        for location in locations() {
            match location {
                CredentialLocation::Bearer => {
                    headers.remove(AUTHORIZATION);
                }
                CredentialLocation::Header(name) => {
                    headers.remove(name);
                }
                CredentialLocation::Cookie(name) => cookies::remove(&mut headers, name),
                CredentialLocation::QueryParameter(_) => {}
            }
        }
        if may_be_mimicked {
            look_alikes::remove(&mut headers, &self.session.header, rule);
        }
        let mut injected = Injected::default();
        if self.session.sets_cookies {
            let theirs: Vec<HeaderValue> = headers.get_all(COOKIE).iter().cloned().collect();
            headers.insert(COOKIE, cookies::compose(&self.session.cookies, &theirs));
            let ours = self.session.cookies.iter().filter(|cookie| cookie.sensitive);
            injected.extend(ours.filter_map(|cookie| HeaderValue::from_str(&cookie.value).ok()));
        }
        let mut set = self.session.header;
        for (name, value) in first_values(set.drain()) {
            if value.is_sensitive() || name == AUTHORIZATION && !is_theirs {
                injected.extend([value.clone()]);
            }
            headers.insert(name, value);
        }
        spent::keep(set);
        keep_first_or_none(&mut headers, &USER_AGENT);
        // Last: it was settled with the destination, and no mutator sets another.
        headers.insert(HOST, host);
        let origin = upstream.origin().clone();
        let outgoing = Box::new(Outgoing { method, origin, target, headers, upgrade, accepts_trailers });
        CredentialedRequest { outgoing, injected }
    }
}

impl Session {
    /// Its headers as later handlers see them: what is left to be composed included.
    pub fn shown_headers(&self, request: &GatedRequest) -> Cow<'_, HeaderMap> {
        if !self.echoes_request && !self.sets_cookies {
            return Cow::Borrowed(&self.header);
        }
        let mut shown = self.composed_headers(request);
        shown.extend(self.header.clone());
        Cow::Owned(shown)
    }

    /// What `noop` and `cookie` mutators left to be composed, out of the request's own headers.
    pub fn composed_headers(&self, request: &GatedRequest) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if self.echoes_request {
            // In Go the host is no header.
            for name in request.headers().keys().filter(|name| **name != HOST) {
                if let Some(value) = request.headers().get(name) {
                    headers.insert(name, value.clone());
                }
            }
        }
        if self.sets_cookies {
            let theirs: Vec<HeaderValue> = request.headers().get_all(COOKIE).iter().cloned().collect();
            headers.insert(COOKIE, cookies::compose(&self.cookies, &theirs));
        }
        headers
    }
}

/// A request that carries the real credential. Only a [`Grant`] makes one; the forwarder takes nothing else.
pub struct CredentialedRequest {
    /// Boxed, since it goes from hand to hand until it is sent.
    outgoing: Box<Outgoing>,
    injected: Injected,
}

impl CredentialedRequest {
    /// Which of its values are credentials that were put in here, and that its caller must not learn.
    pub fn injected(&self) -> &Injected {
        &self.injected
    }

    /// Makes it part of a trace, whatever its caller or its rule says of one (W3C Trace Context section 4.3): `parent` is
    /// the value of `traceparent`; `tracestate` stays behind unless it belongs to the same trace.
    pub fn join_trace(&mut self, parent: HeaderValue, keeps_state: bool) {
        let headers = &mut self.outgoing.headers;
        headers.insert(TRACEPARENT, parent);
        if !keeps_state {
            headers.remove(TRACESTATE);
        }
    }

    /// Takes it apart, to be sent.
    pub fn into_outgoing(self) -> Box<Outgoing> {
        self.outgoing
    }
}

/// The credentials in one request: values that hold a secret, and what mutators wrote into `Authorization`. Deliberately
/// without `Debug`.
#[derive(Default)]
pub struct Injected {
    /// Nearly no request has more than one, which takes no memory of its own.
    first: Option<HeaderValue>,
    more: Vec<HeaderValue>,
}

impl Extend<HeaderValue> for Injected {
    fn extend<T: IntoIterator<Item = HeaderValue>>(&mut self, values: T) {
        for value in values {
            match &self.first {
                Some(_) => self.more.push(value),
                None => self.first = Some(value),
            }
        }
    }
}

impl Injected {
    /// Each as it stands in its field; of cookies, the value alone.
    pub fn values(&self) -> impl Iterator<Item = &HeaderValue> {
        self.first.iter().chain(&self.more)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.first.is_none()
    }
}

/// The parts of a request to an upstream. Deliberately without `Debug`: headers hold the credential.
#[derive(Clone)]
pub struct Outgoing {
    /// The method.
    pub method: Method,
    /// Where it goes.
    pub origin: Arc<UpstreamOrigin>,
    /// Path and query in origin form.
    pub target: String,
    /// Final: with `Host`, which HTTP/2 sends as `:authority`; no hop-by-hop field.
    pub headers: HeaderMap,
    /// The protocol to upgrade to, when caller and rule want one.
    pub upgrade: Option<HeaderValue>,
    /// The caller said `TE: trailers`.
    pub accepts_trailers: bool,
}

/// Collects every place the authenticators of a rule can read a credential from.
pub(crate) fn credential_locations<'a>(
    authenticators: impl Iterator<Item = &'a dyn Authenticator>,
) -> Box<[CredentialLocation]> {
    let mut all: Vec<CredentialLocation> = Vec::new();
    for location in authenticators.flat_map(|handler| handler.credential_locations()) {
        if !all.contains(location) {
            all.push(location.clone());
        }
    }
    all.into()
}

/// The reference copies only the first value of each session header.
fn first_values(
    headers: impl Iterator<Item = (Option<HeaderName>, HeaderValue)>,
) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
    // What a `HeaderMap` gives up names only the first value of each header.
    headers.filter_map(|(name, value)| name.map(|name| (name, value)))
}

/// Drops the named parameters from a raw query and leaves every other byte alone. A pair that no authenticator
/// can read goes as well: an upstream might read it, and take what nobody checked for the credential.
fn without_parameters(query: &str, hidden: &[&str]) -> Option<String> {
    let is_hidden = |part: &str| {
        form_urlencoded::parse(part.as_bytes()).any(|(name, _)| hidden.iter().any(|hidden| *hidden == name))
    };
    let kept: Vec<&str> = query.split('&').filter(|pair| !pair.split(';').any(is_hidden)).collect();
    if kept.is_empty() { None } else { Some(kept.join("&")) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::gate::{Arrival, GatePolicy, admit};

    /// What came from the caller is no secret to it: it may come back in an answer.
    #[test]
    fn what_the_caller_sent_itself_is_told_from_what_is_put_in() {
        let rows: [(&'static str, &'static str, bool, &str, bool); 7] = [
            ("authorization", "Bearer abc", false, "abc", true),
            ("authorization", "abc", false, "Bearer abc", true),
            ("authorization", "Bearer abc", false, "Bearer abc", true),
            ("authorization", "Bearer abc", false, "other", false),
            ("authorization", "Bearer abc", false, "", false),
            ("authorization", "Bearer abc", true, "abc", false),
            ("x-other", "abc", false, "abc", false),
        ];
        for (name, value, sensitive, theirs, expected) in rows {
            let mut session = Session::default();
            let mut value = HeaderValue::from_static(value);
            value.set_sensitive(sensitive);
            session.set_header(HeaderName::from_static(name), value);
            let head = http::Request::builder().uri("/").header("host", "h").header("x-theirs", theirs);
            let (mut head, ()) = head.body(()).unwrap().into_parts();
            let arrival = Arrival { tls: false, peer: ([127, 0, 0, 1], 1).into(), violation: None };
            let request = admit(&mut head, &arrival, &GatePolicy::default()).unwrap();
            assert_eq!(Grant::new(session).gives_theirs_on(&request), expected, "{name} {theirs}");
        }
    }

    #[test]
    fn a_credential_in_the_query_is_removed_and_the_rest_keeps_its_bytes() {
        let rows = [
            ("token=abc", None),
            ("a=1&token=abc&b=%zz", Some("a=1&b=%zz")),
            ("a=1&%74oken=abc", Some("a=1")),
            ("tokens=1", Some("tokens=1")),
            ("token", None),
            ("a=1&token=x&token=y", Some("a=1")),
            ("token=x;y&token=abc&a=1", Some("a=1")),
            ("token=%zz&token=abc&a=1", Some("a=1")),
            ("b=1;token=x&token=abc&a=1;2", Some("a=1;2")),
        ];
        for (query, expected) in rows {
            assert_eq!(without_parameters(query, &["token"]).as_deref(), expected, "{query}");
        }
    }
}
