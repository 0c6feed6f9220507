//! sprig's regular expressions (RE2, as the engine here is).

use regex::{NoExpand, Regex, RegexBuilder};

use super::{Function, Outcome, Value, int, row, string};

/// What a compiled expression may take: it is compiled while a request waits.
const MAX_SIZE: usize = 256 * 1024;
/// What replacing may produce.
const MAX_TEXT: usize = 64 * 1024;

pub(super) const ALL: &[Function] = &[
    // The reference answers false to an expression that it cannot read.
    row("regexMatch", 2, 2, |args| Ok(Value::Bool(compile(&args[0])?.is_some_and(|regex| matches(&regex, &args[1]))))),
    row("mustRegexMatch", 2, 2, |args| Ok(Value::Bool(must(&args[0])?.is_match(string(&args[1])?)))),
    row("regexFind", 2, 2, find),
    row("mustRegexFind", 2, 2, find),
    row("regexFindAll", 3, 3, find_all),
    row("mustRegexFindAll", 3, 3, find_all),
    row("regexReplaceAll", 3, 3, |args| replaced(args, true)),
    row("mustRegexReplaceAll", 3, 3, |args| replaced(args, true)),
    row("regexReplaceAllLiteral", 3, 3, |args| replaced(args, false)),
    row("mustRegexReplaceAllLiteral", 3, 3, |args| replaced(args, false)),
    row("regexSplit", 3, 3, split),
    row("mustRegexSplit", 3, 3, split),
    row("regexQuoteMeta", 1, 1, |args| Ok(Value::text(quoted(string(&args[0])?)))),
];

fn compile(expression: &Value<'_>) -> Result<Option<Regex>, String> {
    Ok(RegexBuilder::new(string(expression)?).size_limit(MAX_SIZE).build().ok())
}

fn must(expression: &Value<'_>) -> Result<Regex, String> {
    compile(expression)?.ok_or_else(|| "error parsing regexp".to_owned())
}

fn matches(regex: &Regex, text: &Value<'_>) -> bool {
    string(text).is_ok_and(|text| regex.is_match(text))
}

fn find<'a>(args: &[Value<'a>]) -> Outcome<'a> {
    let text = string(&args[1])?;
    Ok(Value::text(must(&args[0])?.find(text).map_or("", |found| found.as_str())))
}

fn find_all<'a>(args: &[Value<'a>]) -> Outcome<'a> {
    let (regex, text) = (must(&args[0])?, string(&args[1])?);
    let most = usize::try_from(int(&args[2])?).unwrap_or(usize::MAX);
    Ok(Value::List(regex.find_iter(text).take(most).map(|found| Value::text(found.as_str())).collect()))
}

fn replaced<'a>(args: &[Value<'a>], expands: bool) -> Outcome<'a> {
    let (regex, text, with) = (must(&args[0])?, string(&args[1])?, string(&args[2])?);
    if text.len().saturating_add(1).saturating_mul(with.len() + 1) > MAX_TEXT * 16 {
        return Err("the result is too long".to_owned());
    }
    let text = if expands { regex.replace_all(text, with) } else { regex.replace_all(text, NoExpand(with)) };
    Ok(Value::text(text))
}

/// As the reference's library: `-1` is all pieces, `0` is none.
fn split<'a>(args: &[Value<'a>]) -> Outcome<'a> {
    let (regex, text, most) = (must(&args[0])?, string(&args[1])?, int(&args[2])?);
    let pieces: Vec<Value<'a>> = match usize::try_from(most) {
        Ok(most) => regex.splitn(text, most).map(Value::text).collect(),
        Err(_) => regex.split(text).map(Value::text).collect(),
    };
    Ok(Value::List(pieces))
}

fn quoted(text: &str) -> String {
    let mut out = String::new();
    for letter in text.chars() {
        if r"\.+*?()|[]{}^$".contains(letter) {
            out.push('\\');
        }
        out.push(letter);
    }
    out
}
