//! `docs/operations.md`: its commands are run and its requests are made, against a server that is configured as the page
//! assumes; what it calls by name is in the chart, and each alert has its section.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use keyward_core::jwt::generate::generate;
use keyward_core::jwt::sign::SigningKey;
use keyward_testkit::conformance::recorder::Recorder;
use keyward_testkit::ports::reserve;
use keyward_testkit::process::{Keyward, Running};
use serde_json::json;

const CONFIG: &str = "access_rules: {matching_strategy: glob, repositories: [\"file://RULES\"]}\n\
                      authenticators: {jwt: {enabled: true, config: {jwks_urls: [\"http://127.0.0.1:ISSUER/jwks.json\"]}}}\n\
                      authorizers: {allow: {enabled: true}}\nmutators: {header: {enabled: true}}\n\
                      secrets: {sources: [{file: TOKEN, name: okta}]}\n";
const TABLE: &str = "env: {JIRA_BASIC_AUTH: \"user:token\"}\ntests:\n  - name: nobody without a token\n    \
                     request: {url: \"http://oathkeeper:4455/jira/x\"}\n    \
                     expect: {outcome: denied, status: 401, reason: credential_missing}\n";
/// What these commands do is up to others; only the names in them are looked at.
const OTHERS: [&str; 5] = ["kubectl", "helm", "aws", "systemctl", "openssl"];
/// How the page speaks of a pod's own binary.
const IN_A_POD: &str = "kubectl -n oathkeeper exec deploy/oathkeeper -- ";
const API: &str = "http://127.0.0.1:4456";

fn repository(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)).unwrap()
}

fn page() -> String {
    repository("docs/operations.md")
}

/// The lines of every block of commands, without what follows `#`.
fn commands() -> Vec<String> {
    let page = page();
    let blocks = page.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let lines = blocks.flat_map(str::lines).map(|line| line.split(" #").next().unwrap().trim().to_owned());
    lines.filter(|line| !line.is_empty()).collect()
}

/// A server with the rules of the page's examples, for which every source has delivered, and everything has happened that
/// commands look for: a denial, an upstream that cannot be reached, and one that repeats the credential.
fn server() -> Running {
    let keyward = Keyward::new(env!("CARGO_BIN_EXE_keyward"));
    let (issuer, upstream) = (Recorder::start(false), Recorder::start(true));
    let key = generate("RS256", "k", 0).unwrap();
    issuer.script(vec![json!({"path": "/jwks.json", "body": {"keys": [key]}})]);
    upstream.script(vec![json!({"path": "/x", "headers": {"X-Seen": "Basic user:token"}})]);
    let written = repository("examples/poc/oathkeeper/rules.yaml");
    let down = written.replace("echo-jira-mock", "down").replace("/jira/", "/down/").replace("echo-server", "down");
    let rules = keyward.write("rules.yaml", &(written + &down));
    let token = keyward.write("okta-token", "0123456789");
    let config = CONFIG
        .replace("RULES", &rules.display().to_string())
        .replace("ISSUER", &issuer.port.to_string())
        .replace("TOKEN", &token.display().to_string());
    keyward.write("table.yaml", TABLE);
    let config = keyward.write("oathkeeper.yaml", &config);
    let nobody = reserve();
    let resolve = format!("echo-server:80:127.0.0.1:{},down:80:127.0.0.1:{}", upstream.port, nobody.number());
    let keyward = keyward.config(config).env("SERVE_PROXY_UPSTREAM_RESOLVE", &resolve);
    let running = keyward.env("JIRA_BASIC_AUTH", "user:token").start();
    running.until("readiness", |running| running.api("/health/ready").unwrap().status() == 200);
    let key = SigningKey::read(key.to_string().as_bytes(), None, None).unwrap();
    let token = key.sign(&json!({"sub": "ci", "scope": "jira:read", "exp": 4_000_000_000_u64})).unwrap();
    let (host, bearer) = (("Host", "oathkeeper:4455"), format!("Bearer {token}"));
    let called = ["/jira/x", "/down/x"].map(|path| running.get(path, &[host, ("Authorization", &bearer)]).status());
    assert_eq!((called, running.get("/jira/x", &[host]).status()), ([200, 502], 401), "{}", running.log());
    // Counters are filled with the records.
    running.audit(3);
    running
}

#[test]
fn every_command_of_keyward_succeeds_and_every_request_finds_what_it_looks_for() {
    let running = server();
    let (mut ran, mut asked, mut problems) = (0, 0, Vec::new());
    for line in commands() {
        let line =
            line.strip_prefix(IN_A_POD).unwrap_or(&line).replace(API, &format!("http://127.0.0.1:{}", running.api));
        let words: Vec<&str> = line.split(" > ").next().unwrap().split_whitespace().collect();
        match &words[..] {
            ["keyward", arguments @ ..] => {
                let arguments = arguments.iter().map(|word| word.replace("/etc/keyward/config/", ""));
                let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_keyward"));
                command.args(arguments).current_dir(running.path("")).env_clear().env("JIRA_BASIC_AUTH", "user:token");
                let output = command.output().unwrap();
                let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
                // Without a token the answer is a denial, which is what it was asked about.
                let explains = line.contains("rules explain") && said[0].contains("denied: credential_missing");
                if !output.status.success() && !explains {
                    problems.push(format!("{line}: {said:?}"));
                }
                ran += 1;
            }
            ["curl", "-s", url, rest @ ..] => {
                let path = url.split_once("//").unwrap().1.split_once('/').unwrap().1;
                let answer = running.api(&format!("/{path}")).unwrap();
                let wanted = if let ["|", "grep", wanted] = rest { *wanted } else { "" };
                if answer.status() != 200 || !answer.text().contains(wanted) {
                    problems.push(format!("{line}: {}", answer.status()));
                }
                asked += 1;
            }
            [program, ..] if OTHERS.contains(program) => {}
            [program, ..] => problems.push(format!("{line}: nobody knows `{program}`")),
            [] => unreachable!(),
        }
    }
    assert!(problems.is_empty(), "{}\n{}", problems.join("\n"), running.api("/metrics").unwrap().text());
    assert!(ran > 10 && asked > 15, "{ran} commands, {asked} requests");
}

/// Deployment, Services, secrets, buckets and selectors are called as the chart calls them.
#[test]
fn what_other_commands_name_is_in_the_chart_s_renderings() {
    let renderings = repository("deploy/chart/golden/aws.yaml");
    let names = |kind: &str, name: &str| renderings.contains(&format!("kind: {kind}\nmetadata:\n  name: {name}\n"));
    let mut looked_at = 0;
    for line in commands() {
        let mut words = line.split_whitespace().peekable();
        while let Some(word) = words.next() {
            let name = |word: Option<&&str>| (*word.unwrap()).to_owned();
            let fits = match word {
                "-n" => renderings.contains(&format!("\n  namespace: {}\n", name(words.peek()))),
                "-l" => renderings.contains(&name(words.peek()).replace('=', ": ")),
                "hpa" => names("HorizontalPodAutoscaler", &name(words.peek())),
                "externalsecret" => names("ExternalSecret", &name(words.peek())),
                "--bucket" => renderings.contains(&format!("s3://{}/", name(words.peek()))),
                "--secret-id" => renderings.contains(&format!("key: {}\n", name(words.peek()))),
                _ => match word.split_once('/') {
                    Some(("deploy" | "deployment", name)) if line.starts_with("kubectl") => names("Deployment", name),
                    _ => continue,
                },
            };
            assert!(fits, "{line}: `{word}`");
            looked_at += 1;
        }
    }
    assert!(looked_at > 40, "{looked_at} names");
}

#[test]
fn each_alert_has_a_section_that_says_what_it_means_how_to_look_what_to_do_and_when_it_is_over() {
    let (page, alerts) = (page(), repository("deploy/chart/keyward/files/alerts.yaml"));
    let alerts: Vec<&str> = alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() > 10, "{alerts:?}");
    for alert in alerts {
        let section = page.split(&format!("\n### {alert}\n")).nth(1).unwrap_or_else(|| panic!("no section `{alert}`"));
        let section = section.split("\n## ").next().unwrap().split("\n### ").next().unwrap();
        for part in ["Means", "Look", "Do", "Over"] {
            assert!(section.contains(&format!("\n- **{part}.**")), "{alert}: nothing under `{part}`");
        }
        assert!(section.contains("```sh\n"), "{alert}: nothing to look with");
    }
}

/// Places on the page that it links to, and the values that the chart is rendered with in a case of its own.
#[test]
fn links_within_the_page_lead_somewhere_and_the_values_are_a_case_of_the_chart() {
    let page = page();
    let headings = page.lines().filter(|line| line.starts_with("## ") || line.starts_with("### "));
    let kept = |c: &char| c.is_ascii_alphanumeric() || matches!(c, ' ' | '-');
    let anchor = |line: &str| -> String {
        line.trim_start_matches(['#', ' ']).to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-")
    };
    let anchors: Vec<String> = headings.map(anchor).collect();
    for link in page.split("](#").skip(1).map(|rest| rest.split(')').next().unwrap()) {
        assert!(anchors.iter().any(|anchor| anchor == link), "nothing is called #{link}");
    }
    let values = page.split("```yaml values\n").nth(1).unwrap().split("```").next().unwrap();
    assert!(repository("deploy/chart/cases/ip-targets.yaml").ends_with(values));
}
