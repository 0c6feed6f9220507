//! Findings for a person at a terminal: message, place, the line itself, and the remedy.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

use keyward_core::diagnostic::{Diagnostic, Severity};

/// How much of a line is shown, in characters.
const SHOWN: usize = 160;

/// Renders findings, each with the source line it is about when that can be read.
pub fn render(findings: &[Diagnostic], colours: bool) -> String {
    let mut out = String::new();
    let mut files: HashMap<Arc<str>, Lines> = HashMap::new();
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
            let line = (origin.line as usize).checked_sub(1).and_then(|number| {
                files.entry(origin.source.clone()).or_insert_with(|| Lines::read(&origin.source)).line(number)
            });
            if let Some(line) = line {
                let (shown, column) = keys_only(line, (origin.column as usize).saturating_sub(1));
                let _ = writeln!(out, "   | {shown}");
                let _ = writeln!(out, "   | {}^", " ".repeat(column));
            }
        }
        if let Some(hint) = &finding.hint {
            let _ = writeln!(out, "  hint: {hint}");
        }
    }
    out
}

/// A file whose lines are found without counting: of ten thousand rules, each can have its findings.
struct Lines {
    text: String,
    starts: Vec<usize>,
}

impl Lines {
    /// Without lines where there is no such file, such as for a variable of the environment.
    fn read(source: &str) -> Self {
        let text = std::fs::read_to_string(source).unwrap_or_default();
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts }
    }

    fn line(&self, number: usize) -> Option<&str> {
        self.text.get(*self.starts.get(number)?..)?.lines().next()
    }
}

/// A line with its keys and its structure, and where a column of it went. Any value may be a secret that
/// was written out, so `…` stands for each.
fn keys_only(line: &str, column: usize) -> (String, usize) {
    let chars: Vec<char> = line.chars().take(SHOWN).collect();
    let (mut out, mut length, mut caret, mut at) = (String::new(), 0, None, 0);
    let mut key_may_follow = true;
    while at < chars.len() {
        let end = token(&chars, at);
        if (at..end).contains(&column) {
            caret = Some(length);
        }
        let text: String = chars[at..end].iter().collect();
        let colon =
            chars[end..].iter().position(|c| *c != ' ').map(|blanks| end + blanks).filter(|at| chars[*at] == ':');
        let is_key = colon.is_some_and(|at| {
            "\"'".contains(chars[end - 1]) || chars.get(at + 1).is_none_or(|next| " \t\"'[{".contains(*next))
        });
        let shown = match chars[at] {
            '{' | '[' | ',' | '-' | '}' | ']' if text.chars().count() == 1 => {
                key_may_follow = true;
                text
            }
            ':' => {
                key_may_follow = false;
                text
            }
            ' ' | '\t' => text,
            _ if key_may_follow && is_key => text,
            _ => {
                key_may_follow = false;
                "…".to_owned()
            }
        };
        length += shown.chars().count();
        out.push_str(&shown);
        at = end;
    }
    (out, caret.unwrap_or(length))
}

/// Where the token ends that begins at `at`: a quoted or plain text, blanks, or one mark of structure.
fn token(chars: &[char], at: usize) -> usize {
    let blank = |c: char| c == ' ' || c == '\t';
    let after = |position: usize| chars.get(position).copied().unwrap_or(' ');
    let until =
        |end: &dyn Fn(usize) -> bool| (at + 1..chars.len()).find(|position| end(*position)).unwrap_or(chars.len());
    match chars[at] {
        c if blank(c) => until(&|position| !blank(chars[position])),
        '{' | '}' | '[' | ']' | ',' => at + 1,
        '-' | ':' if blank(after(at + 1)) => at + 1,
        ':' if "\"'[{".contains(after(at + 1)) || at > 0 && "\"'".contains(chars[at - 1]) => at + 1,
        quote @ ('"' | '\'') => {
            let mut end = at + 1;
            while end < chars.len() && chars[end] != quote {
                end += if quote == '"' && chars[end] == '\\' { 2 } else { 1 };
            }
            (end + 1).min(chars.len())
        }
        // A plain text may hold blanks; it ends where its value does, or its key.
        _ => until(&|position| match chars[position] {
            '{' | '}' | '[' | ']' | ',' => true,
            ':' => blank(after(position + 1)),
            _ => false,
        }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use keyward_core::diagnostic::Origin;

    use super::*;

    #[test]
    fn every_finding_comes_with_its_own_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f.yaml");
        std::fs::write(&path, "a: 1\r\n\nb: 2").unwrap();
        let source: Arc<str> = path.display().to_string().into();
        let rows = [(3, "   | b: …"), (1, "   | a: …"), (2, "   | "), (4, ""), (0, "")];
        for (line, shown) in rows {
            let finding = Diagnostic::warning("m").at(&Origin { source: source.clone(), line, column: 1 });
            assert_eq!(render(&[finding], false).lines().nth(2).unwrap_or_default(), shown, "{line}");
        }
    }

    #[test]
    fn lines_are_shown_without_their_values() {
        let rows = [
            ("serve: {proxy: {prt: 1}}", "prt", "serve: {proxy: {prt: …}}", "prt"),
            ("    X-Key: s3cr3t", "s3", "    X-Key: …", "…"),
            ("  - {id: a, secret: s3cr3t}", "secret", "  - {id: …, secret: …}", "secret"),
            ("headers: {A: s3cr3t, \"B c\": [s3cr3t, 'it''s3cr3t']}", "[", "headers: {A: …, \"B c\": […, ……]}", "["),
            ("password: s3 cr3t: x", "s3", "password: …: …", "…"),
            ("- s3cr3t", "s3", "- …", "…"),
            ("{\"a\":\"s3cr3t\",\"b\":1}", "\"b", "{\"a\":…,\"b\":…}", "\"b"),
            ("Authorization: Basic s3cr3t:x\\", "Basic", "Authorization: …", "…"),
            ("a: \"s3cr3t\\", "\"s", "a: …", "…"),
            ("url: https://s3cr3t@x/", "https", "url: …", "…"),
        ];
        for (line, find, shown, under) in rows {
            let (masked, caret) = keys_only(line, line.find(find).unwrap_or_default());
            assert_eq!(masked, shown, "{line}");
            assert!(masked.chars().skip(caret).collect::<String>().starts_with(under), "{line}: {caret}");
        }
    }
}
