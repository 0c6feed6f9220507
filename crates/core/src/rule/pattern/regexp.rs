//! Regular expressions as the reference's .NET-style engine reads them (serving spec 5.6), on maintained
//! engines: where those read the same text differently, it is rewritten.

use super::delimiter::Part;
use super::{BACKTRACK_LIMIT, Matcher, PatternError, SIZE_LIMIT, last_line, linear};

/// Compiles the parts: literal text is quoted, every variable part is one capture group and must be
/// valid by itself.
pub(super) fn compile(parts: &[Part]) -> Result<Matcher, PatternError> {
    let mut translated = String::from(r"\A");
    let mut needs_backtracking = false;
    for part in parts {
        match part {
            Part::Literal(text) => translated.push_str(&regex::escape(text)),
            Part::Variable(text) => {
                let (part, backtracks) = translate(text)?;
                check(&part, backtracks)?;
                needs_backtracking |= backtracks;
                translated.push('(');
                translated.push_str(&part);
                translated.push(')');
            }
        }
    }
    translated.push_str(r"\z");
    if needs_backtracking { backtracking(&translated) } else { linear(&translated, true) }
}

fn check(part: &str, backtracks: bool) -> Result<(), PatternError> {
    let alone = format!(r"\A{part}\z");
    if backtracks { backtracking(&alone).map(drop) } else { linear(&alone, true).map(drop) }
}

fn backtracking(translated: &str) -> Result<Matcher, PatternError> {
    fancy_regex::RegexBuilder::new(translated)
        .backtrack_limit(BACKTRACK_LIMIT)
        .delegate_size_limit(SIZE_LIMIT)
        .build()
        .map(|regex| Matcher::Backtracking(Box::new(regex)))
        .map_err(|error| PatternError(last_line(&error.to_string())))
}

/// Rewrites what the engines would read differently; says whether backtracking is needed.
fn translate(text: &str) -> Result<(String, bool), PatternError> {
    let mut out = String::with_capacity(text.len() + 8);
    let mut backtracks = false;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let mut taken = c.len_utf8();
        match c {
            '\\' => {
                let escaped = rest[1..].chars().next().ok_or_else(|| PatternError("a `\\` at the end".to_owned()))?;
                if escaped == '_' {
                    return Err(PatternError("unrecognized escape `\\_`".to_owned()));
                }
                backtracks |= escaped.is_ascii_digit() && escaped != '0' || escaped == 'k';
                taken += escaped.len_utf8();
                if matches!(escaped, 'p' | 'P') && rest[taken..].starts_with('{') {
                    taken += rest[taken..].find('}').map_or(0, |end| end + 1);
                }
                out.push_str(&rest[..taken]);
            }
            '(' if rest.starts_with("(?#") => {
                taken = rest.find(')').ok_or_else(|| PatternError("a comment is not closed".to_owned()))? + 1;
            }
            '(' => {
                backtracks |= ["(?=", "(?!", "(?<=", "(?<!", "(?>"].iter().any(|start| rest.starts_with(start));
                out.push('(');
            }
            '[' => {
                taken = class(rest, &mut out)?;
            }
            '{' if !is_repetition(rest) => out.push_str(r"\{"),
            c => out.push(c),
        }
        rest = &rest[taken..];
    }
    Ok((out, backtracks))
}

/// `{n}`, `{n,}` and `{n,m}` repeat; any other brace is a literal.
fn is_repetition(text: &str) -> bool {
    let Some((inside, _)) = text[1..].split_once('}') else { return false };
    let (low, high) = inside.split_once(',').unwrap_or((inside, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    !low.is_empty() && digits(low) && digits(high)
}

/// One bracketed class; returns the bytes it takes. Set operators of the engines are quoted away, and
/// `-[...]` is .NET's subtraction.
fn class(text: &str, out: &mut String) -> Result<usize, PatternError> {
    let unclosed = || PatternError("a `[` is not closed".to_owned());
    out.push('[');
    let mut at = 1;
    if text[at..].starts_with('^') {
        out.push('^');
        at += 1;
    }
    if text[at..].starts_with(']') {
        out.push_str(r"\]");
        at += 1;
    }
    loop {
        let rest = &text[at..];
        let c = rest.chars().next().ok_or_else(unclosed)?;
        match c {
            ']' => {
                out.push(']');
                return Ok(at + 1);
            }
            '\\' => {
                let escaped = rest[1..].chars().next().ok_or_else(unclosed)?;
                at += 1 + escaped.len_utf8();
                out.push('\\');
                out.push(escaped);
            }
            '[' if rest.starts_with("[:") && rest.contains(":]") => {
                let end = rest.find(":]").ok_or_else(unclosed)? + 2;
                out.push_str(&rest[..end]);
                at += end;
            }
            '-' if rest.starts_with("-[") => {
                out.push_str("--");
                at += 1 + class(&rest[1..], out)?;
            }
            '[' | '&' | '~' => {
                out.push('\\');
                out.push(c);
                at += 1;
            }
            '-' if rest.starts_with("--") => {
                out.push_str(r"\-");
                at += 1;
            }
            c => {
                out.push(c);
                at += c.len_utf8();
            }
        }
    }
}
