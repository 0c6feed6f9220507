//! Readers that are not ours: `promtool` for Prometheus' text, and the parser of OpenMetrics of Python's `prometheus-client`. What is not
//! there is skipped, and said. `PROMTOOL` and `PROMETHEUS_PYTHON` name them where they are not on the path.

use std::io::Write;
use std::process::{Command, Output, Stdio};

const PARSE: &str = "\
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse
families = list(parse(sys.stdin.read()))
print(len(families), sum(len(family.samples) for family in families))
";

fn named(variable: &str, name: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| name.to_owned())
}

/// Runs a program on a text; nothing when it is not there.
fn run(program: &str, arguments: &[&str], text: &str) -> Option<Output> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().ok()?;
    // Who does not read it says why.
    let _ = child.stdin.take().unwrap().write_all(text.as_bytes());
    child.wait_with_output().ok()
}

/// Shows a scrape to `promtool check metrics`, which also looks at names, units and help.
pub(crate) fn promtool_takes(text: &str) {
    let program = named("PROMTOOL", "promtool");
    let Some(output) = run(&program, &["check", "metrics"], text) else {
        return eprintln!("SKIPPED: no promtool to read a scrape with");
    };
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && said.trim().is_empty(), "{said}\n{text}");
}

/// Has Python read OpenMetrics; it finds as many families and samples as are said.
pub(crate) fn python_reads(text: &str, families: usize, samples: usize) {
    let program = named("PROMETHEUS_PYTHON", "python3");
    let has_it = run(&program, &["-c", "import prometheus_client"], "");
    if !has_it.is_some_and(|output| output.status.success()) {
        return eprintln!("SKIPPED: no Python with prometheus-client to read OpenMetrics with");
    }
    let output = run(&program, &["-c", PARSE], text).unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(said.trim(), format!("{families} {samples}"), "{}\n{text}", String::from_utf8_lossy(&output.stderr));
}
