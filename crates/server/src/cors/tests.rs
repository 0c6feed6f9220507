use super::*;

fn policy(origins: &[&str], headers: &[&str]) -> CorsPolicy {
    let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
    CorsPolicy::new(&CorsSettings {
        origins: texts(origins),
        methods: vec![Method::GET, Method::POST],
        headers: texts(headers),
        exposed: texts(&["content-type", "X-Two"]),
        credentials: true,
        max_age: 10,
    })
}

/// `name: value` lines, in order.
fn shown(fields: &HeaderMap) -> Vec<String> {
    let mut lines: Vec<String> = fields
        .iter()
        .map(|(name, value)| {
            let short = name.as_str().trim_start_matches("access-control-");
            format!("{short}: {}", value.to_str().unwrap_or_default())
        })
        .collect();
    lines.sort();
    lines
}

fn request(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.append(*name, value);
        }
    }
    headers
}

const REQUEST_METHOD: &str = "access-control-request-method";
const REQUEST_HEADERS: &str = "access-control-request-headers";
const VARIES: &str = "vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers";

/// The table of serving spec 3.5, for an origin that is listed.
#[test]
fn preflights_say_what_is_allowed() {
    let policy = policy(&["https://a.example"], &["Authorization", "Content-Type"]);
    let allowed = |headers: Option<&str>, method: &str| {
        let mut lines = vec![
            "allow-credentials: true".to_owned(),
            format!("allow-methods: {method}"),
            "allow-origin: https://a.example".to_owned(),
            "max-age: 10".to_owned(),
            VARIES.to_owned(),
        ];
        lines.extend(headers.map(|names| format!("allow-headers: {names}")));
        lines.sort();
        lines
    };
    let refused = vec![VARIES.to_owned()];
    let rows = [
        ("https://a.example", "GET", None, allowed(None, "GET")),
        ("https://a.example", "OPTIONS", None, allowed(None, "OPTIONS")),
        ("https://a.example", "DELETE", None, refused.clone()),
        ("https://a.example", "get", None, refused.clone()),
        ("https://evil.test", "GET", None, refused.clone()),
        ("", "GET", None, refused.clone()),
        (
            "https://a.example",
            "GET",
            Some("authorization,content-type"),
            allowed(Some("authorization,content-type"), "GET"),
        ),
        ("https://a.example", "GET", Some(""), allowed(None, "GET")),
        ("https://a.example", "GET", Some("content-type,authorization"), refused.clone()),
        ("https://a.example", "GET", Some("authorization,authorization"), refused.clone()),
        ("https://a.example", "GET", Some("Authorization"), refused.clone()),
        ("https://a.example", "GET", Some("x-foo"), refused.clone()),
        (
            "https://a.example",
            "GET",
            Some("authorization, content-type"),
            allowed(Some("authorization, content-type"), "GET"),
        ),
        ("https://a.example", "GET", Some("authorization,  content-type"), refused),
    ];
    for (origin, method, headers, expected) in rows {
        let mut lines = vec![(REQUEST_METHOD, method)];
        if !origin.is_empty() {
            lines.push(("origin", origin));
        }
        lines.extend(headers.map(|names| (REQUEST_HEADERS, names)));
        match policy.judge(&Method::OPTIONS, &request(&lines)) {
            Verdict::Preflight(fields) => assert_eq!(shown(&fields), expected, "{lines:?}"),
            other => panic!("{lines:?}: {other:?}"),
        }
    }
}

#[test]
fn other_requests_pass_with_fields_for_their_answer() {
    let policy = policy(&["https://a.example"], &[]);
    let allowed = [
        "allow-credentials: true",
        "allow-origin: https://a.example",
        "expose-headers: Content-Type, X-Two",
        "vary: Origin",
    ];
    type Row<'r> = (&'r str, &'r [(&'static str, &'r str)], &'r [&'r str]);
    let rows: [Row<'_>; 6] = [
        ("GET", &[("origin", "https://a.example")], &allowed),
        ("OPTIONS", &[("origin", "https://a.example")], &allowed),
        ("DELETE", &[("origin", "https://a.example")], &["vary: Origin"]),
        ("GET", &[("origin", "https://evil.test")], &["vary: Origin"]),
        ("GET", &[], &["vary: Origin"]),
        // Only OPTIONS makes a preflight.
        ("GET", &[("origin", "https://a.example"), (REQUEST_METHOD, "GET")], &allowed),
    ];
    for (method, lines, expected) in rows {
        let method = Method::from_bytes(method.as_bytes()).unwrap_or_default();
        match policy.judge(&method, &request(lines)) {
            Verdict::Actual(fields) => assert_eq!(shown(&fields), *expected, "{method} {lines:?}"),
            other => panic!("{method} {lines:?}: {other:?}"),
        }
    }
}

/// W12: what every page may have must not be had with a person's credentials.
#[test]
fn every_origin_and_credentials_exclude_each_other() {
    for origins in [&["*"][..], &[], &["https://a.example", "*"]] {
        let fields = match policy(origins, &["*"]).judge(&Method::GET, &request(&[("origin", "https://a.example")])) {
            Verdict::Actual(fields) | Verdict::Preflight(fields) => shown(&fields),
        };
        assert!(fields.contains(&"allow-origin: *".to_owned()), "{fields:?}");
        assert!(!fields.iter().any(|line| line.starts_with("allow-credentials")), "{fields:?}");
    }
}

#[test]
fn an_answers_own_policy_gives_way() {
    let mut answer = request(&[
        ("access-control-allow-origin", "https://evil.test"),
        ("access-control-allow-credentials", "true"),
        ("vary", "Accept"),
    ]);
    apply(request(&[("vary", "Origin"), ("access-control-allow-origin", "https://a.example")]), &mut answer);
    assert_eq!(shown(&answer), ["allow-origin: https://a.example", "vary: Accept", "vary: Origin"]);
}
