//! What goes to the terminal.

use std::io::{IsTerminal, Write};

use keyward_core::diagnostic::Diagnostic;
use keyward_server::config::report::render;

/// Prints to standard output; a reader that has gone away is no fault.
pub(crate) fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Prints to standard error.
pub(crate) fn complain(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// Prints findings to standard error, in colours only at a terminal.
pub(crate) fn report(findings: &[Diagnostic]) {
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    complain(&render(findings, colours));
}

/// JSON the way the reference prints it: indented with tabs, `<`, `>` and `&` escaped.
pub(crate) fn tab_indented(value: &serde_json::Value) -> String {
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
