//! Copies of rules on disk, signatures of rules behind URLs, and the version of the rules in answers.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use keyward_testkit::documents::{DocumentServer, HANDLERS, denying_rule as rule};
use keyward_testkit::process::{Keyward, Running};
use keyward_testkit::wire::Message;

/// A server that keeps copies of the rules at a URL.
fn keyward(url: &str, cache: &Path) -> Keyward {
    let keyward = Keyward::new(env!("CARGO_BIN_EXE_keyward"));
    let config = format!(
        "{HANDLERS}access_rules: {{repositories: [\"{url}\"], refresh_interval: 1s, cache_dir: \"{}\"}}\n",
        cache.display()
    );
    let path = keyward.write("config.yaml", &config);
    keyward.config(path)
}

fn status(running: &Running, path: &str) -> u16 {
    running.get(path, &[]).status()
}

/// Stale, and from a copy.
fn standing(running: &Running) -> [Option<f64>; 2] {
    ["stale", "from_copy"].map(|name| running.metric(&format!("keyward_repository_{name}{{repository=\"0\"")))
}

/// The copies of a directory.
fn copies(cache: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(cache).into_iter().flatten().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "rules")).collect()
}

fn copied(running: &Running, cache: &Path, text: &str) {
    let has = |path: &PathBuf| fs::read_to_string(path).is_ok_and(|found| found.ends_with(text));
    running.until("the copy", |_| copies(cache).iter().any(has));
}

#[test]
fn a_start_while_the_source_is_down_serves_the_last_good_rules() {
    let (server, directory) = (DocumentServer::start(), tempfile::tempdir().unwrap());
    let cache = directory.path().join("cache");
    let url = server.url("/rules.yaml?token=s3cr3t").replace("http://", "http://user:s3cr3t@");
    server.put("/rules.yaml", &rule("a"), Some("one"));
    let running = keyward(&url, &cache).start();
    copied(&running, &cache, &rule("a"));
    server.put("/rules.yaml", &rule("b"), Some("two"));
    running.until("the change", |running| status(running, "/b") == 403);
    copied(&running, &cache, &rule("b"));
    // What is not put in force is not kept.
    server.put("/rules.yaml", "- just a text\n", Some("three"));
    running.until("the refusal", |running| running.log().contains("cannot be used"));
    drop(running);
    let copy = copies(&cache);
    assert_eq!(copy.len(), 1);
    assert!(!fs::read_to_string(&copy[0]).unwrap().contains("s3cr3t"));

    // It answers, but nothing of use.
    let running = keyward(&url, &cache).start();
    assert_eq!((status(&running, "/b"), standing(&running)), (403, [Some(1.0), Some(1.0)]));
    drop(running);
    for document in ["", "{}"] {
        server.put("/rules.yaml", document, None);
        let running = keyward(&url, &cache).start();
        assert_eq!((status(&running, "/b"), standing(&running)), (403, [Some(1.0), Some(1.0)]), "{document}");
    }

    server.be_down(true);
    let running = keyward(&url, &cache).start();
    assert_eq!((status(&running, "/b"), standing(&running)), (403, [Some(1.0), Some(1.0)]));
    assert!(running.log().contains("the last good ones are used, from the copy on disk"), "{}", running.log());
    assert!(!running.log().contains("s3cr3t"), "{}", running.log());
    let ready = running.api("/health/ready?verbose").unwrap();
    assert_eq!(ready.status(), 200);
    let source = serde_json::from_str::<serde_json::Value>(&ready.text()).unwrap()["sources"][0].clone();
    assert_eq!((source["kind"].as_str(), source["state"].as_str()), (Some("rules"), Some("stale")), "{source}");
    assert!(source["age_seconds"].is_u64() && source["problem"].is_string(), "{source}");
    assert!(!ready.text().contains("s3cr3t"), "{source}");
    // It is asked again; that it knows the copy is as good as sending it.
    server.put("/rules.yaml", &rule("b"), Some("two"));
    server.be_down(false);
    running.until("recovery", |running| standing(running) == [Some(0.0), Some(0.0)]);
    assert!(server.heads().last().unwrap().contains("if-none-match: \"two\""));
    drop(running);
    // So is a start.
    let asked = server.heads().len();
    let running = keyward(&url, &cache).start();
    assert_eq!((status(&running, "/b"), standing(&running)), (403, [Some(0.0), Some(0.0)]));
    assert!(server.heads()[asked].contains("if-none-match: \"two\""));
}

/// As at a start: what an earlier run, or an earlier configuration, has left serves.
#[test]
fn a_reload_that_adds_a_source_that_is_down_serves_its_copy() {
    let (server, other, directory) = (DocumentServer::start(), DocumentServer::start(), tempfile::tempdir().unwrap());
    let cache = directory.path().join("cache");
    let (url, second) = (server.url("/rules.yaml"), other.url("/rules.yaml"));
    server.put("/rules.yaml", &rule("a"), None);
    other.put("/rules.yaml", &rule("b"), Some("one"));
    let config = |urls: &str| {
        format!(
            "{HANDLERS}access_rules: {{repositories: [{urls}], refresh_interval: 1s, cache_dir: \"{}\"}}\n",
            cache.display()
        )
    };
    let (one, both) = (config(&format!("\"{url}\"")), config(&format!("\"{url}\", \"{second}\"")));
    let running = keyward(&url, &cache).start();
    let reload_fails = |running: &Running| running.metric("keyward_reload_failures_total").unwrap();
    other.be_down(true);
    running.replace("config.yaml", &both);
    running.until("refusing what has no copy", |running| reload_fails(running) >= 1.0);
    assert!(running.log().contains("the rules cannot be fetched"), "{}", running.log());
    assert_eq!((status(&running, "/a"), status(&running, "/b")), (403, 404));
    other.be_down(false);
    running.replace("config.yaml", &(both.clone() + "log: {level: debug}\n"));
    running.until("both", |running| status(running, "/b") == 403);
    copied(&running, &cache, &rule("b"));
    let copy = copies(&cache).into_iter().find(|path| fs::read_to_string(path).unwrap().ends_with(&rule("b"))).unwrap();
    let hour = std::time::Duration::from_secs(3600);

    let of_second = |running: &Running| {
        ["stale", "from_copy"].map(|name| running.metric(&format!("keyward_repository_{name}{{repository=\"1\"")))
    };
    for (what, fault) in [("down", None), ("nothing of use", Some("- just a text\n")), ("empty", Some(""))] {
        running.replace("config.yaml", &one);
        running.until("one", |running| status(running, "/b") == 404);
        fs::File::open(&copy).unwrap().set_modified(std::time::SystemTime::now() - hour).unwrap();
        match fault {
            Some(document) => other.put("/rules.yaml", document, None),
            None => other.be_down(true),
        }
        let said = running.log().matches("the last good ones are used, from the copy on disk").count();
        running.replace("config.yaml", &both);
        running.until("both", |running| status(running, "/b") == 403);
        assert_eq!((status(&running, "/a"), of_second(&running)), (403, [Some(1.0), Some(1.0)]), "{what}");
        assert_eq!(
            running.log().matches("the last good ones are used, from the copy on disk").count(),
            said + 1,
            "{what}: {}",
            running.log()
        );
        let age = running.metric("keyward_repository_age_seconds{repository=\"1\"").unwrap();
        assert!((3600.0..3700.0).contains(&age), "{what}: {age}");
        // That it was read is no news of its source.
        assert!(fs::metadata(&copy).unwrap().modified().unwrap().elapsed().unwrap() >= hour, "{what}");
        let ready = running.api("/health/ready?verbose").unwrap();
        let source = serde_json::from_str::<serde_json::Value>(&ready.text()).unwrap()["sources"][1].clone();
        assert_eq!((ready.status(), source["state"].as_str()), (200, Some("stale")), "{what}: {source}");
        assert!(source["age_seconds"].as_u64() >= Some(3600) && source["problem"].is_string(), "{what}: {source}");
        other.be_down(false);
        other.put("/rules.yaml", &rule("b"), Some("one"));
        running.until("recovery", |running| of_second(running) == [Some(0.0), Some(0.0)]);
    }
}

/// What can change does, whatever stands in the way of something else.
#[test]
fn a_source_that_changes_does_not_wait_for_a_file_that_cannot_be_read() {
    let server = DocumentServer::start();
    server.put("/rules.yaml", &rule("b"), None);
    let keyward = Keyward::new(env!("CARGO_BIN_EXE_keyward"));
    let file = keyward.write("rules.yaml", &rule("a")).display().to_string();
    let url = server.url("/rules.yaml");
    let path = keyward.write(
        "config.yaml",
        &format!("{HANDLERS}access_rules: {{repositories: [\"{file}\", \"{url}\"], refresh_interval: 1s}}\n"),
    );
    let running = keyward.config(path).start();
    running.replace("rules.yaml", "- no: [such\n");
    running.until("refusing the file", |running| running.log().contains("the reload failed"));
    server.put("/rules.yaml", &rule("c"), None);
    running.until("the change", |running| status(running, "/c") == 403);
    assert_eq!((status(&running, "/a"), status(&running, "/b"), standing(&running)[0]), (403, 404, Some(1.0)));
    running.replace("rules.yaml", &rule("d"));
    running.until("the file again", |running| status(running, "/d") == 403);
    assert_eq!((status(&running, "/a"), status(&running, "/c"), standing(&running)[0]), (404, 403, Some(0.0)));
}

/// An empty document is not worse than an empty copy.
#[test]
fn a_source_that_said_nothing_before_may_say_nothing_again() {
    let (server, directory) = (DocumentServer::start(), tempfile::tempdir().unwrap());
    let cache = directory.path().join("cache");
    server.put("/rules.yaml", "# nothing yet\n", None);
    for _ in 0..2 {
        let running = keyward(&server.url("/rules.yaml"), &cache).start();
        copied(&running, &cache, "# nothing yet\n");
        assert_eq!(standing(&running), [Some(0.0), Some(0.0)], "{}", running.log());
    }
}

#[test]
fn a_start_while_the_source_is_down_needs_a_copy_that_can_be_believed() {
    let (server, directory) = (DocumentServer::start(), tempfile::tempdir().unwrap());
    let cache = directory.path().join("cache");
    let url = server.url("/rules.yaml");
    server.put("/rules.yaml", &rule("a"), None);
    let running = keyward(&url, &cache).start();
    copied(&running, &cache, &rule("a"));
    drop(running);
    let copy = copies(&cache).remove(0);
    let whole = fs::read(&copy).unwrap();
    type Damage<'a> = &'a dyn Fn();
    let rows: [(&str, Damage<'_>); 4] = [
        ("its checksum differs", &|| fs::write(&copy, &whole[..whole.len() - 1]).unwrap()),
        ("it is no copy of rules", &|| fs::write(&copy, rule("a")).unwrap()),
        ("others can write to it", &|| fs::set_permissions(&copy, fs::Permissions::from_mode(0o666)).unwrap()),
        ("", &|| fs::remove_file(&copy).unwrap()),
    ];
    for (said, damage) in rows {
        fs::write(&copy, &whole).unwrap();
        damage();
        server.fail("HTTP/1.1 404 Gone\r\nContent-Length: 0\r\n\r\n");
        let running = keyward(&url, &cache).start_without_rules("status 404");
        assert!(running.log().contains(said), "{said}: {}", running.log());
    }
    // With the source up it does not matter, and the copy is made anew.
    fs::write(&copy, "damaged").unwrap();
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o600)).unwrap();
    let running = keyward(&url, &cache).start();
    copied(&running, &cache, &rule("a"));
    drop(running);
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o777)).unwrap();
    let (code, _, error) = keyward(&url, &cache).run(&["serve"]);
    assert!(code == 1 && error.contains("`access_rules.cache_dir`: others can write to it"), "{code} {error}");
}

#[test]
fn a_start_without_a_copy_goes_on_asking_and_opens_its_port_when_the_source_is_back() {
    let (server, directory) = (DocumentServer::start(), tempfile::tempdir().unwrap());
    let cache = directory.path().join("cache");
    server.put("/rules.yaml", &rule("a"), None);
    server.be_down(true);
    // Its usual time is too far away for callers who are turned away meanwhile.
    let keyward = keyward(&server.url("/rules.yaml"), &cache).env("ACCESS_RULES_REFRESH_INTERVAL", "1h");
    let running = keyward.start_without_rules("the rules cannot be fetched");
    running.until("several attempts", |_| server.asked("/rules.yaml") >= 3);
    assert!(running.unready("rules").is_some() && copies(&cache).is_empty(), "{}", running.log());
    server.be_down(false);
    running.until("the rules", |running| running.send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n").is_ok());
    assert_eq!((status(&running, "/a"), running.unready("rules")), (403, None));
    copied(&running, &cache, &rule("a"));
}

#[test]
fn a_check_says_whether_copies_can_be_kept_and_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let with_mode = |name: &str, mode: u32| {
        fs::create_dir(at(name)).unwrap();
        fs::set_permissions(at(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    with_mode("own", 0o700);
    with_mode("open", 0o777);
    with_mode("closed", 0o500);
    fs::write(at("file"), "").unwrap();
    std::os::unix::fs::symlink("nowhere", at("dangling")).unwrap();
    let refused = [
        ("file", "`access_rules.cache_dir`: it is not a directory"),
        ("open", "`access_rules.cache_dir`: others can write to it"),
    ];
    let unwritable = "`access_rules.cache_dir`: no copy of rules can be written there: ";
    let mut warned = vec![("file/below", unwritable), ("dangling", unwritable), ("dangling/below", unwritable)];
    // Nothing is closed to root.
    if fs::write(at("closed/probe"), "").is_err() {
        warned.extend([("closed", unwritable), ("closed/below", unwritable)]);
    }
    let check = |name: &str| {
        let server = keyward("http://127.0.0.1:1/rules.yaml", &at(name));
        let before = fs::read_dir(directory.path()).unwrap().count();
        let (code, out, err) = server.run(&["config", "check"]);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), before, "{name}");
        (code, out + &err, server)
    };
    for name in ["own", "new", "new/below", "own/below"] {
        let (code, said, _) = check(name);
        assert!(code == 0 && !said.contains("cache_dir"), "{name}: {said}");
        assert!(name == "own" || !at(name).exists());
    }
    for (name, expected) in refused {
        let (code, said, server) = check(name);
        assert!(code == 1 && said.contains(expected), "{name}: {said}");
        // In the same words.
        let (code, _, err) = server.run(&["serve"]);
        assert!(code == 1 && err.contains(expected), "{name}: {err}");
    }
    for (name, expected) in warned {
        let (code, said, _) = check(name);
        assert!(code == 0 && said.contains(expected), "{name}: {said}");
    }
}

#[test]
fn a_disk_that_takes_nothing_more_stops_no_request() {
    let (server, directory) = (DocumentServer::start(), tempfile::tempdir().unwrap());
    let cache = directory.path().join("cache");
    let url = server.url("/rules.yaml");
    server.put("/rules.yaml", &rule("a"), None);
    let running = keyward(&url, &cache).with_full_disk(400).start();
    copied(&running, &cache, &rule("a"));
    // More than fits.
    let large = format!("{}# {}\n", rule("b"), "x".repeat(500_000));
    server.put("/rules.yaml", &large, None);
    running.until("the change", |running| status(running, "/b") == 403);
    let failures = |running: &Running| running.metric("keyward_repository_copy_failures_total").unwrap();
    running.until("saying so", |running| failures(running) >= 1.0);
    assert!(
        running.log().contains("could not be copied to disk") && running.log().contains("File too large"),
        "{}",
        running.log()
    );
    // It is tried again and said once, the older copy stays whole, and nothing half-written is left.
    running.until("trying again", |running| failures(running) >= 2.0);
    assert_eq!(running.log().matches("could not be copied to disk").count(), 1, "{}", running.log());
    assert_eq!(fs::read_dir(&cache).unwrap().count(), 1);
    copied(&running, &cache, &rule("a"));
    server.put("/rules.yaml", &rule("c"), None);
    running.until("the next change", |running| status(running, "/c") == 403);
    copied(&running, &cache, &rule("c"));
    // As good as a file system that is read-only.
    fs::remove_dir_all(&cache).unwrap();
    fs::write(&cache, "").unwrap();
    server.put("/rules.yaml", &rule("d"), None);
    let before = failures(&running);
    running.until("the last change", |running| status(running, "/d") == 403 && failures(running) > before);
}

#[test]
fn a_process_that_is_killed_while_it_writes_leaves_a_whole_copy() {
    let (server, directory) = (DocumentServer::start(), tempfile::tempdir().unwrap());
    let cache = directory.path().join("cache");
    let url = server.url("/rules.yaml");
    let padding = format!("# {}\n", "x".repeat(2_000_000));
    server.put("/rules.yaml", &(rule("v0") + &padding), None);
    let running = keyward(&url, &cache).start();
    copied(&running, &cache, &padding);
    drop(running);
    for round in 1..=5 {
        let running = keyward(&url, &cache).start();
        server.put("/rules.yaml", &(rule(&format!("v{round}")) + &padding), None);
        // The copy is being written as soon as this can be seen.
        running.until("the change", |running| status(running, &format!("/v{round}")) == 403);
        running.signal("KILL");
        drop(running);
        server.be_down(true);
        let running = keyward(&url, &cache).start();
        let found = [round, round - 1].map(|version| status(&running, &format!("/v{version}")));
        assert!(matches!(found, [403, 404] | [404, 403]), "{found:?}");
        assert!(!running.log().contains("is not used"), "{}", running.log());
        server.be_down(false);
    }
}

macro_rules! signed {
    ($name:literal) => {
        include_str!(concat!("signed/", $name))
    };
}

#[test]
fn rules_behind_a_url_need_their_signature_when_a_key_is_named() {
    let (server, directory) = (DocumentServer::start(), tempfile::tempdir().unwrap());
    let cache = directory.path().join("cache");
    let url = server.url("/rules.yaml");
    let signed = || {
        let keyward = keyward(&url, &cache);
        let item = serde_json::json!([{"url": url, "public_key": signed!("public_key").trim()}]);
        keyward.env("ACCESS_RULES_REPOSITORIES", &item.to_string())
    };
    let refused =
        |running: &Running| running.metric("keyward_repository_fetches_total{outcome=\"refused\"}").unwrap_or_default();
    server.put("/rules.yaml", signed!("rules.yaml"), None);
    drop(signed().start_without_rules("it is not signed"));
    server.put("/rules.yaml.minisig", signed!("stranger.minisig"), None);
    drop(signed().start_without_rules("the signature was made with another key"));
    server.put("/rules.yaml.minisig", signed!("rules.yaml.minisig"), None);
    let running = signed().start();
    copied(&running, &cache, signed!("rules.yaml"));
    server.put("/rules.yaml", signed!("changed.yaml"), None);
    running.until("the mismatch", |running| running.log().contains("the signature is not one of this document"));
    running.until("a second look", |running| refused(running) >= 2.0);
    assert_eq!((status(&running, "/a"), status(&running, "/b"), standing(&running)[0]), (403, 404, Some(1.0)));
    server.put("/rules.yaml.minisig", signed!("changed.yaml.minisig"), None);
    running.until("the signed change", |running| status(running, "/b") == 403);
    copied(&running, &cache, signed!("changed.yaml"));
    drop(running);

    // The copy is checked again, by the key of now.
    server.be_down(true);
    let running = signed().start();
    assert_eq!((status(&running, "/b"), standing(&running)), (403, [Some(1.0), Some(1.0)]));
    drop(running);
    server.be_down(false);
    let unsigned = keyward(&url, &cache).start();
    server.put("/rules.yaml", &rule("c"), None);
    unsigned.until("an unsigned change", |running| status(running, "/c") == 403);
    copied(&unsigned, &cache, &rule("c"));
    drop(unsigned);
    server.fail("HTTP/1.1 404 Gone\r\nContent-Length: 0\r\n\r\n");
    let running = signed().start_without_rules("status 404");
    assert!(running.log().contains("it carries no signature"), "{}", running.log());
}

#[test]
fn answers_carry_the_version_of_their_rules_when_asked_to() {
    let config = |shows: bool| format!("{HANDLERS}serve: {{proxy: {{rules_version_header: {shows}}}}}\n");
    let open = rule("open").replace("handler: deny", "handler: allow");
    let running = Keyward::new(env!("CARGO_BIN_EXE_keyward")).with(&config(true), &(rule("a") + &open)).start();
    let in_header = |answer: Message| answer.header("x-keyward-rules-version").map(str::to_owned);
    let version = |path: &str| in_header(running.get(path, &[]));
    let first = version("/a").unwrap();
    // Whatever the answer is, and whoever is asked.
    assert_eq!(version("/nosuch").as_ref(), Some(&first));
    assert_eq!(version("/a%00").as_ref(), Some(&first));
    for (path, status) in [("/open", 200), ("/a", 403), ("/nosuch", 404), ("/a%00", 400)] {
        let decision = running.decision("GET", path, &[]);
        assert_eq!((decision.status(), in_header(decision).as_ref()), (status, Some(&first)), "{path}");
    }
    for record in running.audit(7) {
        assert_eq!(record["rules_version"].as_str(), Some(first.as_str()));
    }
    running.replace("rules.yaml", &rule("b"));
    running.until("the change", |running| status(running, "/b") == 403);
    let second = version("/b").unwrap();
    assert_ne!(second, first);
    assert_eq!(in_header(running.decision("GET", "/b", &[])), Some(second));
    running.replace("rules.yaml", &(rule("a") + &open));
    running.until("the first rules again", |_| version("/a").as_ref() == Some(&first));
    running.replace("config.yaml", &config(false));
    running.until("silence", |_| version("/a").is_none());
    for path in ["/open", "/a"] {
        assert_eq!(in_header(running.decision("GET", path, &[])), None, "{path}");
    }
}
