//! Findings for a person at a terminal: message, place, the line itself, and the remedy.

use std::fmt::Write;

use keyward_core::diagnostic::{Diagnostic, Severity};

/// Renders findings, each with the source line it is about when that can be read.
pub fn render(findings: &[Diagnostic], colours: bool) -> String {
    let mut out = String::new();
    for finding in findings {
        let (word, colour) = match finding.severity {
            Severity::Error => ("error", "\x1b[1;31m"),
            Severity::Warning => ("warning", "\x1b[1;33m"),
        };
        if colours {
            let _ = writeln!(out, "{colour}{word}\x1b[0m: {}", finding.message);
        } else {
            let _ = writeln!(out, "{word}: {}", finding.message);
        }
        if let Some(origin) = &finding.origin {
            let _ = writeln!(out, "  --> {origin}");
            let line = (origin.line > 0)
                .then(|| std::fs::read_to_string(&*origin.source).ok())
                .flatten()
                .and_then(|text| text.lines().nth(origin.line as usize - 1).map(str::to_owned));
            if let Some(line) = line {
                let shown: String = line.chars().take(160).collect();
                let column = (origin.column as usize).saturating_sub(1).min(160);
                let _ = writeln!(out, "   | {}", hide_values(&shown));
                let _ = writeln!(out, "   | {}^", " ".repeat(column));
            }
        }
        if let Some(hint) = &finding.hint {
            let _ = writeln!(out, "  hint: {hint}");
        }
    }
    out
}

/// A line may hold a secret that was written out; only what looks like structure is shown.
fn hide_values(line: &str) -> String {
    let lower = line.to_ascii_lowercase();
    let sensitive = ["secret", "password", "authorization", "token:", "api-key", "api_key", "basic ", "bearer "];
    match line.split_once(':') {
        Some((key, _)) if sensitive.iter().any(|word| lower.contains(word)) => format!("{key}: [redacted]"),
        _ => line.to_owned(),
    }
}
