//! sprig's functions on text.

use super::super::format;
use super::{Function, MANY, Value, int, row, string};

/// What `repeat` may produce.
const MAX_REPEAT: usize = 64 * 1024;

pub(super) const ALL: &[Function] = &[
    row("upper", 1, 1, |args| Ok(Value::text(string(&args[0])?.to_uppercase()))),
    row("lower", 1, 1, |args| Ok(Value::text(string(&args[0])?.to_lowercase()))),
    row("title", 1, 1, |args| Ok(Value::text(title(string(&args[0])?)))),
    row("trim", 1, 1, |args| Ok(Value::text(string(&args[0])?.trim()))),
    row("trimAll", 2, 2, |args| Ok(Value::text(trim_all(string(&args[0])?, string(&args[1])?)))),
    row("trimall", 2, 2, |args| Ok(Value::text(trim_all(string(&args[0])?, string(&args[1])?)))),
    row("trimPrefix", 2, 2, |args| {
        let (prefix, text) = (string(&args[0])?, string(&args[1])?);
        Ok(Value::text(text.strip_prefix(prefix).unwrap_or(text)))
    }),
    row("trimSuffix", 2, 2, |args| {
        let (suffix, text) = (string(&args[0])?, string(&args[1])?);
        Ok(Value::text(text.strip_suffix(suffix).unwrap_or(text)))
    }),
    row("nospace", 1, 1, |args| {
        Ok(Value::text(string(&args[0])?.chars().filter(|c| !c.is_whitespace()).collect::<String>()))
    }),
    row("contains", 2, 2, |args| Ok(Value::Bool(string(&args[1])?.contains(string(&args[0])?)))),
    row("hasPrefix", 2, 2, |args| Ok(Value::Bool(string(&args[1])?.starts_with(string(&args[0])?)))),
    row("hasSuffix", 2, 2, |args| Ok(Value::Bool(string(&args[1])?.ends_with(string(&args[0])?)))),
    row("replace", 3, 3, |args| {
        let (from, to, text) = (string(&args[0])?, string(&args[1])?, string(&args[2])?);
        if text.len().saturating_mul(to.len() + 1) > MAX_REPEAT * 16 {
            return Err("the result is too long".to_owned());
        }
        Ok(Value::text(text.replace(from, to)))
    }),
    row("repeat", 2, 2, |args| {
        let (count, text) = (usize::try_from(int(&args[0])?).unwrap_or(0), string(&args[1])?);
        if text.len().saturating_mul(count) > MAX_REPEAT {
            return Err("the result is too long".to_owned());
        }
        Ok(Value::text(text.repeat(count)))
    }),
    row("trunc", 2, 2, |args| {
        let (count, text) = (int(&args[0])?, string(&args[1])?);
        let length = text.len();
        let size = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX).min(length);
        Ok(Value::text(if count < 0 { bytes(text, length - size, length) } else { bytes(text, 0, size) }))
    }),
    row("substr", 3, 3, |args| {
        let (start, end, text) = (int(&args[0])?, int(&args[1])?, string(&args[2])?);
        let start = usize::try_from(start).unwrap_or(0).min(text.len());
        let end = usize::try_from(end).unwrap_or(text.len()).min(text.len());
        if end < start {
            return Err(format!("slice bounds out of range [{start}:{end}]"));
        }
        Ok(Value::text(bytes(text, start, end)))
    }),
    row("quote", 1, MANY, |args| Ok(Value::text(each(args, |value| format::quote(&format::text(value)))))),
    row("squote", 1, MANY, |args| Ok(Value::text(each(args, |value| format!("'{}'", format::text(value)))))),
    row("cat", 1, MANY, |args| Ok(Value::text(each(args, format::text)))),
    row("toString", 1, 1, |args| Ok(Value::text(format::text(&args[0])))),
];

fn each(args: &[Value<'_>], show: impl Fn(&Value<'_>) -> String) -> String {
    args.iter().filter(|value| !matches!(value, Value::Nil)).map(show).collect::<Vec<_>>().join(" ")
}

fn trim_all(set: &str, text: &str) -> String {
    text.trim_matches(|c| set.contains(c)).to_owned()
}

/// A byte range; half a character becomes the replacement character.
fn bytes(text: &str, start: usize, end: usize) -> String {
    String::from_utf8_lossy(&text.as_bytes()[start..end]).into_owned()
}

fn title(text: &str) -> String {
    let mut starts = true;
    text.chars()
        .map(|c| {
            let shown = if starts { c.to_uppercase().next().unwrap_or(c) } else { c };
            starts = !(c.is_alphanumeric() || c == '_' || c == '\'');
            shown
        })
        .collect()
}
