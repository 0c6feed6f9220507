//! Settings that change while the real binary serves: everything but ports, hosts and the number of cores.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::os::unix::fs::symlink;

use keyward_core::jwt::generate::generate;
use keyward_testkit::conformance::recorder::Recorder;
use keyward_testkit::ports::free_port;
use keyward_testkit::process::{Keyward, PATIENCE, Running};
use keyward_testkit::wire;
use serde_json::{Value, json};

const HANDLERS: &str = "authenticators: {anonymous: {enabled: true}}\nauthorizers: {allow: {enabled: true}}\n\
                        mutators: {noop: {enabled: true}}\n";

fn rules(upstream: &str) -> String {
    format!(
        "- id: r\n  match: {{url: \"http://<[^/]*>/a<.*>\", methods: [GET, POST]}}\n  \
         authenticators: [{{handler: anonymous}}]\n  authorizer: {{handler: allow}}\n  \
         mutators: [{{handler: noop}}]\n  upstream: {{url: \"{upstream}\"}}\n"
    )
}

/// A server whose configuration is the handlers and `extra`, over one that echoes.
fn start(extra: &str) -> (Running, Recorder) {
    let recorder = Recorder::start(true);
    let rules = rules(&format!("http://127.0.0.1:{}", recorder.port));
    let running = Keyward::new(env!("CARGO_BIN_EXE_keyward")).with(&config(extra), &rules).start();
    (running, recorder)
}

fn config(extra: &str) -> String {
    format!("{HANDLERS}{extra}")
}

fn change(running: &Running, extra: &str) {
    running.replace("config.yaml", &config(extra));
}

/// The values of a header that the upstream got.
fn received(request: &Value, name: &str) -> Vec<String> {
    let lines = request["headers"].as_array().unwrap().iter();
    let same = lines.filter(|line| line[0].as_str().unwrap().eq_ignore_ascii_case(name));
    same.map(|line| line[1].as_str().unwrap().to_owned()).collect()
}

#[test]
fn limits_and_trust_change_for_requests_on_open_connections_too() {
    let (running, recorder) = start("");
    let stream = TcpStream::connect(("127.0.0.1", running.proxy)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let ask = || {
        (&stream)
            .write_all(b"POST /a HTTP/1.1\r\nHost: h\r\nX-Forwarded-Host: f\r\nContent-Length: 4\r\n\r\nbody")
            .unwrap();
        wire::read_response(&mut BufReader::new(&stream), false).unwrap().status()
    };
    assert_eq!(ask(), 200);
    change(&running, "serve: {proxy: {trust_forwarded_headers: true, limits: {body_bytes: 4}}}\n");
    running.until("trusting", |_| {
        recorder.take();
        assert_eq!(ask(), 200);
        received(&recorder.take()[0], "x-forwarded-host") == ["f"]
    });
    change(&running, "serve: {proxy: {limits: {body_bytes: 3}}}\n");
    running.until("the limit", |running| running.request("POST", "/a", &[], "body").status() == 413);
    assert_eq!(running.request("POST", "/a", &[("X-Forwarded-Host", "f")], "bod").status(), 200);
    let last = recorder.take().pop().unwrap();
    assert_eq!(received(&last, "x-forwarded-host"), Vec::<String>::new());
}

#[test]
fn another_way_to_upstreams_leaves_the_old_connections() {
    let (one, two) = (Recorder::start(true), Recorder::start(true));
    let resolve =
        |port: u16| format!("serve: {{proxy: {{upstream: {{resolve: [\"upstream.test:80:127.0.0.1:{port}\"]}}}}}}\n");
    let rules = rules("http://upstream.test");
    let running = Keyward::new(env!("CARGO_BIN_EXE_keyward")).with(&config(&resolve(one.port)), &rules).start();
    for _ in 0..4 {
        assert_eq!(running.get("/a", &[]).status(), 200);
    }
    assert_eq!((one.take().len(), two.take().len()), (4, 0));
    change(&running, &resolve(two.port));
    running.until("the other server", |running| running.get("/a", &[]).status() == 200 && !two.take().is_empty());
    one.take();
    for _ in 0..8 {
        assert_eq!(running.get("/a", &[]).status(), 200);
    }
    assert_eq!((one.take().len(), two.take().len()), (0, 8));
    change(&running, "serve: {proxy: {upstream: {ca_files: [/nonexistent.pem]}}}\n");
    running.until("refusing it", |running| running.log().contains("/nonexistent.pem"));
    assert_eq!((running.get("/a", &[]).status(), two.take().len()), (200, 1));
}

#[test]
fn the_log_and_the_labels_of_metrics_change() {
    let (running, _recorder) = start("log: {level: warn}\n");
    running.get("/a/secret/path", &[]);
    running.until("counting", |running| {
        running
            .metric("ory_oathkeeper_requests_total{service=\"oathkeeper-proxy\",method=\"GET\",request=\"/a\"")
            .is_some()
    });
    assert_eq!(running.log(), "");
    change(&running, "log: {level: info, format: json}\nserve: {prometheus: {collapse_request_paths: false}}\n");
    running.until("the log", |running| running.log().contains("\"message\":\"rules are in force\""));
    running.until("the label", |running| {
        // Not every core may know of it as soon as the log says so.
        running.get("/a/b/c", &[]);
        running
            .metric("ory_oathkeeper_requests_total{service=\"oathkeeper-proxy\",method=\"GET\",request=\"/a/b/c\"")
            .is_some()
    });
    let lines = running.log();
    assert!(lines.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{lines}");
}

#[test]
fn the_audit_log_moves_without_losing_a_record() {
    let (running, _recorder) = start("");
    let lines = |name: &str| fs::read_to_string(running.path(name)).unwrap_or_default().lines().count();
    assert_eq!(running.get("/a", &[]).status(), 200);
    running.until("the record", |_| lines("audit.log") == 1);
    // Rotation: the file is moved away, and begun again on SIGHUP.
    fs::rename(running.path("audit.log"), running.path("audit.1")).unwrap();
    assert_eq!(running.get("/a", &[]).status(), 200);
    running.until("the record in the moved file", |_| lines("audit.1") == 2);
    running.signal("HUP");
    running.until("the new file", |running| running.path("audit.log").exists());
    for _ in 0..20 {
        assert_eq!(running.get("/a", &[]).status(), 200);
    }
    running.until("every record", |_| lines("audit.1") + lines("audit.log") == 22);
    assert!(lines("audit.log") >= 19);
}

#[test]
fn a_sink_that_cannot_be_opened_leaves_the_old_one() {
    let recorder = Recorder::start(true);
    let rules = rules(&format!("http://127.0.0.1:{}", recorder.port));
    let keyward = Keyward::new(env!("CARGO_BIN_EXE_keyward")).without_env("AUDIT_SINK").without_env("AUDIT_PATH");
    let sink = |path: String| format!("audit: {{sink: file, path: {path}}}\n");
    let (first, second) =
        (keyward.path("audit.log").display().to_string(), keyward.path("second.log").display().to_string());
    let running = keyward.with(&config(&sink(first)), &rules).start();
    running.get("/a", &[]);
    running.audit(1);
    change(&running, &sink("/nonexistent/audit.log".to_owned()));
    running.until("refusing it", |running| running.log().contains("`audit.path`: the file cannot be opened"));
    running.get("/a", &[]);
    running.audit(2);
    change(&running, &sink(second));
    running.until("the second file", |running| running.path("second.log").exists());
    running.get("/a", &[]);
    let count = |name: &str| fs::read_to_string(running.path(name)).unwrap_or_default().lines().count();
    running.until("the record", |_| count("audit.log") + count("second.log") == 3);
    change(&running, "audit: {sink: off}\n");
    running.until("the end of records", |running| running.metric("keyward_reloads_total") == Some(2.0));
    running.get("/a", &[]);
    assert_eq!(running.metric("keyward_audit_records_lost_total"), Some(0.0));
}

#[test]
fn what_needs_a_restart_is_named_and_the_rest_takes_effect() {
    let (running, _recorder) = start("");
    let ports = free_port();
    // The environment fixes the ports of this test, so another setting stands for them.
    change(
        &running,
        "serve: {proxy: {workers: 7, limits: {body_bytes: 3, token_cache_bytes: 9}}, prometheus: {metric_name_prefix: other_}}\n\
         secrets: {traceable: false}\n",
    );
    running.until("the limit", |running| running.request("POST", "/a", &[], "body").status() == 413);
    for key in [
        "serve.proxy.workers",
        "serve.proxy.limits.token_cache_bytes",
        "serve.prometheus.metric_name_prefix",
        "secrets.traceable",
    ] {
        assert!(running.log().contains(&format!("`{key}` needs a restart")), "{key}\n{}", running.log());
    }
    change(&running, &format!("issuer: {{port: {ports}, insecure_open: true}}\n"));
    running.until("the issuer", |running| running.log().contains("`issuer` needs a restart"));
    assert!(TcpStream::connect(("127.0.0.1", ports)).is_err());
}

#[test]
fn a_port_that_changes_alone_says_that_it_needs_a_restart() {
    let keyward = Keyward::new(env!("CARGO_BIN_EXE_keyward")).without_env("SERVE_PROMETHEUS_PORT");
    let ports = (free_port(), free_port());
    let config = |port: u16| format!("{HANDLERS}serve: {{prometheus: {{port: {port}}}}}\n");
    let running = keyward.with(&config(ports.0), "[]").start();
    running.replace("config.yaml", &config(ports.1));
    running.until("saying so", |running| running.log().contains("`serve.prometheus.port` needs a restart"));
    assert!(TcpStream::connect(("127.0.0.1", ports.0)).is_ok() && TcpStream::connect(("127.0.0.1", ports.1)).is_err());
}

/// [T] of serving spec 6.2. A mounted ConfigMap changes by a link that is renamed; the file that was named stays a link all the time.
#[test]
fn ten_updates_of_a_config_map_take_effect() {
    let recorder = Recorder::start(true);
    let upstream = format!("http://127.0.0.1:{}", recorder.port);
    let keyward = Keyward::new(env!("CARGO_BIN_EXE_keyward"));
    let mounted = keyward.path("mounted");
    fs::create_dir(&mounted).unwrap();
    let update = |version: usize| {
        let directory = mounted.join(format!("..v{version}"));
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join("rules.yaml"), rules(&upstream).replace("/a<.*>", &format!("/v{version}"))).unwrap();
        symlink(format!("..v{version}"), mounted.join("..data_tmp")).unwrap();
        fs::rename(mounted.join("..data_tmp"), mounted.join("..data")).unwrap();
        if version > 0 {
            fs::remove_dir_all(mounted.join(format!("..v{}", version - 1))).unwrap();
        }
    };
    update(0);
    symlink("..data/rules.yaml", mounted.join("rules.yaml")).unwrap();
    let repository = format!("file://{}", mounted.join("rules.yaml").display());
    let config = keyward.write("config.yaml", &config(""));
    let running = keyward.env("ACCESS_RULES_REPOSITORIES", &repository).config(config).start();
    for version in 1..=10 {
        update(version);
        let status = |running: &Running, version: usize| running.get(&format!("/v{version}"), &[]).status();
        running.until("the new rules", |running| status(running, version) == 200);
        assert_eq!(status(&running, version - 1), 404);
    }
}

/// A longer or shorter life of key sets counts for the pause that is under way, too.
#[test]
fn how_often_key_sets_are_fetched_changes() {
    let keys = Recorder::start(false);
    keys.script(vec![json!({"path": "/jwks.json", "body": "{\"keys\": []}"})]);
    let config = |ttl: &str| {
        format!(
            "authenticators: {{jwt: {{enabled: true, config: {{jwks_urls: [\"http://127.0.0.1:{}/jwks.json\"], \
             jwks_ttl: {ttl}}}}}}}\nauthorizers: {{allow: {{enabled: true}}}}\nmutators: {{noop: {{enabled: true}}}}\n",
            keys.port
        )
    };
    let rules = rules("http://127.0.0.1:1").replace("anonymous", "jwt");
    let running = Keyward::new(env!("CARGO_BIN_EXE_keyward")).with(&config("1h"), &rules).start();
    let fetched = std::cell::Cell::new(0);
    let has_fetched = |count: usize| {
        fetched.set(fetched.get() + keys.take().len());
        fetched.get() >= count
    };
    running.until("the first fetch", |_| has_fetched(1));
    running.replace("config.yaml", &config("1s"));
    running.until("two more fetches, an hour early", |_| has_fetched(3));
}

#[test]
fn the_issuers_clients_and_keys_change() {
    let port = free_port();
    let keyward = Keyward::new(env!("CARGO_BIN_EXE_keyward"));
    keyward.write("one.json", &generate("ES256", "one", 0).unwrap().to_string());
    keyward.write("two.json", &generate("ES256", "two", 0).unwrap().to_string());
    keyward.write("secret", "a-secret-that-is-long-enough\n");
    let at = |name: &str| keyward.path(name).display().to_string();
    let issuer = |client: &str, key: &str, other: &str| {
        format!(
            "{HANDLERS}issuer:\n  port: {port}\n  host: 127.0.0.1\n  keys: [{{path: {}}}, {{path: {}, role: next}}]\n  \
             clients: [{{id: {client}, secret_path: {}, scopes: [\"a\"]}}]\n",
            at(key),
            at(other),
            at("secret")
        )
    };
    let (before, after) = (issuer("old", "one.json", "two.json"), issuer("new", "two.json", "one.json"));
    let broken = before.replace("one.json", "nosuch.json");
    let running = keyward.with(&before, "[]").start();
    let token = |client: &str| {
        let body =
            format!("grant_type=client_credentials&client_id={client}&client_secret=a-secret-that-is-long-enough");
        let request = format!(
            "POST /token HTTP/1.1\r\nHost: i\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        wire::exchange(port, request.as_bytes(), PATIENCE).unwrap()
    };
    assert_eq!((token("old").status(), token("new").status()), (200, 401));
    running.replace("config.yaml", &broken);
    running.until("refusing it", |running| running.log().contains("the reload failed"));
    assert_eq!(token("old").status(), 200);
    running.replace("config.yaml", &after);
    running.until("the new client", |_| token("new").status() == 200);
    assert_eq!(token("old").status(), 401);
    let key_set = wire::exchange(port, b"GET /.well-known/jwks.json HTTP/1.1\r\nHost: i\r\n\r\n", PATIENCE).unwrap();
    let key_set: Value = serde_json::from_str(&key_set.text()).unwrap();
    assert_eq!(key_set["keys"][0]["kid"], json!("two"));
    // A secret that changes in its file needs no change of the configuration.
    running.replace("secret", "another-secret-that-is-long\n");
    running.until("the new secret", |_| token("new").status() == 401);
}

#[test]
fn time_limits_are_for_pauses_and_not_for_the_whole() {
    let (running, _recorder) = start("serve: {proxy: {timeout: {read: 1s, write: 1s}}}\n");
    let mut stream = TcpStream::connect(("127.0.0.1", running.proxy)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\n").unwrap();
    for piece in [b"ab", b"cd", b"ef"] {
        std::thread::sleep(std::time::Duration::from_millis(500));
        stream.write_all(piece).unwrap();
    }
    assert_eq!(wire::read_response(&mut BufReader::new(&stream), false).unwrap().status(), 200);
    // A body that rests is given up.
    let mut stream = TcpStream::connect(("127.0.0.1", running.proxy)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nab").unwrap();
    assert_eq!(wire::read_response(&mut BufReader::new(&stream), false).unwrap().status(), 408);
}
