//! Who is asking: what authenticators establish, authorizers read, and mutators turn into headers.

pub(crate) mod spent;

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};

use crate::caller::Caller;
use crate::members::Members;
use crate::template::url;

/// The session of one request (pipeline spec 1.6). Its caller is shared with the verified-token cache.
#[derive(Clone, Debug, Default)]
pub struct Session {
    /// Who asks, for rules and for the audit record.
    pub caller: Arc<Caller>,
    /// Everything else the authenticator learned.
    pub extra: Extra,
    /// What will be set on the upstream request, or answered by the decision API.
    pub header: HeaderMap,
    /// Capture groups of the rule's pattern, filled only when a handler of the rule reads them.
    pub captures: Vec<String>,
    /// Cookies to set on the upstream request, when `sets_cookies`.
    pub cookies: Vec<SessionCookie>,
    /// A `cookie` mutator ran: the `Cookie` header is composed anew, from `cookies` and from those of
    /// the request's that are not named there.
    pub sets_cookies: bool,
    /// The `noop` mutator ran: the decision API answers with the request's own headers.
    pub echoes_request: bool,
    /// What templates see of the request instead of the request itself: the `hydrator` mutator replaced it.
    pub match_context: Option<Arc<MatchContext>>,
}

/// The match context of a session that was replaced as a whole (pipeline spec 1.6); its capture groups are
/// those of the session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MatchContext {
    /// The method.
    pub method: String,
    /// The URL; `None` where the reference has a null pointer.
    pub url: Option<MatchUrl>,
    /// Request headers.
    pub header: HeaderMap,
}

/// The URL of a [`MatchContext`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MatchUrl {
    /// The scheme.
    pub scheme: String,
    /// Host and port.
    pub host: String,
    /// The path, percent-encoded.
    pub path: String,
    /// The query, without `?`.
    pub raw_query: String,
    /// A question mark with nothing behind it.
    pub force_query: bool,
}

impl MatchUrl {
    /// A path, percent-encoded: as it was written, where that says the same as the decoded text.
    pub fn written_path(decoded: &str, written: &str) -> String {
        String::from_utf8_lossy(&url::written_path(decoded, written)).into_owned()
    }
}

/// A cookie to set on the upstream request, ready to be sent.
#[derive(Clone)]
pub struct SessionCookie {
    /// Its name.
    pub name: String,
    /// Its value, cleaned and quoted.
    pub value: String,
    /// The value holds a secret.
    pub sensitive: bool,
}

impl std::fmt::Debug for SessionCookie {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}=[redacted]", self.name)
    }
}

/// What `.Extra` of a session is.
#[derive(Clone, Debug, Default)]
pub enum Extra {
    /// The reference has a null map.
    #[default]
    Null,
    /// Everything that the caller's credential says.
    OfCaller,
    /// What was put in its place.
    Own(Arc<Members>),
}

impl From<Map<String, Value>> for Extra {
    fn from(members: Map<String, Value>) -> Self {
        Self::Own(Arc::new(members.into()))
    }
}

impl Session {
    /// A session that knows nothing but the subject.
    pub fn of(subject: &str) -> Self {
        const NONE: &[&str] = &[];
        Self::of_caller(Arc::new(Caller::new(subject, None, NONE, NONE)), Extra::Null)
    }

    /// The session of a caller whose credential was read before, and is shared with whoever remembers it.
    pub fn of_caller(caller: Arc<Caller>, extra: Extra) -> Self {
        Self {
            caller,
            extra,
            header: HeaderMap::new(),
            captures: Vec::new(),
            cookies: Vec::new(),
            sets_cookies: false,
            echoes_request: false,
            match_context: None,
        }
    }

    /// Everything else the authenticator learned; `None` where the reference has a null map.
    pub fn extra(&self) -> Option<&Members> {
        match &self.extra {
            Extra::Null => None,
            Extra::OfCaller => Some(self.caller.extra()),
            Extra::Own(members) => Some(members),
        }
    }

    /// Sets a header, replacing every earlier value of that name.
    pub fn set_header(&mut self, name: HeaderName, value: HeaderValue) {
        if name == http::header::COOKIE {
            self.sets_cookies = false;
            self.cookies.clear();
        }
        if self.header.capacity() == 0 {
            self.header = spent::take();
        }
        self.header.insert(name, value);
    }

    /// Sets a cookie, replacing an earlier one of that name.
    pub fn set_cookie(&mut self, cookie: SessionCookie) {
        self.header.remove(http::header::COOKIE);
        self.cookies.retain(|earlier| earlier.name != cookie.name);
        self.cookies.push(cookie);
    }
}
