//! Cross-origin resource sharing on the proxy and the API (serving spec 3.5): answers preflights, and says
//! in other answers which pages may read them. No request is stopped by it: that is the browser's part.
//!
//! One difference from the reference: "every origin" together with credentials is answered with `*` and
//! without credentials. Echoing the origin would let every page of the world act as the person before it.

mod origin;
mod requested;

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

pub use self::origin::OriginPattern;
use self::requested::RequestedHeaders;

/// What a preflight is answered with.
pub const PREFLIGHT_STATUS: StatusCode = StatusCode::NO_CONTENT;

/// What callers of other origins may do.
#[derive(Clone, Debug)]
pub struct CorsPolicy {
    /// `None` is every origin.
    origins: Option<Vec<OriginPattern>>,
    methods: Vec<Method>,
    headers: RequestedHeaders,
    exposed: Option<HeaderValue>,
    credentials: bool,
    max_age: Option<HeaderValue>,
}

/// A policy as it is written, with the reference's defaults filled in.
#[derive(Clone, Debug)]
pub struct CorsSettings {
    /// `*`, exact origins, or one `*` before a registrable domain. Empty is every origin.
    pub origins: Vec<String>,
    /// Methods besides OPTIONS.
    pub methods: Vec<Method>,
    /// Names that a preflight may ask for; `*` is any.
    pub headers: Vec<String>,
    /// Names that a page may read of an answer.
    pub exposed: Vec<String>,
    /// Cookies and the like may be sent.
    pub credentials: bool,
    /// Seconds a preflight's answer may be kept; 0 says nothing, less is 0.
    pub max_age: i64,
}

/// What a request is to CORS. The fields go into the answer, whatever it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The browser asks what would be allowed: answered here, with these fields and no body.
    Preflight(HeaderMap),
    /// A request like any other; these fields belong into its answer.
    Actual(HeaderMap),
}

impl CorsPolicy {
    /// Origins that no request could have are left out; the configuration's check warns of them.
    pub fn new(settings: &CorsSettings) -> Self {
        let every = settings.origins.is_empty() || settings.origins.iter().any(|origin| origin == "*");
        let patterns = settings.origins.iter().filter_map(|origin| OriginPattern::parse(origin).ok());
        let exposed = settings.exposed.iter().map(|name| canonical(name)).collect::<Vec<_>>().join(", ");
        Self {
            origins: (!every).then(|| patterns.collect()),
            methods: settings.methods.clone(),
            headers: RequestedHeaders::new(&settings.headers),
            exposed: HeaderValue::try_from(exposed).ok().filter(|value| !value.is_empty()),
            credentials: settings.credentials,
            max_age: (settings.max_age != 0).then(|| HeaderValue::from(settings.max_age.max(0))),
        }
    }

    /// Judges a request by its method and headers.
    pub fn judge(&self, method: &Method, headers: &HeaderMap) -> Verdict {
        match headers.get(ACCESS_CONTROL_REQUEST_METHOD).filter(|name| !name.is_empty() && method == Method::OPTIONS) {
            Some(wanted) => Verdict::Preflight(self.preflight(wanted, headers)),
            None => Verdict::Actual(self.actual(method, headers)),
        }
    }

    fn preflight(&self, wanted: &HeaderValue, headers: &HeaderMap) -> HeaderMap {
        const VARIES: &str = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";
        let mut answer = HeaderMap::new();
        answer.insert(VARY, HeaderValue::from_static(VARIES));
        let asked: Vec<&HeaderValue> = headers.get_all(ACCESS_CONTROL_REQUEST_HEADERS).iter().collect();
        if !self.allows_method(wanted.as_bytes()) || !self.headers.allow(&asked) {
            return answer;
        }
        if !self.allow_origin(headers, &mut answer) {
            return answer;
        }
        answer.insert(ACCESS_CONTROL_ALLOW_METHODS, wanted.clone());
        // An empty first line is as good as none.
        for names in asked.iter().filter(|_| !asked[0].is_empty()) {
            answer.append(ACCESS_CONTROL_ALLOW_HEADERS, (*names).clone());
        }
        if let Some(max_age) = &self.max_age {
            answer.insert(ACCESS_CONTROL_MAX_AGE, max_age.clone());
        }
        answer
    }

    fn actual(&self, method: &Method, headers: &HeaderMap) -> HeaderMap {
        let mut answer = HeaderMap::new();
        answer.insert(VARY, HeaderValue::from_static("Origin"));
        if self.allows_method(method.as_str().as_bytes())
            && self.allow_origin(headers, &mut answer)
            && let Some(exposed) = &self.exposed
        {
            answer.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed.clone());
        }
        answer
    }

    /// OPTIONS is always acceptable, as in the reference.
    fn allows_method(&self, name: &[u8]) -> bool {
        name == b"OPTIONS" || self.methods.iter().any(|method| method.as_str().as_bytes() == name)
    }

    /// Adds origin and credentials when the request's origin is allowed.
    fn allow_origin(&self, headers: &HeaderMap, answer: &mut HeaderMap) -> bool {
        let Some(origin) = headers.get(ORIGIN).filter(|origin| !origin.is_empty()) else { return false };
        match &self.origins {
            None if self.credentials => {
                answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
                return true;
            }
            None => {}
            Some(patterns) if patterns.iter().any(|pattern| pattern.allows(origin.as_bytes())) => {}
            Some(_) => return false,
        }
        answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        if self.credentials {
            answer.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        true
    }
}

/// Puts a verdict's fields into an answer. An upstream's own CORS fields go: there can be one policy only,
/// and a browser refuses an answer with two.
pub fn apply(fields: HeaderMap, answer: &mut HeaderMap) {
    for name in [
        ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_ALLOW_CREDENTIALS,
        ACCESS_CONTROL_ALLOW_HEADERS,
        ACCESS_CONTROL_ALLOW_METHODS,
        ACCESS_CONTROL_EXPOSE_HEADERS,
        ACCESS_CONTROL_MAX_AGE,
    ] {
        answer.remove(name);
    }
    let mut latest: Option<HeaderName> = None;
    for (name, value) in fields {
        latest = name.or(latest);
        if let Some(name) = &latest {
            answer.append(name, value);
        }
    }
}

/// `x-one` as `X-One`.
fn canonical(name: &str) -> String {
    let mut upper = true;
    let written = name.chars().map(|c| {
        let shown = if upper { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
        upper = c == '-';
        shown
    });
    written.collect()
}

#[cfg(test)]
mod tests;
