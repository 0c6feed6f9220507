//! The token that this proxy itself shows to an introspection endpoint: fetched when first needed, shared,
//! and replaced ten seconds before it expires.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::HeaderValue;
use http::StatusCode;
use keyward_core::pipeline::denial::{Denial, Reason};
use keyward_core::ports::{CallPolicy, Outside, SideClient};
use zeroize::Zeroizing;

use super::basic::ClientCredentials;
use super::token_endpoint::{self, ClientStyle, IssuedToken, Refusal, TokenEndpoint};
use crate::lookup_cache::{Found, LookupCache, LookupKey};

/// As the reference: a token this close to its end is not used any more.
const MARGIN: Duration = Duration::from_secs(10);

/// The source of that token.
pub(crate) struct PreAuthorization {
    endpoint: TokenEndpoint,
    client: ClientCredentials,
    /// Which way of identifying the client worked; the header until one did.
    by_form: AtomicBool,
    tokens: LookupCache<HeaderValue>,
    /// There is one token only.
    key: LookupKey,
    side: Arc<dyn SideClient>,
}

impl PreAuthorization {
    pub(crate) fn new(endpoint: TokenEndpoint, client: ClientCredentials, outside: &Outside) -> Self {
        let tokens = LookupCache::new(1, outside);
        let key = tokens.key([""]);
        Self { endpoint, client, by_form: AtomicBool::new(false), tokens, key, side: outside.side.clone() }
    }

    /// The `Authorization` header to send.
    pub(crate) async fn header(&self) -> Result<HeaderValue, Denial> {
        match self.tokens.fresh(&self.key) {
            Some(header) => Ok(header),
            None => self.tokens.look_up(&self.key, self.fetch()).await.map_err(|denial| (*denial).clone()),
        }
    }

    /// The endpoint that it is for does not accept the token any more: the next look-up fetches another.
    pub(crate) fn forget(&self) {
        self.tokens.forget(&self.key);
    }

    async fn fetch(&self) -> Result<Found<HeaderValue>, Denial> {
        let style = if self.by_form.load(Ordering::Relaxed) { ClientStyle::Form } else { ClientStyle::Header };
        let mut outcome = self.ask(style).await?;
        if style == ClientStyle::Header && outcome.as_ref().is_err_and(may_be_about_style) {
            // Some endpoints read the form only (RFC 6749 section 2.3.1).
            outcome = self.ask(ClientStyle::Form).await?;
            self.by_form.store(outcome.is_ok(), Ordering::Relaxed);
        }
        let token = outcome.map_err(|refusal| self.failed(&refusal.told().replace('\n', ", ")))?;
        let header = self.present(&token)?;
        let lifetime = token.lifetime.map_or(Duration::MAX, |lifetime| lifetime.saturating_sub(MARGIN));
        Ok(Found { value: header, lifetime, bytes: 0 })
    }

    /// `Err` when there was no answer at all.
    async fn ask(&self, style: ClientStyle) -> Result<Result<IssuedToken, Refusal>, Denial> {
        let answer = self.side.call(self.endpoint.request(&self.client, style), &CallPolicy::ONCE).await;
        answer.map(|answer| token_endpoint::read(&answer)).map_err(|error| self.failed(&error.to_string()))
    }

    fn present(&self, token: &IssuedToken) -> Result<HeaderValue, Denial> {
        let text = Zeroizing::new(format!("{} {}", scheme(&token.token_type), token.access_token.expose()));
        let mut header =
            HeaderValue::from_str(text.trim()).map_err(|_| self.failed("the token does not fit into a header"))?;
        header.set_sensitive(true);
        Ok(header)
    }

    fn failed(&self, what: &str) -> Denial {
        let detail = format!("no pre-authorization token from `{}`: {what}", self.endpoint.service.shown());
        Denial::internal(Reason::SideServiceFailed, detail)
    }
}

/// The authentication scheme for a type of token; one that is not known is taken for one, as in the reference.
fn scheme(token_type: &str) -> &str {
    match token_type.to_ascii_lowercase().as_str() {
        "" | "bearer" => "Bearer",
        "mac" => "MAC",
        "basic" => "Basic",
        _ => token_type,
    }
}

/// An answer that another way of identifying the client could change.
fn may_be_about_style(refusal: &Refusal) -> bool {
    match refusal {
        Refusal::Refused { status, .. } => !status.is_redirection() && *status != StatusCode::TOO_MANY_REQUESTS,
        Refusal::NoToken | Refusal::Unreadable(_) => true,
    }
}
