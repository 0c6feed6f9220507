//! Advisories about other proxies' HTTP/2, each with the request that it was about.

use keyward_testkit::pki::Authority;
use keyward_testkit::process::Keyward;

use super::caller::Caller;
use super::caller::Outcome::{self, GoAway, Reset, Status};
use super::frames::{END_HEADERS, END_STREAM, HEADERS, PROTOCOL_ERROR, block, data, frame, headers};
use super::stage::Stage;
use super::upstream;

/// Ends the stream: the block could be read, and is no request.
const MALFORMED: Outcome = Reset(PROTOCOL_ERROR);
/// Ends the connection: the block could not be read.
const UNREADABLE: Outcome = GoAway(PROTOCOL_ERROR);

/// What a GET with another path and more fields comes to, and how many requests reach the upstream.
fn get(stage: &Stage, path: &str, fields: &[(&str, &str)]) -> (Outcome, usize) {
    let mut all = stage.request("GET", path);
    all.extend(fields);
    let (outcome, seen) = stage.play(&headers(1, END_STREAM, &all));
    (outcome, seen.len())
}

/// Traefik CVE-2023-47106 and Envoy CVE-2021-32779: rules were matched with a fragment that the upstream did not see, or
/// the other way round. The h2 crate takes it off `:path`: neither the rules, nor the upstream, nor the record have it.
fn fragments_are_gone_before_anything_is_matched() {
    let stage = Stage::plain();
    // (`:path`, what it comes to, the target at the upstream, the path in the record)
    let rows: [(&str, u16, Option<&str>, &str); 6] = [
        ("/open/x#/../../keyed/x", 200, Some("/open/x"), "/open/x"),
        ("/open/x#?a=b", 200, Some("/open/x"), "/open/x"),
        ("/open/x?a=b#c", 200, Some("/open/x?a=b"), "/open/x"),
        ("/keyed/x#/open/x", 401, None, "/keyed/x"),
        ("/keyed/x#/../../open/x", 401, None, "/keyed/x"),
        ("/#/open/x", 404, None, "/"),
    ];
    let mut records = 0;
    for (path, status, target, recorded) in rows {
        let (outcome, seen) = stage.play(&headers(1, END_STREAM, &stage.request("GET", path)));
        let targets: Vec<&str> = seen.iter().filter_map(|request| request["target"].as_str()).collect();
        assert_eq!((outcome, targets.as_slice()), (Status(status), target.as_slice()), "{path}");
        records += 1;
        assert_eq!(stage.running.audit(records)[records - 1]["path"], recorded, "{path}");
    }
}

#[test]
fn cve_2023_47106_fragments_are_gone_before_anything_is_matched() {
    fragments_are_gone_before_anything_is_matched();
}

#[test]
fn cve_2021_32779_fragments_are_gone_before_anything_is_matched() {
    fragments_are_gone_before_anything_is_matched();
}

/// nginx CVE-2026-42926: what a caller sends in fields or as a body begins no request on a connection of HTTP/2 to
/// an upstream.
#[test]
fn cve_2026_42926_nothing_that_is_sent_begins_a_request_at_an_upstream_of_http2() {
    const CONFIG: &str = "authenticators: {anonymous: {enabled: true}}\nauthorizers: {allow: {enabled: true}}\n\
                          mutators: {noop: {enabled: true}}\n";
    let authority = Authority::new();
    let (port, seen) = upstream::http2(&authority);
    let rules = "- id: any\n  match: {url: \"http://h/<.*>\", methods: [GET, POST]}\n  \
                 authenticators: [{handler: anonymous}]\n  authorizer: {handler: allow}\n  \
                 mutators: [{handler: noop}]\n  upstream: {url: \"https://api.example\"}\n";
    let keyward = Keyward::new(env!("CARGO_BIN_EXE_keyward")).with(CONFIG, rules);
    let ca = keyward.write("ca.pem", &authority.certificate);
    let running = keyward
        .env("SERVE_PROXY_UPSTREAM_CA_FILES", &ca.display().to_string())
        .env("SERVE_PROXY_UPSTREAM_RESOLVE", &format!("api.example:443:127.0.0.1:{port}"))
        .start();
    let injected: &[(&str, &str)] =
        &[(":method", "GET"), (":scheme", "https"), (":authority", "evil"), (":path", "/injected")];
    // A frame on the upstream's next stream, on its first, and one that ends the body before it.
    let bodies = [
        headers(3, END_STREAM, injected),
        headers(1, END_STREAM, injected),
        [data(1, END_STREAM, b""), headers(3, END_STREAM, injected)].concat(),
        [super::caller::PREFACE, &headers(1, END_STREAM, injected)].concat(),
        block(injected),
    ];
    let post: &[(&str, &str)] = &[(":method", "POST"), (":scheme", "http"), (":authority", "h"), (":path", "/x")];
    for body in bodies {
        let length = body.len().to_string();
        let announced = [post, &[("content-length", length.as_str())]].concat();
        for fields in [post.to_vec(), announced] {
            let mut caller = Caller::connect(running.proxy, None);
            caller.send(&[headers(1, 0, &fields), data(1, END_STREAM, &body)].concat()).unwrap();
            assert_eq!(caller.outcome(1), Status(200));
            let (target, _, got) = seen.recv().unwrap();
            assert_eq!((target.as_str(), got == body), ("https://api.example/x", true));
        }
    }
    // The same octets in a value: refused where they cannot stand in one, and one value otherwise.
    let text: String = block(injected).into_iter().map(char::from).collect();
    for (value, expected) in [(text.as_str(), UNREADABLE), ("\u{80}:path /injected", Status(200))] {
        let mut caller = Caller::connect(running.proxy, None);
        caller.send(&headers(1, END_STREAM, &[post, &[("x-a", value)]].concat())).unwrap();
        assert_eq!(caller.outcome(1), expected);
    }
    let (target, fields, _) = seen.recv().unwrap();
    assert_eq!((target.as_str(), fields["x-a"].as_bytes()), ("https://api.example/x", &b"\x80:path /injected"[..]));
    // Nothing else came.
    assert_eq!(running.get("/last", &[("Host", "h")]).status(), 200);
    assert_eq!(seen.recv().unwrap().0, "https://api.example/last");
    assert!(seen.try_recv().is_err());
}

/// Envoy CVE-2026-73513.
#[test]
fn cve_2026_73513_trailers_that_do_not_end_their_stream_are_refused() {
    let stage = Stage::plain();
    let head = headers(1, 0, &stage.request("POST", "/open/x"));
    let late = frame(HEADERS, END_HEADERS, 1, &block(&[("x-late", "1")]));
    for body in [data(1, 0, b"hello"), Vec::new()] {
        let (outcome, seen) = stage.play(&[head.clone(), body, late.clone(), data(1, END_STREAM, b"more")].concat());
        assert!(matches!(outcome, Reset(PROTOCOL_ERROR) | Outcome::GoAway(PROTOCOL_ERROR)), "{outcome:?}");
        assert!(seen.is_empty(), "{seen:?}");
    }
    assert_eq!(get(&stage, "/open/x", &[]), (Status(200), 1));
}

/// Envoy CVE-2026-73547: a request without a path, as CONNECT has none.
#[test]
fn cve_2026_73547_a_request_without_a_path_is_refused() {
    let stage = Stage::plain();
    let (method, authority) = ((":method", "CONNECT"), (":authority", "h:443"));
    let rows: [(&[(&str, &str)], Outcome); 4] = [
        (&[method, authority], Status(405)),
        (&[method], Status(405)),
        (&[(":method", "GET"), (":scheme", "http"), (":authority", "h")], MALFORMED),
        (&[(":method", "GET"), (":authority", "h")], MALFORMED),
    ];
    for (fields, expected) in rows {
        let (outcome, seen) = stage.play(&headers(1, END_STREAM, fields));
        assert_eq!((outcome, seen.len()), (expected, 0), "{fields:?}");
        // With a body under way too.
        let (outcome, seen) = stage.play(&[headers(1, 0, fields), data(1, 0, b"x")].concat());
        assert_eq!((outcome, seen.len()), (expected, 0), "{fields:?}");
    }
    assert_eq!(get(&stage, "/open/x", &[]), (Status(200), 1));
}

/// Traefik CVE-2024-45410 and its bypass CVE-2026-29054: over HTTP/2 there is no `connection` at all, in any case.
#[test]
fn cve_2024_45410_connection_takes_nothing_away() {
    let stage = Stage::plain();
    for (name, expected) in [("connection", MALFORMED), ("Connection", UNREADABLE), ("CONNECTION", UNREADABLE)] {
        for value in ["authorization", "close, x-request-id", "Authorization"] {
            assert_eq!(get(&stage, "/open/x", &[(name, value)]), (expected, 0), "{name}: {value}");
        }
    }
}

/// Traefik CVE-2026-39858, -33433 and -54763.
#[test]
fn cve_2026_39858_underscores_spoof_no_name() {
    let stage = Stage::plain();
    for name in ["x_forwarded_for", "x-forwarded_user", "x_request_id", "content_length", "proxy_authorization"] {
        assert_eq!(get(&stage, "/open/x", &[(name, "x")]), (Status(400), 0), "{name}");
    }
}

/// Traefik CVE-2023-47106, Envoy CVE-2021-32779, HAProxy CVE-2023-45539: a fragment decides nothing. It is cut off before
/// a rule is looked for, and what was matched is what is sent.
#[test]
fn cve_2023_45539_a_fragment_is_no_part_of_a_path() {
    let stage = Stage::plain();
    // (the path, what it comes to, the target at the upstream)
    let rows: [(&str, Outcome, &[&str]); 5] = [
        ("/open/x#", Status(200), &["/open/x"]),
        ("/open/x#/../../keyed/x", Status(200), &["/open/x"]),
        ("/keyed/x#/../../open/x", Status(401), &[]),
        ("/open/x?a#b?c", Status(200), &["/open/x?a"]),
        ("/nothing#/open/x", Status(404), &[]),
    ];
    for (path, expected, targets) in rows {
        let (outcome, seen) = stage.play(&headers(1, END_STREAM, &stage.request("GET", path)));
        let seen: Vec<_> = seen.iter().map(|request| request["target"].as_str().unwrap()).collect();
        assert_eq!((outcome, &seen[..]), (expected, targets), "{path}");
    }
}

/// Envoy CVE-2023-35944: a scheme in mixed case takes no other way than one in lower case.
#[test]
fn cve_2023_35944_a_scheme_in_mixed_case_is_the_same_scheme() {
    let stage = Stage::plain();
    for (scheme, expected) in
        [("HTTP", Status(200)), ("htTp", Status(200)), ("htTps", Status(400)), ("HTTPS", Status(400))]
    {
        let fields = [(":method", "GET"), (":scheme", scheme), (":authority", "h"), (":path", "/open/x")];
        let (outcome, seen) = stage.play(&headers(1, END_STREAM, &fields));
        assert_eq!((outcome, seen.len()), (expected, usize::from(expected == Status(200))), "{scheme}");
    }
}

/// HAProxy CVE-2023-25725 and -40225: an empty name hides nothing, and an empty length is none.
#[test]
fn cve_2023_25725_an_empty_name_or_length_hides_nothing() {
    let stage = Stage::plain();
    let rows = [
        ([("", ""), ("x-a", "1")], UNREADABLE),
        ([("x-a", "1"), ("", "1")], UNREADABLE),
        ([("content-length", ""), ("x-a", "1")], Status(400)),
    ];
    for (fields, expected) in rows {
        assert_eq!(get(&stage, "/open/x", &fields), (expected, 0), "{fields:?}");
    }
}

/// HAProxy CVE-2021-40346: names and lengths that overflow nothing.
#[test]
fn cve_2021_40346_lengths_of_names_do_not_overflow() {
    let stage = Stage::plain();
    for length in [255, 256, 270, 4096, 8000] {
        let name = format!("content-length0{}:", "a".repeat(length));
        assert_eq!(get(&stage, "/open/x", &[(&name, "1"), ("content-length", "0")]), (UNREADABLE, 0), "{length}");
    }
}
