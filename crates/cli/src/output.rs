//! What goes to the terminal.

use std::io::{IsTerminal, Write};

use keyward_core::diagnostic::{Diagnostic, Severity};
use keyward_server::config::report::render;
use keyward_server::redaction;
use serde_json::{Value, json};

/// What a command prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// For programs: one JSON document on standard output.
    Json,
}

/// Prints to standard output, without the values of secrets that were looked up; a reader that has gone away is no
/// fault.
pub(crate) fn print(text: &str) {
    put(redaction::known().text(text).as_bytes());
}

fn put(bytes: &[u8]) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(bytes).and_then(|()| out.flush());
}

/// `1 rule`, `2 rules`.
pub(crate) fn count(number: usize, one: &str, several: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { several })
}

/// Prints to standard error, without the values of secrets that were looked up.
pub(crate) fn complain(text: &str) {
    let _ = std::io::stderr().lock().write_all(redaction::known().text(text).as_bytes());
}

/// Prints findings to standard error, in colours only at a terminal.
pub(crate) fn report(findings: &[Diagnostic]) {
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    complain(&render(findings, colours));
}

/// Prints one JSON document.
pub(crate) fn print_json(value: &Value) {
    put(&redaction::known().json(format!("{value:#}\n").as_bytes()));
}

/// Findings for programs: what is wrong, where, and what to do.
pub(crate) fn findings_json(findings: &[Diagnostic]) -> Value {
    let one = |finding: &Diagnostic| {
        let origin = finding.origin.as_ref();
        let number = |number: u32| (number > 0).then_some(number);
        json!({
            "severity": match finding.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            },
            "message": finding.message,
            "source": origin.map(|origin| &*origin.source),
            "line": origin.and_then(|origin| number(origin.line)),
            "column": origin.and_then(|origin| number(origin.column)),
            "hint": finding.hint,
        })
    };
    findings.iter().map(one).collect()
}

/// JSON the way the reference prints it: indented with tabs, `<`, `>` and `&` escaped.
pub(crate) fn tab_indented(value: &Value) -> String {
    use serde::Serialize;
    let mut out = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"\t");
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, formatter);
    // Writing a value into memory cannot fail.
    let _ = value.serialize(&mut serializer);
    let text = String::from_utf8_lossy(&out).into_owned();
    keyward_core::pipeline::error_response::escape_html(&text) + "\n"
}

/// The environment, for overrides. In a value that is no text, U+FFFD stands for what is not.
pub(crate) fn environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())))
        .collect()
}
