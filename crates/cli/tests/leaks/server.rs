//! Every secret through every path of a server, and then a look at everything that it told anybody.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use keyward_testkit::canaries::{Canaries, assert_clean};
use keyward_testkit::http2_frames::{CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, block, frame};
use keyward_testkit::process::{PATIENCE, Running};
use keyward_testkit::tls_client::TlsClient;
use keyward_testkit::vault::Server;
use keyward_testkit::wire::{self, Message};
use serde_json::{Value, json};

use crate::callers::{Asked, Callers};
use crate::stage::Stage;

/// Kinds that are used where they are, and sent nowhere.
const STAYS: [&str; 12] = [
    "TLS key",
    "signing key of id-token",
    "signing key of issuer",
    // They sign.
    "AWS secret access key",
    "Azure account key",
    "variable that nothing names",
    "client secret in a file",
    "client secret in a variable",
    "secret of a configuration that is refused",
    "secret of rules that are refused",
    // They come, and are no good.
    "comment of a signature",
    "signature that is none",
];

/// What callers show, by what it is called; each goes to every rule.
fn credentials(stage: &Stage) -> Vec<(&'static str, Option<String>)> {
    let token = |kind: &str, header: &Value, claims: &Value| {
        let token = stage.key.sign(header, claims);
        stage.canaries.add(kind, token.rsplit('.').next().unwrap());
        token
    };
    let claims = json!({"sub": "ann", "aud": ["here"], "exp": 4_000_000_000_u64, "scope": "a"});
    let with = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        claims
    };
    let none = json!({});
    let forged = format!("{}x", token("caller's forged token", &json!({"kid": "other"}), &claims));
    let filled = |text: &str| Some(stage.canaries.filled(text));
    let bearer = |token: String| Some(format!("Bearer {token}"));
    vec![
        ("nothing", None),
        ("an opaque token", filled("Bearer «caller's opaque token»")),
        ("a password", filled("Basic «basic caller's password»")),
        ("a strange scheme", filled("Strange key=«caller's strange credential», more")),
        ("no scheme", filled("«caller's bare credential»")),
        ("a broken token", filled("Bearer «caller's header».«caller's claims».«caller's signature»")),
        ("a token", bearer(token("caller's token", &none, &claims))),
        ("a token that is over", bearer(token("caller's expired token", &none, &with("exp", 1.into())))),
        ("a token for others", bearer(token("caller's other token", &none, &with("aud", "there".into())))),
        ("a token of odd types", bearer(token("caller's odd token", &none, &with("exp", "soon".into())))),
        ("a forged token", bearer(forged)),
    ]
}

/// Heads that the gate refuses, and bodies.
const REFUSED: [&str; 12] = [
    "GET /denied%2F?key=«%caller's query» HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer «caller's opaque token»\r\n\r\n",
    "GET /denied HTTP/1.1\r\nHost: h\r\nHost: i\r\nX-Api-Key: «caller's key»\r\n\r\n",
    "GET /denied HTTP/1.1\r\nHost: ann:«caller's password in a host»@h\r\n\r\n",
    "GET http://ann:«%caller's userinfo»@h/denied HTTP/1.1\r\nHost: h\r\n\r\n",
    "GET /denied HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer «caller's opaque token»\u{1}\r\n\r\n",
    "GET /denied HTTP/1.1\r\nHost: h\r\n«caller's header name»: x\r\n\r\n",
    "GET /denied HTTP/1.1\r\nHost: h\r\nConnection: authorization\r\nAuthorization: Bearer «caller's opaque token»\r\n\r\n",
    "POST /denied HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\nCookie: a=«caller's cookie»\r\n\r\n",
    "POST /denied HTTP/1.1\r\nHost: h\r\nContent-Length: «caller's length»\r\n\r\n",
    "«caller's method» /denied HTTP/1.1\r\nHost: h\r\n\r\n",
    "GET /denied?key=«caller's query» HTTP/9.«caller's version»\r\nHost: h\r\n\r\n",
    "GET /denied HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer «caller's folded token»\r\n «caller's folded token»\r\n\r\n",
];

/// The same over HTTP/2: field sections, that go in as many frames as they need.
fn refused_sections(canaries: &Canaries) -> Vec<Vec<u8>> {
    const SOUND: [(&str, &str); 4] =
        [(":method", "POST"), (":scheme", "http"), (":authority", "h"), (":path", "/denied")];
    let bearer = ("authorization", "Bearer «caller's opaque token»");
    let rows: [Vec<(&str, &str)>; 12] = [
        [&SOUND[..3], &[(":path", "/denied%2F?key=«%caller's query»"), bearer]].concat(),
        [&SOUND[..2], &[(":authority", "ann:«caller's password in a host»@h"), SOUND[3], bearer]].concat(),
        [&[(":method", "«caller's method»")], &SOUND[1..]].concat(),
        [&SOUND[..], &[(":path", "/denied?key=«caller's query»")]].concat(),
        [&SOUND[..], &[("Authorization", bearer.1)]].concat(),
        [&SOUND[..], &[("authorization", "Bearer «caller's opaque token»\u{1}")]].concat(),
        [&SOUND[..], &[("«caller's header name»", "x")]].concat(),
        [&SOUND[..], &[("connection", "authorization"), bearer]].concat(),
        [&SOUND[..], &[("content-length", "«caller's length»")]].concat(),
        // More than the gate lets in, than is read, and than is borne.
        [&SOUND[..], &vec![("cookie", "a=«caller's cookie»"); 101]].concat(),
        [&SOUND[..], &vec![("x-api-key", "«caller's key»"); 1000]].concat(),
        [&SOUND[..], &vec![("x-api-key", "«caller's key»"); 4000]].concat(),
    ];
    let section = |row: Vec<(&str, &str)>| {
        let filled: Vec<_> =
            row.into_iter().map(|(name, value)| (canaries.filled(name), canaries.filled(value))).collect();
        let fields: Vec<_> = filled.iter().map(|(name, value)| (&**name, &**value)).collect();
        let block = block(&fields);
        let pieces: Vec<&[u8]> = block.chunks(16_384).collect();
        let frames = pieces.iter().enumerate().map(|(number, piece)| {
            let end = if number + 1 == pieces.len() { END_HEADERS } else { 0 };
            let (kind, flags) = if number == 0 { (HEADERS, END_STREAM | end) } else { (CONTINUATION, end) };
            frame(kind, flags, 1, piece)
        });
        frames.collect::<Vec<_>>().concat()
    };
    let mut sections: Vec<Vec<u8>> = rows.into_iter().map(section).collect();
    // What no field block is, and data of no stream.
    let key = canaries.of("caller's key");
    sections.extend([frame(HEADERS, END_STREAM | END_HEADERS, 1, key.as_bytes()), frame(DATA, 0, 0, key.as_bytes())]);
    sections
}

fn asked(stage: &Stage, method: &'static str, target: &str, authorization: Option<&str>, host: &str) -> Asked {
    let filled = |text: &str| stage.canaries.filled(text);
    let mut fields = vec![
        ("Cookie", filled("sid=«caller's cookie»; other=1")),
        ("X-Api-Key", filled("«caller's key»")),
        ("Proxy-Authorization", filled("Basic «basic caller's password for a proxy»")),
        ("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
        ("Tracestate", filled("key=«caller's state of a trace»")),
        ("Content-Type", "application/json".to_owned()),
    ];
    fields.extend(authorization.map(|value| ("Authorization", value.to_owned())));
    let target = filled(&format!("{target}?token=«%caller's token in a query»&key=«%caller's query»"));
    let body = filled("{\"password\": \"«caller's body»\"}");
    Asked { method, target, host: host.to_owned(), fields, body }
}

/// Start line, header and body.
fn whole(answer: &Message) -> Vec<u8> {
    format!("{} {:?} {}", answer.start, answer.headers, answer.text()).into_bytes()
}

/// How many requests had an answer, over HTTP/1.1 and over HTTP/2.
fn walk(stage: &Stage, running: &Running, callers: &Callers) -> [usize; 2] {
    let mut answered = [0; 2];
    let host = format!("127.0.0.1:{}", running.proxy);
    for (name, authorization) in credentials(stage) {
        for path in &stage.paths {
            let what = format!("the answer of {path} to {name}");
            // A broken upstream may show what it was sent; a page to log in is told where to go back to.
            let echoed =
                ["/upstream", "/session", "/id_token", "/redirecting"].iter().any(|start| path.starts_with(start));
            let sent = asked(stage, "POST", path, authorization.as_deref(), &host);
            if let Ok(answer) = callers.http1(&sent.text()) {
                answered[0] += 1;
                assert_clean(&stage.canaries, &what, &whole(&answer), echoed);
            }
            let (is_answered, came) = callers.http2(&sent);
            answered[1] += usize::from(is_answered);
            assert_clean(&stage.canaries, &format!("{what} over HTTP/2"), &came, echoed);
            let sent = asked(stage, "GET", &format!("/decisions{path}"), authorization.as_deref(), "127.0.0.1");
            let answer = wire::exchange(running.api, sent.text().as_bytes(), PATIENCE).unwrap();
            // One that is allowed hands out what the rule puts in.
            if answer.status() != 200 {
                assert_clean(&stage.canaries, &what, &whole(&answer), path == "/redirecting");
            }
        }
    }
    for head in REFUSED {
        let head = stage.canaries.filled(head);
        if let Ok(answer) = callers.http1(&head) {
            assert_clean(&stage.canaries, &head, &whole(&answer), false);
        }
    }
    for (number, section) in refused_sections(&stage.canaries).into_iter().enumerate() {
        let came = callers.frames(&section);
        assert!(!came.is_empty(), "section {number}");
        assert_clean(&stage.canaries, &format!("what came of section {number}"), &came, false);
    }
    answered
}

/// The issuer's clients show their secrets, right ones and wrong ones.
fn ask_the_issuer(stage: &Stage) {
    for (client, secret, status) in [
        ("ann", "«%client secret in a variable»", 200),
        ("bob", "«%client secret in a file»", 200),
        ("ann", "«%caller's wrong client secret»", 401),
    ] {
        let body =
            stage.canaries.filled(&format!("grant_type=client_credentials&client_id={client}&client_secret={secret}"));
        let request = format!(
            "POST /token HTTP/1.1\r\nHost: i\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = wire::exchange(stage.issuer, request.as_bytes(), PATIENCE).unwrap();
        assert_eq!(answer.status(), status, "{}", answer.text());
        assert_clean(&stage.canaries, "an answer of the issuer", answer.text().as_bytes(), false);
        if let Some(token) = serde_json::from_str::<Value>(&answer.text()).unwrap()["access_token"].as_str() {
            stage.canaries.add(&format!("token of {client}"), token.rsplit('.').next().unwrap());
        }
    }
}

/// Values change, then nothing works any more.
fn change(stage: &Stage, running: &Running, callers: &Callers) {
    let rotated = |kind: &str| stage.canaries.of(kind);
    running.replace("file", &rotated("secret in a file, after"));
    running.replace("env/MOUNTED", &rotated("variable in a file, after"));
    let first = &stage.canaries.of("secret in a file, after");
    let plain = asked(stage, "GET", "/upstream/serves", None, "127.0.0.1").text();
    running.until("the rotation", |_| {
        let _ = callers.http1(&plain);
        String::from_utf8_lossy(&stage.services.received()).contains(first)
    });
    let failures = || running.metric("keyward_reload_failures_total").unwrap_or(0.0);
    for (file, text) in [
        ("rules.json", "[{\"id\": \"x\", \"mutators\": \"«secret of rules that are refused»\""),
        (
            "config.yaml",
            "authenticators: {oauth2_introspection: {config: {pre_authorization: {client_secret: [«secret of a configuration that is refused»",
        ),
    ] {
        let before = failures();
        running.replace(file, &stage.canaries.filled(text));
        running.signal("HUP");
        running.until("the failed reload", |_| failures() > before);
    }
    let forged = stage.canaries.filled("untrusted comment: «comment of a signature»\n«signature that is none»\n");
    stage.services.put("/signed.yaml.minisig", &forged);
    stage.services.put("/signed.yaml", include_str!("../signed/changed.yaml"));
    running.until("the refusal of a signature", |running| running.log().contains("the signature is not one of"));
    stage.vault.app_role("other", "other", "other");
    // What a Vault that is broken could say to that.
    let echo = stage.canaries.filled("{\"errors\": [\"«role id» and «secret id»\"]}");
    let head = format!("HTTP/1.1 400 Bad Request\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", echo.len());
    stage.vault.front().fault(format!("{head}{echo}").as_bytes());
    stage.vault.revoke_all();
    for _ in 0..3 {
        stage.cloud.fail("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\n{}");
    }
    running.until("the failure of a source", |running| {
        running
            .metric("keyward_secret_fetches_total{source=\"vault")
            .is_some_and(|_| running.log().contains("secrets could not be read"))
            && running.log().contains("to the login at")
    });
}

/// Everything that the server tells whoever asks, and what it leaves behind.
fn told(stage: &Stage, running: &Running) -> Vec<(String, Vec<u8>)> {
    let mut told = Vec::new();
    let mut api = |target: &str| {
        let answer = running.api(target).unwrap();
        told.push((target.to_owned(), whole(&answer)));
        answer.text()
    };
    for target in [
        "/health/alive",
        "/health/ready",
        "/health/ready?verbose",
        "/version",
        "/metrics",
        "/.well-known/jwks.json",
        "/other",
    ] {
        api(target);
    }
    let rules: Vec<Value> = serde_json::from_str(&api("/rules?limit=500")).unwrap();
    // Those of three more repositories, without two that are broken.
    assert_eq!(rules.len(), stage.paths.len() + 3 - 2);
    for rule in &rules {
        api(&format!("/rules/{}", rule["id"].as_str().unwrap().replace('/', "%2F")));
    }
    let open = "GET /metrics HTTP/1.1\r\nHost: h\r\nAccept: application/openmetrics-text\r\nConnection: close\r\n\r\n";
    told.push((
        "OpenMetrics".to_owned(),
        wire::exchange(running.api, open.as_bytes(), PATIENCE).unwrap().text().into_bytes(),
    ));
    let mut metrics = TlsClient::connect(running.metrics, &stage.authority.client(&[]), PATIENCE).unwrap();
    told.push(("the metrics port".to_owned(), metrics.get("/metrics", "localhost").unwrap().text().into_bytes()));
    for file in ["cmdline", "comm", "status"] {
        told.push((file.to_owned(), fs::read(format!("/proc/{}/{file}", running.id())).unwrap()));
    }
    told.push(("the log".to_owned(), running.log().into_bytes()));
    told.push(("the audit log".to_owned(), fs::read(running.path("audit.log")).unwrap()));
    for file in files(&running.path("cache")) {
        told.push((file.display().to_string(), fs::read(&file).unwrap()));
    }
    told
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn no_secret_of_any_kind_gets_into_anything_that_a_server_tells() {
    for (format, echo, tls) in [("text", "remove", false), ("json", "refuse", true)] {
        let mut stage = Stage::new(format, echo, tls);
        let mut running = stage.start();
        let callers = Callers::new(running.proxy, tls.then_some(&stage.authority));
        ask_the_issuer(&stage);
        let answered = walk(&stage, &running, &callers);
        let most = stage.paths.len() * 8;
        assert!(answered.iter().all(|count| *count > most), "most requests are answered: {answered:?} of {most}");
        change(&stage, &running, &callers);
        // Records are written after the answer.
        std::thread::sleep(Duration::from_millis(300));
        let told = told(&stage, &running);
        running.signal("TERM");
        assert!(running.wait().success());
        let received = stage.canaries.found_in(&stage.received());
        let missing: Vec<String> = stage
            .canaries
            .kinds()
            .into_iter()
            .filter(|kind| {
                !received.contains_key(kind)
                    && !STAYS.contains(&&**kind)
                    && !kind.starts_with("caller's")
                    && !kind.starts_with("token of")
            })
            .collect();
        assert!(missing.is_empty(), "never used: {missing:?}\n{}", running.log());
        let traces: Vec<u8> = stage.traces.exports().into_iter().flat_map(|export| export.body).collect();
        assert!(stage.traces.spans().len() > most, "most requests are in traces");
        let told = told.into_iter().chain([("the traces".to_owned(), traces)]);
        for (what, text) in told.chain([("the log of the end".to_owned(), running.log().into_bytes())]) {
            assert_clean(&stage.canaries, &format!("{format}: {what}"), &text, false);
        }
    }
}
