//! Rules behind URLs: fetched before the proxy's port is opened, asked for again, and never exchanged for anything
//! worse.

#![allow(clippy::unwrap_used)]

use std::net::TcpStream;
use std::time::{Duration, Instant};

use keyward_testkit::documents::DocumentServer;
use keyward_testkit::pki::Authority;
use keyward_testkit::process::{Keyward, Running};

const HANDLERS: &str = "authenticators: {anonymous: {enabled: true}}\nauthorizers: {allow: {enabled: true}, deny: {enabled: true}}\n\
                        mutators: {noop: {enabled: true}}\n";

/// Rules that deny, with 403, these paths of every host; other paths have none, and get 404.
fn rules(paths: &[&str]) -> String {
    let rule = |path: &&str| {
        format!(
            "- id: {path}\n  match: {{url: \"http://<[^/]*>/{path}\", methods: [GET]}}\n  \
             authenticators: [{{handler: anonymous}}]\n  authorizer: {{handler: deny}}\n  mutators: [{{handler: noop}}]\n"
        )
    };
    paths.iter().map(rule).collect()
}

/// A server of one document.
struct Server(DocumentServer);

impl Server {
    fn start(document: &str, etag: Option<&str>) -> Self {
        let server = Self(DocumentServer::start());
        server.serve(document, etag);
        server
    }

    fn url(&self) -> String {
        self.0.url("/rules.yaml")
    }

    fn serve(&self, document: &str, etag: Option<&str>) {
        self.0.put("/rules.yaml", document, etag);
    }

    fn fail(&self, answer: impl Into<Vec<u8>>) {
        self.0.fail(answer);
    }

    fn heads(&self) -> Vec<String> {
        self.0.heads()
    }
}

fn keyward(url: &str) -> Keyward {
    let keyward = Keyward::new(env!("CARGO_BIN_EXE_keyward"));
    let config = format!("{HANDLERS}access_rules: {{repositories: [\"{url}\"], refresh_interval: 1s}}\n");
    let path = keyward.write("config.yaml", &config);
    keyward.config(path)
}

fn status(running: &Running, path: &str) -> u16 {
    running.get(path, &[]).status()
}

fn fetches(running: &Running, outcome: &str) -> f64 {
    running.metric(&format!("keyward_repository_fetches_total{{outcome=\"{outcome}\"}}")).unwrap_or(0.0)
}

#[test]
fn a_changed_document_takes_effect_and_an_unchanged_one_is_not_sent_again() {
    let server = Server::start(&rules(&["a"]), Some("one"));
    let running = keyward(&server.url()).start();
    assert_eq!((status(&running, "/a"), status(&running, "/b")), (403, 404));
    running.until("asking again", |running| fetches(running, "unchanged") >= 1.0);
    let heads = server.heads();
    assert!(!heads[0].contains("if-none-match") && heads[1].contains("if-none-match: \"one\""), "{heads:?}");
    server.serve(&rules(&["b"]), Some("two"));
    running.until("the change", |running| status(running, "/b") == 403);
    assert_eq!((status(&running, "/a"), fetches(&running, "changed")), (404, 1.0));
    // A server that knows no versions sends the same text again and again, which is no change.
    server.serve(&rules(&["b"]), None);
    let unchanged = fetches(&running, "unchanged");
    running.until("the same text", |running| fetches(running, "unchanged") >= unchanged + 2.0);
    assert_eq!(fetches(&running, "changed"), 1.0);
    // Who writes an empty list means it.
    server.serve("[]", None);
    running.until("no rules at all", |running| status(running, "/b") == 404);
}

#[test]
fn nothing_worse_takes_the_place_of_the_last_good_rules() {
    let server = Server::start(&rules(&["a"]), None);
    let running = keyward(&server.url()).start();
    let ok = |body: &str| format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes();
    let faults: [(Vec<u8>, &str, &str); 14] = [
        (ok(""), "refused", "the document is empty"),
        (ok("# nothing yet\n"), "refused", "the document is empty"),
        (ok("<html><body>Sign in</body></html>"), "refused", "expected a list"),
        (ok("- id: [\n"), "refused", "not valid YAML or JSON"),
        (ok("- just a text\n"), "refused", "rules.yaml:1:3"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 16777217\r\n\r\n- id".to_vec(), "failed", "larger than 16777216 bytes"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n\xff".to_vec(), "failed", "the document is not UTF-8"),
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n".to_vec(), "failed", "status 403"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec(), "failed", "status 404"),
        (b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n".to_vec(), "failed", "status 500"),
        (
            b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n".to_vec(),
            "failed",
            "redirects are not followed",
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n- id: a".to_vec(), "failed", "the last good ones stay"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b".to_vec(),
            "failed",
            "compressed",
        ),
        (b"nonsense\r\n\r\n".to_vec(), "failed", "the last good ones stay"),
    ];
    for (answer, outcome, said) in faults {
        // After a good answer the next attempt comes at its usual time again.
        let unchanged = fetches(&running, "unchanged");
        running.until("a good answer", |running| fetches(running, "unchanged") > unchanged);
        let before = fetches(&running, outcome);
        server.fail(answer);
        running.until(said, |running| fetches(running, outcome) > before);
        running.until(said, |running| running.log().contains(said));
        assert_eq!(status(&running, "/a"), 403, "{said}");
    }
    assert_eq!(fetches(&running, "changed"), 0.0);
}

/// Both limits hold for what an answer really does, not only for what it says.
#[test]
fn answers_that_drip_or_never_end_are_given_up() {
    let server = Server::start(&rules(&["a"]), None);
    let keyward = Keyward::new(env!("CARGO_BIN_EXE_keyward"));
    let config = format!(
        "{HANDLERS}access_rules: {{repositories: [\"{}\"], refresh_interval: 1s, fetch_timeout: 1s, max_document_bytes: 1000}}\n",
        server.url()
    );
    let path = keyward.write("config.yaml", &config);
    let running = keyward.config(path).start();
    server.0.drip(format!("HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n{}", " ".repeat(4000)));
    running.until("giving up", |running| running.log().contains("no complete answer within 1000 ms"));
    server
        .fail(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n{}\r\n0\r\n\r\n", " ".repeat(2000)));
    running.until("refusing it", |running| running.log().contains("length limit exceeded"));
    assert_eq!(status(&running, "/a"), 403);
    server.serve(&rules(&["b"]), None);
    running.until("recovery", |running| status(running, "/b") == 403);
}

/// A source that fails is asked less and less often, and not before it wants to be.
#[test]
fn a_failing_source_is_left_alone_as_long_as_it_asks() {
    let server = Server::start(&rules(&["a"]), None);
    let running = keyward(&server.url()).start();
    server.fail("HTTP/1.1 503 Busy\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n");
    running.until("the failure", |running| fetches(running, "failed") == 1.0);
    let asked = (server.heads().len(), Instant::now());
    running.until("asking again", |_| server.heads().len() > asked.0);
    assert!(asked.1.elapsed() >= Duration::from_secs(4), "{:?}", asked.1.elapsed());
    drop(running);

    server.fail("HTTP/1.1 503 Busy\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n");
    let running = keyward(&server.url()).start_without_rules("status 503");
    let asked = (server.heads().len(), Instant::now());
    running.until("the rules", |running| running.unready("rules").is_none());
    assert!(server.heads().len() > asked.0 && asked.1.elapsed() >= Duration::from_secs(3), "{:?}", asked.1.elapsed());
}

#[test]
fn every_repository_is_asked_at_its_own_time() {
    let server = DocumentServer::start();
    server.put("/often.yaml", &rules(&["a"]), None);
    server.put("/seldom.yaml", &rules(&["b"]), None);
    let keyward = Keyward::new(env!("CARGO_BIN_EXE_keyward"));
    let config = format!(
        "{HANDLERS}access_rules: {{repositories: [{{url: \"{}\", refresh_interval: 1s}}, \"{}\"]}}\n",
        server.url("/often.yaml"),
        server.url("/seldom.yaml")
    );
    let path = keyward.write("config.yaml", &config);
    let running = keyward.config(path).start();
    running.until("asking the one", |_| server.asked("/often.yaml") >= 4);
    assert_eq!(server.asked("/seldom.yaml"), 1);
}

#[test]
fn no_port_opens_before_the_rules_are_there() {
    let server = Server::start(&rules(&["a"]), None);
    // A failure that may pass is waited out.
    server.fail("HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n");
    let running = keyward(&server.url()).launch();
    running.until("the first attempt", |running| running.log().contains("status 503"));
    assert!(TcpStream::connect(("127.0.0.1", running.proxy)).is_err());
    running.until("the second", |running| running.send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n").is_ok());
    assert_eq!(status(&running, "/a"), 403);
    // So is any other, and a document that holds no rules.
    server.fail("HTTP/1.1 404 Gone\r\nContent-Length: 0\r\n\r\n");
    let running = keyward(&server.url()).start_without_rules("the rules cannot be fetched: status 404");
    running.until("the rules", |running| running.send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n").is_ok());
    for document in ["<html><body>Sign in</body></html>", "{}", "- just a text\n"] {
        server.serve(document, None);
        let running = keyward(&server.url()).start_without_rules("rules.yaml:1:");
        let refused = "keyward_repository_fetches_total{outcome=\"refused\"}";
        running.until("another look", |running| running.metric(refused) >= Some(2.0));
        assert!(running.unready("rules").is_some_and(|told| told.contains("rules.yaml:1:")), "{document}");
        server.serve(&rules(&["a"]), None);
        running.until("the rules", |running| running.send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n").is_ok());
        assert_eq!((status(&running, "/a"), running.unready("rules")), (403, None), "{document}");
    }
}

#[test]
fn nobody_is_judged_by_some_of_the_rules_and_a_reload_can_name_another_place() {
    let (server, other) = (Server::start(&rules(&["a"]), None), Server::start("{}", None));
    let keyward = keyward(&server.url()).without_env("ACCESS_RULES_REPOSITORIES");
    let file = keyward.write("some.yaml", &rules(&["b"])).display().to_string();
    let config = |url: &str| format!("{HANDLERS}access_rules: {{repositories: [\"file://{file}\", \"{url}\"]}}\n");
    keyward.write("config.yaml", &config(&other.url()));
    let running = keyward.start_without_rules("expected a list");
    let answer = running.decision("GET", "/b", &[]);
    assert_eq!((answer.status(), running.audit(1)[0]["reason"].as_str()), (503, Some("rules_missing")));
    assert!(running.api("/rules").unwrap().text().contains("\"b\""), "{}", running.log());
    running.replace("config.yaml", &config(&server.url()));
    running.until("the rules", |running| running.send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n").is_ok());
    assert_eq!((status(&running, "/a"), status(&running, "/b"), running.unready("rules")), (403, 403, None));
    assert_eq!(running.decision("GET", "/b", &[]).status(), 403);
}

#[test]
fn a_reload_that_cannot_reach_a_new_repository_changes_nothing() {
    let (server, other) = (Server::start(&rules(&["a"]), None), Server::start(&rules(&["b"]), None));
    let running = keyward(&server.url()).start();
    let config = |second: &str| {
        format!(
            "{HANDLERS}access_rules: {{repositories: [\"{}\", \"{second}\"], refresh_interval: 1s}}\n",
            server.url()
        )
    };
    running.replace("config.yaml", &config("http://127.0.0.1:1/rules.yaml?key=s3cr3t"));
    running.until("refusing it", |running| running.log().contains("the reload failed"));
    assert!(running.log().contains("the rules cannot be fetched: no connection to 127.0.0.1:1"), "{}", running.log());
    assert!(!running.log().contains("s3cr3t"), "{}", running.log());
    assert_eq!(status(&running, "/a"), 403);
    running.replace("config.yaml", &config(&other.url()));
    running.until("both", |running| status(running, "/b") == 403);
    assert_eq!(status(&running, "/a"), 403);
    // The new one is polled too; and one that is taken away takes its rules along.
    other.serve(&rules(&["c"]), None);
    running.until("the change", |running| status(running, "/c") == 403);
    running.replace("config.yaml", &config(&server.url()).replacen(&format!("\"{}\", ", server.url()), "", 1));
    running.until("one again", |running| status(running, "/c") == 404);
}

#[test]
fn rules_come_over_tls_from_servers_that_are_trusted() {
    let authority = Authority::new();
    let document = serde_json::json!([{"path": "/rules.yaml", "body": rules(&["a"])}]);
    let server =
        keyward_testkit::conformance::recorder::Recorder::start_tls(false, authority.server(&["localhost"], &[]));
    server.script(document.as_array().unwrap().clone());
    let url = format!("https://localhost:{}/rules.yaml", server.port);
    let trusting = || {
        let keyward = keyward(&url);
        let authority = keyward.write("authority.pem", &authority.certificate).display().to_string();
        let resolve = format!("localhost:{}:127.0.0.1", server.port);
        keyward.env("SERVE_PROXY_UPSTREAM_CA_FILES", &authority).env("SERVE_PROXY_UPSTREAM_RESOLVE", &resolve)
    };
    let other = url.replace("rules.yaml", "nosuch");
    drop(trusting().env("ACCESS_RULES_REPOSITORIES", &other).start_without_rules("status 404"));
    assert_eq!(status(&trusting().start(), "/a"), 403);
}

#[test]
fn commands_that_reach_nothing_say_that_they_did_not_look() {
    let server = Server::start(&rules(&["a"]), None);
    let (_, out, err) = keyward(&server.url()).run(&["rules", "lint"]);
    assert!((out + &err).contains("these rules are fetched by `serve` only"));
    assert!(server.heads().is_empty());
}
