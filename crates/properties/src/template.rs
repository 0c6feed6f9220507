//! A template is refused or renders the same every time, within its bounds; no message tells what a secret holds, and
//! what shows one is marked as sensitive.

use std::sync::LazyLock;

use http::{HeaderMap, HeaderName, HeaderValue};
use keyward_core::members::Members;
use keyward_core::ports::Outside;
use keyward_core::template::{Template, TemplateData};
use serde_json::json;

use crate::world::{SECRET, outside};

/// Longer ones say nothing new.
const MAX_BYTES: usize = 4096;
/// What the last action of all may add to the 64 KiB after which a template ends: the longest text that there is.
const MAX_OUTPUT: usize = 1024 * 1024;

static OUTSIDE: LazyLock<Outside> = LazyLock::new(outside);
static HEADER: LazyLock<HeaderMap> = LazyLock::new(|| {
    let value = HeaderValue::from_static("value");
    HeaderMap::from_iter([(HeaderName::from_static("x-name"), value.clone()), (HeaderName::from_static("via"), value)])
});
static EXTRA: LazyLock<Members> = LazyLock::new(|| {
    let claims = json!({
        "iss": "https://issuer", "aud": ["a", "b"], "exp": 4_000_000_000_u64, "name": "Ä \"quoted\"\r\n\u{0}", "none": null,
        "nested": {"list": [1, 2.5, true, {"deep": "x"}], "number": -7}, "time": "2026-11-30T12:00:00Z",
    });
    claims.as_object().unwrap().clone().into()
});

pub(crate) fn check(data: &[u8]) {
    let Some(text) = std::str::from_utf8(data).ok().filter(|text| text.len() <= MAX_BYTES) else { return };
    let tells = |said: &str| said.contains(SECRET) && !text.contains(SECRET);
    let template = match Template::compile(text, &*OUTSIDE.secrets, &OUTSIDE.clock, &OUTSIDE.random) {
        Ok(template) => template,
        Err(error) => {
            let said = format!("{error} {error:?} {}", error.hint().unwrap_or_default());
            assert!(!tells(&said), "{said}");
            return;
        }
    };
    assert!(!tells(&format!("{template:?}")));
    let (once, twice) = (rendered(&template), rendered(&template));
    assert_eq!(once, twice, "{text}");
    match once {
        Ok(out) => {
            assert!(out.len() <= MAX_OUTPUT, "{} bytes", out.len());
            assert!(!tells(&out) || template.is_sensitive(), "{text}");
            assert!(template.constant().is_none_or(|constant| constant == out), "{text}");
        }
        Err(said) => assert!(!tells(&said), "{said}"),
    }
}

fn rendered(template: &Template) -> Result<String, String> {
    let captures = ["first".to_owned(), String::new()];
    let data = TemplateData {
        subject: "alice",
        extra: Some(&EXTRA),
        header: &HEADER,
        captures: &captures,
        method: "GET",
        scheme: "http",
        host: "h:8080",
        path: "/a%20b",
        raw_query: "a=7&b=8",
        force_query: false,
        request_header: &HEADER,
    };
    let mut out = String::new();
    template.render(&data, &mut out).map_err(|error| error.to_string())?;
    Ok(out)
}
