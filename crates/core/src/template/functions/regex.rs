//! Matching and replacing with RE2 patterns.

use std::sync::{Arc, LazyLock};

use ::regex::bytes::{Captures, Regex, RegexBuilder};
use quick_cache::sync::Cache;

use super::super::function::Function;
use super::super::function::Param::{Int, Text};
use super::super::runes;
use super::super::value::Element;
use super::arguments::{bytes, fits, holds, int, text, utf8};
use super::{Outcome, Value, regex_syntax};

pub(super) const ALL: &[Function] = &[
    Function::pure("regexMatch", &[Text, Text], |args| match compiled(&args[0]) {
        Ok(pattern) => Ok(Value::Bool(pattern.is_match(bytes(&args[1])?))),
        Err(_) => Ok(Value::Bool(false)),
    }),
    Function::pure("mustRegexMatch", &[Text, Text], |args| {
        Ok(Value::Bool(compiled(&args[0])?.is_match(bytes(&args[1])?)))
    }),
    Function::pure("regexFind", &[Text, Text], find),
    Function::pure("mustRegexFind", &[Text, Text], find),
    Function::pure("regexFindAll", &[Text, Text, Int], find_all),
    Function::pure("mustRegexFindAll", &[Text, Text, Int], find_all),
    Function::pure("regexReplaceAll", &[Text, Text, Text], replace_all),
    Function::pure("mustRegexReplaceAll", &[Text, Text, Text], replace_all),
    Function::pure("regexReplaceAllLiteral", &[Text, Text, Text], replace_all_literal),
    Function::pure("mustRegexReplaceAllLiteral", &[Text, Text, Text], replace_all_literal),
    Function::pure("regexSplit", &[Text, Text, Int], split),
    Function::pure("mustRegexSplit", &[Text, Text, Int], split),
    Function::pure("regexQuoteMeta", &[Text], |args| {
        let special = b"\\.+*?()|[]{}^$";
        text(bytes(&args[0])?.iter().fold(Vec::new(), |mut quoted, byte| {
            quoted.extend(special.contains(byte).then_some(b'\\'));
            quoted.push(*byte);
            quoted
        }))
    }),
];

/// How many compiled patterns are kept. Most templates name theirs, so it is compiled once.
const CACHED: usize = 256;
/// How much memory a compiled pattern may take.
const MAX_SIZE: usize = 1 << 20;

/// A pattern ready for use.
fn compiled(pattern: &Value<'_>) -> Result<Arc<Regex>, String> {
    static CACHE: LazyLock<Cache<String, Arc<Regex>>> = LazyLock::new(|| Cache::new(CACHED));
    let pattern = utf8(pattern)?;
    if let Some(known) = CACHE.get(&*pattern) {
        return Ok(known);
    }
    let translated = regex_syntax::translated(&pattern)?;
    let built = RegexBuilder::new(&translated).size_limit(MAX_SIZE).dfa_size_limit(MAX_SIZE).build();
    let built = Arc::new(built.map_err(|_| "the pattern does not compile, or is too large".to_owned())?);
    CACHE.insert(pattern.into_owned(), built.clone());
    Ok(built)
}

/// All matches, at most `limit`; none inside a character.
fn matches<'t>(pattern: &Regex, from: &'t [u8], limit: Option<usize>) -> Result<Vec<Captures<'t>>, String> {
    let mut found = Vec::new();
    for captures in pattern.captures_iter(from) {
        let start = captures.get(0).map_or(0, |whole| whole.start());
        if limit.is_some_and(|limit| found.len() >= limit) {
            break;
        }
        let inside = from.get(start).is_some_and(|byte| byte & 0xc0 == 0x80) && captures[0].is_empty();
        if !inside {
            holds(found.len())?;
            found.push(captures);
        }
    }
    Ok(found)
}

fn find<'a>(args: &[Value<'a>]) -> Outcome<'a> {
    text(compiled(&args[0])?.find(bytes(&args[1])?).map_or(&[][..], |found| found.as_bytes()))
}

fn find_all<'a>(args: &[Value<'a>]) -> Outcome<'a> {
    let limit = usize::try_from(int(&args[2])?).ok();
    let found = matches(&*compiled(&args[0])?, bytes(&args[1])?, limit)?;
    if found.is_empty() {
        return Ok(Value::nil_list(Element::Text));
    }
    Ok(Value::strings(found.iter().map(|captures| captures[0].to_vec())))
}

fn replace_all<'a>(args: &[Value<'a>]) -> Outcome<'a> {
    let (pattern, template) = (compiled(&args[0])?, bytes(&args[2])?);
    replaced(&pattern, bytes(&args[1])?, |captures, out| expand(&pattern, captures, template, out))
}

fn replace_all_literal<'a>(args: &[Value<'a>]) -> Outcome<'a> {
    let new = bytes(&args[2])?;
    replaced(&*compiled(&args[0])?, bytes(&args[1])?, |_, out| out.extend_from_slice(new))
}

fn replaced<'a>(pattern: &Regex, from: &[u8], put: impl Fn(&Captures<'_>, &mut Vec<u8>)) -> Outcome<'a> {
    let (mut made, mut at) = (Vec::with_capacity(from.len()), 0);
    for captures in matches(pattern, from, None)? {
        let Some(whole) = captures.get(0) else { continue };
        made.extend_from_slice(&from[at..whole.start()]);
        put(&captures, &mut made);
        at = whole.end();
        fits(made.len())?;
    }
    made.extend_from_slice(&from[at..]);
    text(made)
}

/// `$1`, `${name}`, `$$`; a name is as long as it can be, and one that does not exist is nothing.
fn expand(pattern: &Regex, captures: &Captures<'_>, template: &[u8], out: &mut Vec<u8>) {
    let mut rest = template;
    while let Some(at) = memchr::memchr(b'$', rest) {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at + 1..];
        if let [b'$', after @ ..] = rest {
            out.push(b'$');
            rest = after;
            continue;
        }
        let braced = rest.first() == Some(&b'{');
        let body = &rest[usize::from(braced)..];
        let length = name_length(body);
        let closed = !braced || body.get(length) == Some(&b'}');
        if length == 0 || !closed {
            out.push(b'$');
            continue;
        }
        let name = &body[..length];
        rest = &body[length + usize::from(braced)..];
        let name = String::from_utf8_lossy(name);
        let is_number = name.bytes().all(|byte| byte.is_ascii_digit());
        let found = if is_number && (name.len() == 1 || !name.starts_with('0')) {
            name.parse().ok().and_then(|index: usize| captures.get(index))
        } else {
            pattern.capture_names().flatten().find(|known| *known == name).and_then(|known| captures.name(known))
        };
        out.extend_from_slice(found.map_or(&[][..], |found| found.as_bytes()));
    }
    out.extend_from_slice(rest);
}

fn name_length(text: &[u8]) -> usize {
    let mut length = 0;
    while let Some((c, size)) = runes::first(&text[length..])
        && (c == '_' || runes::LETTER.has(c) || runes::DIGIT.has(c))
    {
        length += size;
    }
    length
}

fn split<'a>(args: &[Value<'a>]) -> Outcome<'a> {
    let (pattern, from, limit) = (compiled(&args[0])?, bytes(&args[1])?, usize::try_from(int(&args[2])?).ok());
    if limit == Some(0) {
        return Ok(Value::nil_list(Element::Text));
    }
    if from.is_empty() && !bytes(&args[0])?.is_empty() {
        return Ok(Value::strings([Vec::new()]));
    }
    let (mut pieces, mut at, mut end) = (Vec::new(), 0, 0);
    for captures in matches(&pattern, from, limit)? {
        let Some(whole) = captures.get(0) else { continue };
        if limit.is_some_and(|limit| pieces.len() + 1 == limit) {
            break;
        }
        end = whole.start();
        if whole.end() != 0 {
            pieces.push(from[at..end].to_vec());
        }
        at = whole.end();
    }
    if end != from.len() {
        pieces.push(from[at..].to_vec());
    }
    Ok(Value::strings(pieces))
}
