//! What `X-Forwarded-*` describe to the decision API is judged as the proxy would judge the request itself.

use http::request::Parts;
use http::{HeaderValue, Method, Uri};
use keyward_core::gate::{Arrival, GatePolicy, admit, admit_forwarded};

use crate::head::Arrived;

pub(crate) fn check(data: &[u8]) {
    let Some(arrived) = Arrived::read(data) else { return };
    let arrival = Arrival { violation: None, ..arrived.arrival(false) };
    let policy = GatePolicy::default();
    let Ok(seen) = admit_forwarded(arrived.head.clone(), &arrival, &policy) else { return };
    let url = seen.url();
    assert!(url.bytes().all(|byte| byte.is_ascii_graphic()), "{url}");
    assert!(seen.path().is_empty() || seen.path().starts_with('/'), "{url}");
    if let Some(method) = arrived.head.headers.get("x-forwarded-method").filter(|method| !method.is_empty()) {
        assert_eq!(seen.method().as_str().as_bytes(), method.as_bytes());
    }
    let Some(mut described) = described(&arrived.head, seen.path()) else { return };
    let is_tls = seen.scheme().as_str() == "https";
    let direct = admit(&mut described, &Arrival { tls: is_tls, ..arrival }, &policy);
    let direct = direct.unwrap_or_else(|reason| panic!("{url} is refused when it comes itself: {reason:?}"));
    assert_eq!((direct.url(), direct.has_encoded_slash()), (url, seen.has_encoded_slash()));
}

/// The request that its headers describe, where it can be made at all: the host as it is written, the path as it was
/// read, and nothing else.
fn described(head: &Parts, path: &str) -> Option<Parts> {
    let host = head.headers.get("x-forwarded-host").filter(|host| !host.is_empty()).or(head.headers.get("host"))?;
    let is_own = head.uri.authority().is_some() && !head.headers.contains_key("x-forwarded-host");
    if path.is_empty() || is_own {
        return None;
    }
    let mut described = http::Request::new(()).into_parts().0;
    described.method = Method::GET;
    described.uri = path.parse::<Uri>().ok()?;
    described.headers.insert("host", HeaderValue::from_bytes(host.as_bytes()).ok()?);
    Some(described)
}
