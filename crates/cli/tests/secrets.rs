//! Secrets that change, go and come back while the real binary serves.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use keyward_testkit::conformance::recorder::Recorder;
use keyward_testkit::process::{Keyward, Running};

const HANDLERS: &str = "authenticators: {anonymous: {enabled: true}}\nauthorizers: {allow: {enabled: true}}\n\
                        mutators: {header: {enabled: true}}\n";

/// One rule that injects a template.
fn rules(upstream: &str, template: &str) -> String {
    format!(
        "- id: r\n  match: {{url: \"http://<[^/]*>/a\", methods: [GET]}}\n  authenticators: [{{handler: anonymous}}]\n  \
         authorizer: {{handler: allow}}\n  mutators:\n    - handler: header\n      config:\n        headers:\n          \
         Authorization: 'Bearer {template}'\n  upstream: {{url: \"{upstream}\"}}\n"
    )
}

/// A server whose `secrets` block is what `secrets` makes of its directory.
fn start(template: &str, secrets: impl FnOnce(&Keyward) -> String) -> (Running, Recorder) {
    let recorder = Recorder::start(true);
    let keyward = Keyward::new(env!("CARGO_BIN_EXE_keyward"));
    let config = format!("{HANDLERS}secrets: {}\n", secrets(&keyward));
    let rules = rules(&format!("http://127.0.0.1:{}", recorder.port), template);
    (keyward.with(&config, &rules).start(), recorder)
}

/// A template, and where its value comes from: a file `jira` of a mounted directory, in each of the ways to name it.
const PLACES: [(&str, &str); 3] = [
    ("{{ secret \"jira\" }}", "{sources: [{file: PLACE/jira}]}"),
    ("{{ secret \"jira\" }}", "{sources: [{directory: PLACE}]}"),
    ("{{ env \"jira\" }}", "{env_dir: PLACE}"),
];

/// The value is `v1`.
fn start_with_mounted(template: &str, secrets: &str) -> (Running, Recorder) {
    start(template, |keyward| {
        keyward.write("mounted/jira", "v1");
        secrets.replace("PLACE", &keyward.path("mounted").display().to_string())
    })
}

/// Replaces a file as deployments do.
fn replace(path: &Path, text: &str) {
    let fresh = path.with_extension("fresh");
    fs::write(&fresh, text).unwrap();
    fs::rename(fresh, path).unwrap();
}

/// Replaces all files of a mounted Kubernetes secret.
fn mount(directory: &Path, version: usize, name: &str, text: &str) {
    let data = directory.join(format!("..v{version}"));
    fs::create_dir_all(&data).unwrap();
    fs::write(data.join(name), text).unwrap();
    symlink(format!("..v{version}"), directory.join("..data_tmp")).unwrap();
    fs::rename(directory.join("..data_tmp"), directory.join("..data")).unwrap();
    if version > 0 {
        fs::remove_dir_all(directory.join(format!("..v{}", version - 1))).unwrap();
    } else {
        symlink(format!("..data/{name}"), directory.join(name)).unwrap();
    }
}

/// Every request carries the old value or the new one.
#[test]
fn values_rotate_under_requests_and_none_goes_without() {
    type Write = fn(&Path, usize);
    let rows: [(&str, &str, &str, Write); 4] = [
        ("file", "{{ secret \"jira\" }}", "{sources: [{file: PLACE/jira}]}", |place, version| {
            replace(&place.join("jira"), &format!("v{version}\n"));
        }),
        ("directory", "{{ secret \"jira\" }}", "{sources: [{directory: PLACE}]}", |place, version| {
            replace(&place.join("jira"), &format!("v{version}\n"));
        }),
        ("mounted directory", "{{ secret \"jira\" }}", "{sources: [{directory: PLACE}]}", |place, version| {
            mount(place, version, "jira", &format!("v{version}"));
        }),
        ("mounted env_dir", "{{ env \"JIRA\" }}", "{env_dir: PLACE}", |place, version| {
            mount(place, version, "JIRA", &format!("v{version}"));
        }),
    ];
    for (what, template, secrets, write) in rows {
        let (running, recorder) = start(template, |keyward| {
            let place = keyward.path("secrets");
            fs::create_dir(&place).unwrap();
            write(&place, 0);
            secrets.replace("PLACE", &place.display().to_string())
        });
        let (ended, asked) = (AtomicBool::new(false), AtomicBool::new(false));
        std::thread::scope(|scope| {
            let asking = scope.spawn(|| {
                let mut statuses = BTreeSet::new();
                while !ended.load(Ordering::Relaxed) {
                    statuses.insert(running.get("/a", &[]).status());
                    asked.store(true, Ordering::Relaxed);
                }
                statuses
            });
            let mut seen = Vec::new();
            for version in 0..=4 {
                if version > 0 {
                    write(&running.path("secrets"), version);
                }
                let newest = format!("Bearer v{version}");
                let all = std::cell::RefCell::new(Vec::new());
                running.until(&format!("{what}: {newest}"), |_| {
                    all.borrow_mut().extend(recorder.take_header("authorization"));
                    all.borrow().contains(&newest)
                });
                seen.extend(all.into_inner());
            }
            ended.store(true, Ordering::Relaxed);
            assert_eq!(asking.join().unwrap(), BTreeSet::from([200]), "{what}");
            assert!(seen.iter().all(|value| value.starts_with("Bearer v") && value.len() == 9), "{what}: {seen:?}");
            assert!(seen.is_sorted(), "{what}: no older value after a newer one: {seen:?}");
        });
        assert!(asked.into_inner());
    }
}

#[test]
fn a_value_whose_source_is_down_is_used_until_it_is_too_old_and_the_rule_heals() {
    let (running, recorder) = start("{{ secret \"jira\" }}", |keyward| {
        let path = keyward.write("mounted/jira", "v1");
        format!("{{max_stale: 6s, refresh_interval: 1s, sources: [{{file: {}}}]}}", path.display())
    });
    let path = running.path("mounted/jira");
    assert_eq!(running.get("/a", &[]).status(), 200);
    // An in-place write is not read while it is empty.
    fs::write(&path, "").unwrap();
    running.until("noticing", |running| running.log().contains("the value is empty"));
    assert_eq!(running.get("/a", &[]).status(), 200);
    fs::remove_file(&path).unwrap();
    running.until("noticing", |running| running.log().contains("No such file"));
    assert_eq!(running.get("/a", &[]).status(), 200);
    assert!(recorder.take_header("authorization").iter().all(|value| value == "Bearer v1"));
    running.until("denying", |running| running.get("/a", &[]).status() == 500);
    let log = running.log();
    for part in [
        "rule `r`: mutator `header`: template of `Authorization`: secret `jira`: file `jira` has not confirmed it for \
         longer than `secrets.max_stale`",
        "rules.yaml:9:26",
        "check the path, and that Keyward's user may read the file",
    ] {
        assert!(log.contains(part), "{part}\n{log}");
    }
    assert_eq!(running.metric("keyward_secrets_missing"), Some(1.0));
    assert_eq!(running.metric("keyward_rules_broken"), Some(1.0));
    recorder.take_header("authorization");
    replace(&path, "v2");
    running.until("healing", |running| running.get("/a", &[]).status() == 200);
    assert_eq!(recorder.take_header("authorization"), ["Bearer v2"]);
}

/// Rules whose file cannot be read must not go on with a value that is too old.
#[test]
fn a_value_that_is_too_old_is_not_used_while_the_rule_file_cannot_be_read_either() {
    let (running, recorder) = start("{{ secret \"jira\" }}", |keyward| {
        let path = keyward.write("mounted/jira", "v1");
        format!("{{max_stale: 4s, refresh_interval: 1s, sources: [{{file: {}}}]}}", path.display())
    });
    let rules = fs::read_to_string(running.path("rules.yaml")).unwrap();
    fs::remove_file(running.path("mounted/jira")).unwrap();
    running.replace("rules.yaml", "- no: [such\n");
    running.until("refusing the rules", |running| running.log().contains("the reload failed"));
    running.until("denying", |running| running.get("/a", &[]).status() == 500);
    recorder.take_header("authorization");
    running.replace("rules.yaml", &(rules + "# again\n"));
    running.until("the rules again", |running| running.metric("keyward_repository_stale") == Some(0.0));
    assert_eq!(running.get("/a", &[]).status(), 500);
    assert!(recorder.take_header("authorization").is_empty());
    replace(&running.path("mounted/jira"), "v2");
    running.until("healing", |running| running.get("/a", &[]).status() == 200);
    assert_eq!(recorder.take_header("authorization"), ["Bearer v2"]);
}

/// The last good rules go on, with new values.
#[test]
fn values_rotate_while_the_rule_file_cannot_be_read() {
    for (template, secrets) in PLACES {
        let (running, recorder) = start_with_mounted(template, secrets);
        let file = running.path("rules.yaml");
        let rules = fs::read_to_string(&file).unwrap();
        type Fault<'a> = &'a dyn Fn();
        let faults: [(&str, Fault<'_>); 4] = [
            ("not valid YAML or JSON", &|| replace(&file, "- no: [such\n")),
            ("the document is empty", &|| replace(&file, "# nothing\n")),
            ("No such file", &|| fs::remove_file(&file).unwrap()),
            ("no rule file", &|| fs::create_dir(&file).unwrap()),
        ];
        for (number, (said, fault)) in faults.into_iter().enumerate() {
            fault();
            running.until(said, |running| running.log().contains(said));
            let value = format!("v{}", number + 2);
            replace(&running.path("mounted/jira"), &value);
            running.until(&format!("{secrets}, {said}: {value}"), |running| {
                running.get("/a", &[]).status() == 200
                    && recorder.take_header("authorization") == [format!("Bearer {value}")]
            });
            assert_eq!(running.metric("keyward_repository_stale"), Some(1.0), "{secrets}, {said}");
        }
        fs::remove_dir(&file).unwrap();
        replace(&file, &rules.replace("/a\"", "/b\""));
        running.until("the rules again", |running| running.get("/b", &[]).status() == 200);
        assert_eq!(
            (running.get("/a", &[]).status(), recorder.take_header("authorization")),
            (404, vec!["Bearer v5".to_owned()])
        );
    }
}

#[test]
fn values_rotate_while_the_configuration_cannot_be_used() {
    for (template, secrets) in PLACES {
        let (running, recorder) = start_with_mounted(template, secrets);
        running.replace("config.yaml", "no: such key\n");
        running.until("refusing it", |running| running.log().contains("the reload failed"));
        for version in ["v2", "v3"] {
            replace(&running.path("mounted/jira"), version);
            running.until(&format!("{secrets}: {version}"), |running| {
                running.get("/a", &[]).status() == 200
                    && recorder.take_header("authorization") == [format!("Bearer {version}")]
            });
        }
    }
}

#[test]
fn a_new_source_must_deliver_before_its_settings_are_in_force() {
    let (running, recorder) = start("{{ secret \"jira\" }}", |keyward| {
        let path = keyward.write("mounted/jira", "v1");
        format!("{{sources: [{{file: {}}}]}}", path.display())
    });
    let other = running.path("mounted/other");
    running.replace(
        "config.yaml",
        &format!("{HANDLERS}secrets: {{sources: [{{file: {}, name: jira}}]}}\n", other.display()),
    );
    running.until("refusing it", |running| running.log().contains("secrets of file `jira` cannot be read"));
    assert_eq!(running.get("/a", &[]).status(), 200);
    assert_eq!(recorder.take_header("authorization"), ["Bearer v1"]);
    fs::write(&other, "v2").unwrap();
    running.signal("HUP");
    running.until("the new source", |running| {
        running.get("/a", &[]).status() == 200 && recorder.take_header("authorization") == ["Bearer v2"]
    });
}

#[test]
fn a_rule_whose_secret_is_missing_at_the_start_denies_and_the_others_serve() {
    let (running, recorder) = start("{{ secret \"jira\" }}", |keyward| {
        format!("{{sources: [{{directory: {}}}]}}", keyward.path("mounted").display())
    });
    assert_eq!(running.get("/a", &[]).status(), 500);
    assert!(running.log().contains("no source has it, and directory `"), "{}", running.log());
    fs::create_dir(running.path("mounted")).unwrap();
    replace(&running.path("mounted/jira"), "v1");
    running.until("healing", |running| running.get("/a", &[]).status() == 200);
    assert_eq!(recorder.take_header("authorization"), ["Bearer v1"]);
}

#[test]
fn records_and_metrics_name_secrets_and_nothing_shows_a_value() {
    let template = "{{ secret \"jira\" }}.{{ env \"S3CR3T_TWO\" }}.{{ secret \"jira\" }}";
    let (running, recorder) = start(template, |keyward| {
        keyward.write("env/S3CR3T_TWO", "value-two");
        let path = keyward.write("mounted/jira", "value-one");
        let (env, file) = (keyward.path("env").display().to_string(), path.display());
        format!("{{env_dir: {env}, sources: [{{file: {file}, hosts: [127.0.0.1]}}]}}")
    });
    assert_eq!(running.get("/a", &[]).status(), 200);
    assert_eq!(recorder.take_header("authorization"), ["Bearer value-one.value-two.value-one"]);
    let record = running.audit(1).remove(0);
    let credential = record["credential"].as_str().unwrap();
    let (named, variable) = credential.split_once(',').unwrap();
    assert_eq!(variable, "env:S3CR3T_TWO");
    assert!(named.starts_with("jira@20") && named.ends_with('Z'), "{credential}");
    running.until("the age", |running| running.metric("keyward_secret_age_seconds{source=\"file `jira`\"}").is_some());
    assert_eq!(running.metric("keyward_secrets_missing"), Some(0.0));
    assert_eq!(running.metric("keyward_secret_fetches_total{source=\"file `jira`\",outcome=\"ok\"}"), Some(1.0));
    // Bound secrets go to their hosts, and to nobody who asks for a decision.
    let decision = running.decision("GET", "/a", &[]);
    assert_eq!((decision.status(), decision.header("authorization")), (403, None));
    let shown = [
        running.api("/rules").unwrap().text(),
        running.api("/metrics").unwrap().text(),
        running.api("/health/ready").unwrap().text(),
        running.log(),
        fs::read_to_string(running.path("audit.log")).unwrap(),
    ];
    for text in shown {
        assert!(!text.contains("value-one") && !text.contains("value-two"), "{text}");
    }
}
