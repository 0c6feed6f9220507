//! `keyward rules test`: a table of requests with what is expected of each.

use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use keyward_core::diagnostic::Diagnostic;
use keyward_server::config::load::load;
use keyward_server::explain::table::{CaseResult, TestFile, run};
use keyward_server::redaction;
use serde_json::{Value, json};

use crate::EXIT_USAGE;
use crate::output::{complain, count, environment, print, print_json, report};
use crate::progress::Progress;

pub(super) const EXAMPLES: &str = "\
Examples:
  keyward rules test -c oathkeeper.yaml tests.yaml
  keyward rules test -c oathkeeper.yaml tests.yaml --format junit > report.xml

A file of tests:
  env: {JIRA_BASIC_AUTH: 'user:token'}     # values of {{ env \"…\" }}, instead of the environment's
  tests:
    - name: readers may read
      request:
        url: http://localhost:4455/jira/issue/1
        token: {claims: {iss: https://issuer, aud: oathkeeper-proxy, sub: ci, scope: 'jira:read'}}
      expect:
        rule: jira-read-only
        upstream: {url: https://your-org.atlassian.net/issue/1, absent: [X-Debug]}
    - name: nobody else may
      request: {url: http://localhost:4455/jira/issue/1}
      expect: {status: 401, reason: credential_missing}

Nothing is sent or fetched: tokens are signed with keys that stand for every configured key set, side services
answer what `services` of a test says. Ends with 1 when a test fails.";

/// Options of `rules test`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Files of tests
    #[arg(required = true, value_name = "FILE")]
    tests: Vec<PathBuf>,
    /// For people, or for programs
    #[arg(long, default_value = "text")]
    format: Format,
}

/// What is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// One JSON document.
    Json,
    /// JUnit's XML, which many build servers show.
    Junit,
}

pub(super) fn test(arguments: &Arguments, files: &[PathBuf]) -> ExitCode {
    let progress = Progress::of("running the tests");
    let results = results(arguments, files);
    drop(progress);
    let results = match results {
        Ok(results) => results,
        Err(findings) => {
            report(&findings);
            return ExitCode::from(EXIT_USAGE);
        }
    };
    match arguments.format {
        Format::Text => text(&results),
        Format::Json => print_json(&json!({"tests": results.iter().map(result_json).collect::<Vec<_>>()})),
        Format::Junit => print(&junit(&results)),
    }
    let failed = results.iter().any(|tested| !tested.result.mismatches.is_empty());
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// What a test came to, and in which file it stands.
struct Tested {
    file: String,
    result: CaseResult,
}

fn results(arguments: &Arguments, files: &[PathBuf]) -> Result<Vec<Tested>, Vec<Diagnostic>> {
    let loaded = load(files, &environment())?;
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.map_err(|error| vec![Diagnostic::error(error.to_string())])?;
    let mut all = Vec::new();
    for path in &arguments.tests {
        let file = TestFile::read(path).map_err(|problem| vec![problem])?;
        let results = runtime.block_on(run(&file, &loaded.settings))?;
        all.extend(results.into_iter().map(|result| Tested { file: path.display().to_string(), result }));
    }
    Ok(all)
}

fn text(results: &[Tested]) {
    let mut failed = 0;
    for Tested { result, .. } in results {
        if result.mismatches.is_empty() {
            print(&format!("ok      {}\n", result.name));
            continue;
        }
        failed += 1;
        print(&format!("FAILED  {}\n{}", result.name, differences(result)));
    }
    let passed = results.len() - failed;
    let summary = format!("{}, {passed} passed, {failed} failed\n", count(results.len(), "test", "tests"));
    if failed == 0 { print(&summary) } else { complain(&summary) }
}

fn differences(result: &CaseResult) -> String {
    let mut out = String::new();
    for mismatch in &result.mismatches {
        let _ = writeln!(out, "        {}", mismatch.key);
        let _ = writeln!(out, "          expected  {}", mismatch.expected);
        let _ = writeln!(out, "          found     {}", mismatch.found);
    }
    out
}

fn result_json(Tested { file, result }: &Tested) -> Value {
    let mismatches: Vec<Value> = result
        .mismatches
        .iter()
        .map(|one| json!({"key": one.key, "expected": one.expected, "found": one.found}))
        .collect();
    json!({"file": file, "name": result.name, "passed": mismatches.is_empty(), "mismatches": mismatches})
}

fn junit(results: &[Tested]) -> String {
    let failed = results.iter().filter(|tested| !tested.result.mismatches.is_empty()).count();
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"keyward rules\" tests=\"{}\" failures=\"{failed}\">\n",
        results.len()
    );
    for Tested { file, result } in results {
        let (class, name) = (escaped(file), escaped(&result.name));
        if result.mismatches.is_empty() {
            let _ = writeln!(out, "  <testcase classname=\"{class}\" name=\"{name}\"/>");
        } else {
            let text = escaped(&differences(result));
            let keys: Vec<&str> = result.mismatches.iter().map(|one| one.key.as_str()).collect();
            let message = escaped(&keys.join(", "));
            let _ = writeln!(
                out,
                "  <testcase classname=\"{class}\" name=\"{name}\">\n    <failure message=\"{message}\">{text}</failure>\n  </testcase>"
            );
        }
    }
    out.push_str("</testsuite>\n");
    out
}

/// Text inside XML; control characters cannot be written there at all. Values of secrets are not found once it is.
fn escaped(text: &str) -> String {
    let shown = redaction::known().text(text);
    let safe: String = shown.chars().filter(|c| !c.is_control() || "\n\t".contains(*c)).collect();
    safe.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
