//! A URL of an upstream or of a side service leads where another reader of URLs would go, or is refused; what may be
//! shown of it holds no credential.

use http::Uri;
use keyward_core::redirect_target::RedirectTarget;
use keyward_core::rule::upstream::{Upstream, UpstreamOrigin};
use keyward_core::secret::shown_url;
use keyward_core::side_url::SideUrl;

pub(crate) fn check(data: &[u8]) {
    let Ok(written) = std::str::from_utf8(data) else { return };
    if let Ok(url) = SideUrl::parse(written) {
        let whole = url.whole();
        leads_to(&whole, url.destination());
        agrees_with_browsers(written, url.destination());
        assert_eq!(whole, format!("{}{}", url.origin(), url.target()), "{written}");
        assert!(is_target(&url.target()), "{written}: {whole}");
        assert!(!url.shown().contains(['?', '@']) || url.path().contains('@'), "{written}: {}", url.shown());
        assert!(url.authorization().is_none_or(|value| value.is_sensitive()), "{written}");
        // Once more it is the same, without what was hidden.
        let again = SideUrl::parse(&whole).unwrap_or_else(|problem| panic!("{written}: {whole}: {problem}"));
        assert_eq!((again.whole(), again.destination()), (whole, url.destination()), "{written}");
        assert!(again.authorization().is_none() && !again.has_fragment(), "{written}");
    }
    if let Ok(upstream) = Upstream::parse(written, "/strip") {
        let origin = upstream.origin();
        assert_eq!(upstream.host().as_bytes(), origin.authority().as_bytes(), "{written}");
        agrees_with_browsers(written, origin);
        for (path, query) in [("/", None), ("/strip/a%20b/", Some("x=1")), ("/stripped", Some(""))] {
            let target = upstream.target(path, query);
            assert!(is_target(&target), "{written}: {target}");
            leads_to(&format!("{}://{}{target}", origin.scheme.as_str(), origin.authority()), origin);
            let shown = upstream.url(path).to_string();
            let expected = format!("{}://{}{target}", origin.scheme.as_str(), origin.authority());
            assert_eq!(Some(&*shown), expected.split('?').next(), "{written}");
        }
    }
    if let Some(target) = RedirectTarget::parse(written) {
        assert!(!target.with_query("a=b").contains(['\r', '\n', '\0', '\\']), "{written}");
        // A fragment is taken as it stands, and dots in it are resolved, as in the reference; no header value can hold a
        // control character that comes out of one.
        let is_clean = |text: &str| !text.contains(['\r', '\n', '\0']);
        let seen = RedirectTarget::seen_from(written, "/a/b");
        let fragment = written.split_once('#').map_or("", |(_, fragment)| fragment);
        assert!(is_clean(&seen) || !is_clean(fragment), "{written}");
    }
    // What is a query to nobody may be one to somebody.
    let shown = shown_url(written);
    let query = shown.find(['?', '#']).map_or("", |at| &shown[at + 1..]);
    assert!(matches!(query, "" | "[redacted]"), "{written}: {shown}");
}

/// Nothing but what a request line may hold.
fn is_target(target: &str) -> bool {
    target.starts_with('/') && target.bytes().all(|byte| byte > b' ' && byte != 0x7f)
}

fn leads_to(url: &str, origin: &UpstreamOrigin) {
    let uri: Uri = url.parse().unwrap_or_else(|error| panic!("{url}: {error}"));
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let port = uri.port_u16().unwrap_or_else(|| origin.scheme.default_port());
    assert!(host.trim_end_matches('.').eq_ignore_ascii_case(&origin.host), "{url}: {origin:?}");
    assert_eq!((uri.scheme_str(), port), (Some(origin.scheme.as_str()), origin.port), "{url}");
}

/// Where the reader that browsers have in common finds a name, it is the same one. It has more forms of addresses than
/// others, and takes other characters for other ones.
fn agrees_with_browsers(written: &str, origin: &UpstreamOrigin) {
    let Ok(url) = url::Url::parse(written) else { return };
    let is_plain = written.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\' && byte != b'%');
    if let Some(url::Host::Domain(domain)) = url.host()
        && is_plain
    {
        assert_eq!(domain.trim_end_matches('.'), origin.host, "{written}");
        assert_eq!(url.port_or_known_default(), Some(origin.port), "{written}");
    }
}
