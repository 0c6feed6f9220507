//! The issuer's endpoints: its key set, and tokens (RFC 6749 section 4.4, or open).

use std::borrow::Cow;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Collected, Full, Limited};
use hyper::body::Incoming;
use keyward_core::diagnostic::Diagnostic;
use keyward_core::ports::{SecretSource, UnixTime};
use serde_json::json;
use zeroize::Zeroizing;

use super::clients::{Client, Clients};
use super::keys::SigningKeys;
use super::settings::{IssuerMode, IssuerSettings};
use super::token::{TokenRequest, sign};
use crate::http_server::{self, Handler, json as json_answer};

/// The largest token request.
const MAX_BODY: usize = 16 * 1024;
/// How long its body may take.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// What the document's issuer gives when nothing is said.
const OPEN_SCOPE: &str = "jira:read";
const OPEN_TTL: i64 = 900;

/// A running issuer.
pub struct Issuer {
    url: String,
    audience: String,
    keys: SigningKeys,
    access: Access,
}

enum Access {
    Open { max_ttl: Duration },
    Closed(Clients),
}

/// An error of RFC 6749 section 5.2: its code, and a sentence for the developer.
struct TokenError(StatusCode, &'static str, &'static str);

type Parameters = Vec<(String, Zeroizing<String>)>;

impl Issuer {
    /// Looks up what the settings name: keys and client secrets.
    pub fn new(settings: &IssuerSettings, secrets: &dyn SecretSource) -> Result<Self, Diagnostic> {
        Self::with_keys(settings, SigningKeys::load(&settings.keys)?, secrets)
    }

    /// An issuer with given keys.
    pub fn with_keys(
        settings: &IssuerSettings,
        keys: SigningKeys,
        secrets: &dyn SecretSource,
    ) -> Result<Self, Diagnostic> {
        let access = match &settings.mode {
            IssuerMode::Open { max_ttl } => Access::Open { max_ttl: *max_ttl },
            IssuerMode::Closed { clients } => Access::Closed(Clients::load(clients, secrets)?),
        };
        Ok(Self { url: settings.url.clone(), audience: settings.audience.clone(), keys, access })
    }

    /// The keys it signs with.
    pub fn keys(&self) -> &SigningKeys {
        &self.keys
    }

    /// Its endpoints.
    pub fn handler(self: Rc<Self>) -> Handler {
        Rc::new(move |request, _| {
            let issuer = self.clone();
            Box::pin(async move { issuer.answer(request).await })
        })
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        match (request.method(), request.uri().path()) {
            (&Method::GET | &Method::HEAD, "/.well-known/jwks.json") => {
                let mut answer = json_answer(StatusCode::OK, self.keys.published());
                answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=30"));
                answer
            }
            (&Method::GET | &Method::HEAD, "/health/alive") => json_answer(StatusCode::OK, &json!({"status": "ok"})),
            (&Method::POST, "/token") => self.token(request).await,
            (_, "/token" | "/.well-known/jwks.json") => {
                http_server::plain(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n")
            }
            _ => http_server::plain(StatusCode::NOT_FOUND, "not found\n"),
        }
    }

    async fn token(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let body = match &self.access {
            Access::Open { .. } => Ok(Bytes::new()),
            Access::Closed(_) => form(&head.headers, body).await,
        };
        match body {
            Ok(body) => self.token_answer(&head, &body),
            Err(error) => never_stored(error.into_response()),
        }
    }

    /// The answer to a request for a token whose body, a form, is at hand.
    pub fn token_answer(&self, head: &Parts, body: &[u8]) -> Response<Full<Bytes>> {
        let granted = match &self.access {
            Access::Open { max_ttl } => self.open(&parameters(head.uri.query().unwrap_or_default()), *max_ttl),
            Access::Closed(clients) => std::str::from_utf8(body)
                .map_err(|_| TokenError::invalid("the body is not UTF-8"))
                .and_then(|form| self.closed(clients, &head.headers, &parameters(form))),
        };
        let answer = granted
            .and_then(|granted| {
                let token = sign(self.keys.current(), &granted, now())
                    .map_err(|_| TokenError(StatusCode::INTERNAL_SERVER_ERROR, "server_error", "signing failed"))?;
                tracing::info!(subject = granted.subject, scope = granted.scope, ttl = granted.ttl, "token issued");
                Ok(json_answer(
                    StatusCode::OK,
                    &json!({
                        "access_token": token,
                        "expires_in": granted.ttl,
                        "token_type": "Bearer",
                        "scope": granted.scope,
                    }),
                ))
            })
            .unwrap_or_else(TokenError::into_response);
        never_stored(answer)
    }

    /// The document's issuer: query parameters `sub`, `scope`, `ttl`.
    fn open(&self, parameters: &Parameters, max_ttl: Duration) -> Result<TokenRequest, TokenError> {
        let Some(subject) = single(parameters, "sub")?.filter(|subject| !subject.is_empty()) else {
            return Err(TokenError::invalid("the query parameter `sub` is missing"));
        };
        let ttl = match single(parameters, "ttl")? {
            None => OPEN_TTL,
            Some(text) => text.parse().map_err(|_| TokenError::invalid("`ttl` is not a number of seconds"))?,
        };
        if ttl > seconds(max_ttl) {
            return Err(TokenError::invalid("`ttl` is longer than this issuer allows"));
        }
        Ok(TokenRequest {
            issuer: self.url.clone(),
            subject: subject.to_owned(),
            audience: self.audience.clone(),
            scope: single(parameters, "scope")?.unwrap_or(OPEN_SCOPE).to_owned(),
            ttl,
        })
    }

    fn closed(&self, clients: &Clients, headers: &HeaderMap, form: &Parameters) -> Result<TokenRequest, TokenError> {
        let client = authenticate(clients, headers, form)?;
        match single(form, "grant_type")? {
            Some("client_credentials") => {}
            Some(_) => {
                let text = "only `client_credentials` is supported";
                return Err(TokenError(StatusCode::BAD_REQUEST, "unsupported_grant_type", text));
            }
            None => return Err(TokenError::invalid("`grant_type` is missing")),
        }
        let scope = match single(form, "scope")? {
            None | Some("") => client.scopes.join(" "),
            Some(asked) if asked.split(' ').all(|one| client.scopes.iter().any(|granted| granted == one)) => {
                asked.to_owned()
            }
            Some(_) => {
                let text = "a requested scope is not granted to this client";
                return Err(TokenError(StatusCode::BAD_REQUEST, "invalid_scope", text));
            }
        };
        let longest = seconds(client.max_ttl);
        let ttl = match single(form, "ttl")? {
            None => longest,
            Some(text) => match text.parse::<i64>() {
                Ok(ttl) if (1..=longest).contains(&ttl) => ttl,
                _ => return Err(TokenError::invalid("`ttl` is not a number of seconds that this client may ask for")),
            },
        };
        Ok(TokenRequest {
            issuer: self.url.clone(),
            subject: client.subject.clone(),
            audience: client.audience.clone().unwrap_or_else(|| self.audience.clone()),
            scope,
            ttl,
        })
    }
}

/// `client_secret_basic` or `client_secret_post`, never both (RFC 6749 section 2.3.1).
fn authenticate<'c>(clients: &'c Clients, headers: &HeaderMap, form: &Parameters) -> Result<&'c Client, TokenError> {
    let refused = || TokenError(StatusCode::UNAUTHORIZED, "invalid_client", "client authentication failed");
    let posted = single(form, "client_secret")?;
    let Some(header) = headers.get(AUTHORIZATION) else {
        let id = single(form, "client_id")?.ok_or_else(refused)?;
        return clients.authenticate(id, posted.ok_or_else(refused)?).ok_or_else(refused);
    };
    if posted.is_some() {
        return Err(TokenError::invalid("the client authenticates in two ways at once"));
    }
    let (scheme, encoded) = header.to_str().ok().and_then(|text| text.split_once(' ')).ok_or_else(refused)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(refused());
    }
    let decoded = STANDARD.decode(encoded.trim()).map(Zeroizing::new).map_err(|_| refused())?;
    let text = std::str::from_utf8(&decoded).map_err(|_| refused())?;
    let (id, secret) = text.split_once(':').ok_or_else(refused)?;
    let (id, secret) = (unescape(id), Zeroizing::new(unescape(secret).into_owned()));
    clients.authenticate(&id, &secret).ok_or_else(refused)
}

/// Both halves of the Basic credential are form-encoded first (RFC 6749 section 2.3.1). What does not
/// look encoded is taken as it is, since many clients forget.
fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let pair = form_urlencoded::parse(text.as_bytes()).next();
    pair.map_or(Cow::Borrowed(text), |(decoded, _)| Cow::Owned(decoded.into_owned()))
}

/// Reads a form, with nothing but its length and the time it takes checked.
async fn form(headers: &HeaderMap, body: Incoming) -> Result<Bytes, TokenError> {
    let is_form = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.split(';').next().unwrap_or_default().trim() == "application/x-www-form-urlencoded");
    if !is_form {
        return Err(TokenError::invalid("the content type is not application/x-www-form-urlencoded"));
    }
    let body = tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, MAX_BODY).collect()).await;
    let body =
        body.map_err(|_| TokenError(StatusCode::REQUEST_TIMEOUT, "invalid_request", "the body took too long"))?;
    body.map(Collected::to_bytes).map_err(|_| TokenError::invalid("the body cannot be read"))
}

/// Tokens are nothing for caches (RFC 6749 section 5.1).
fn never_stored(mut answer: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

fn parameters(text: &str) -> Parameters {
    form_urlencoded::parse(text.as_bytes())
        .map(|(name, value)| (name.into_owned(), Zeroizing::new(value.into_owned())))
        .collect()
}

/// A parameter must not be given twice (RFC 6749 section 3.2).
fn single<'p>(parameters: &'p Parameters, name: &str) -> Result<Option<&'p str>, TokenError> {
    let mut found = parameters.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let first = found.next();
    if found.next().is_some() {
        return Err(TokenError::invalid("a parameter is given twice"));
    }
    Ok(first)
}

impl TokenError {
    fn invalid(text: &'static str) -> Self {
        Self(StatusCode::BAD_REQUEST, "invalid_request", text)
    }

    fn into_response(self) -> Response<Full<Bytes>> {
        let Self(status, code, text) = self;
        let mut answer = json_answer(status, &json!({"error": code, "error_description": text}));
        if status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Basic realm=\"keyward\", charset=\"UTF-8\"");
            answer.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        answer
    }
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

/// The time now.
pub fn now() -> UnixTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixTime(seconds(since))
}
