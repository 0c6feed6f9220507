//! From a path's text to its steps.

use super::modifier::Modifier;
use super::pattern::Pattern;
use super::query::{Operator, Query, Test, Truth};
use super::{Key, Path, Stage, Step};

/// Bytes. Paths are written by operators; this only keeps mistakes small.
const MAX_LENGTH: usize = 4096;
/// Paths within paths.
const MAX_DEPTH: usize = 16;

/// Compiles a whole path.
pub(super) fn path(text: &str) -> Result<Path, String> {
    if text.len() > MAX_LENGTH {
        return Err(format!("it is longer than {MAX_LENGTH} bytes"));
    }
    Parser { text, at: 0, depth: 0 }.path()
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
}

/// What follows a component.
enum Next {
    Component,
    End,
    Stage,
}

impl<'t> Parser<'t> {
    fn path(mut self) -> Result<Path, String> {
        if self.depth > MAX_DEPTH {
            return Err(format!("it is nested more than {MAX_DEPTH} deep"));
        }
        let (mut stages, mut steps) = (Vec::new(), Vec::new());
        let (mut begins_stage, mut lines) = (true, false);
        loop {
            let rest = self.rest();
            let in_lines = begins_stage && rest.starts_with("..");
            if in_lines {
                self.at += "..".len();
            }
            let whole = match rest.as_bytes() {
                [b'!', _, ..] if begins_stage => Some(self.literal()?),
                _ if in_lines => None,
                _ => self.whole_value()?,
            };
            let next = if let Some(stage) = whole {
                if !steps.is_empty() {
                    let steps = std::mem::take(&mut steps);
                    stages.push(if lines { Stage::Lines(steps) } else { Stage::Walk(steps) });
                    lines = false;
                }
                stages.push(stage);
                // Whatever follows works on its result, after a dot as after a pipe.
                if self.at == self.text.len() { Next::End } else { Next::Stage }
            } else {
                lines |= in_lines;
                let next = self.step(&mut steps)?;
                if !matches!(next, Next::Component) {
                    let steps = std::mem::take(&mut steps);
                    stages.push(if lines { Stage::Lines(steps) } else { Stage::Walk(steps) });
                    lines = false;
                }
                next
            };
            match next {
                Next::End => return Ok(Path { stages }),
                Next::Component => begins_stage = false,
                Next::Stage => begins_stage = true,
            }
            self.at += 1;
        }
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    /// A path within this one.
    fn inner(&self, text: &'t str) -> Result<Path, String> {
        Parser { text, at: 0, depth: self.depth + 1 }.path()
    }

    /// A modifier or a multipath, if one stands here; leaves off before `.`, `|` or the end.
    fn whole_value(&mut self) -> Result<Option<Stage>, String> {
        let rest = self.rest();
        let stage = match rest.as_bytes() {
            [b'@', _, ..] => match self.modifier()? {
                Some(modifier) => Stage::Modify(modifier),
                None => return Ok(None),
            },
            [b'{' | b'[', ..] => self.multipath()?,
            _ => return Ok(None),
        };
        match self.rest().as_bytes().first() {
            None | Some(b'.' | b'|') => Ok(Some(stage)),
            Some(_) => Err(format!("`{}` does not belong after a bracket", self.rest())),
        }
    }

    /// `!` and JSON that does not depend on the answer. As in the reference, what follows a text says nothing.
    fn literal(&mut self) -> Result<Stage, String> {
        let rest = &self.rest()[1..];
        let length = match rest.as_bytes() {
            [b'{' | b'[' | b'"', ..] => closing(rest),
            // A number goes on to the end of the path.
            [b'+' | b'-' | b'0'..=b'9', ..] => Some(rest.len()),
            _ => Some(rest.find(['.', '|']).unwrap_or(rest.len())),
        };
        let literal = length.and_then(|length| serde_json::from_str(&rest[..length]).ok().map(|value| (length, value)));
        let Some((length, value)) = literal else { return Err(format!("`!{rest}` is no JSON literal")) };
        self.at += 1 + if rest.starts_with('"') { rest.len() } else { length };
        match self.rest().as_bytes().first() {
            None | Some(b'.' | b'|') => Ok(Stage::Literal(value)),
            Some(_) => Err(format!("`{}` does not belong after a literal", self.rest())),
        }
    }

    fn modifier(&mut self) -> Result<Option<Modifier>, String> {
        let rest = &self.rest()[1..];
        let name = &rest[..rest.find(['.', '|', ':']).unwrap_or(rest.len())];
        let after = &rest[name.len()..];
        let argument = match after.strip_prefix(':') {
            Some(argument) if argument.starts_with(['{', '[', '"']) => {
                let length =
                    closing(argument).ok_or_else(|| format!("the argument of the modifier `@{name}` has no end"))?;
                &argument[..length]
            }
            Some(argument) => split(argument, b'|').first().copied().unwrap_or_default(),
            None => "",
        };
        let modifier = match name {
            "dig" => Modifier::Dig(Box::new(self.inner(argument)?)),
            _ => match Modifier::named(name, argument) {
                Some(modifier) => modifier?,
                None => return Ok(None),
            },
        };
        self.at += 1 + name.len() + usize::from(after.starts_with(':')) + argument.len();
        Ok(Some(modifier))
    }

    fn multipath(&mut self) -> Result<Stage, String> {
        let rest = self.rest();
        let length = closing(rest).ok_or_else(|| format!("`{rest}` has no closing bracket"))?;
        self.at += length;
        let parts = split(&rest[1..length - 1], b',').into_iter().filter(|part| !part.is_empty());
        if rest.starts_with('[') {
            return Ok(Stage::Array(parts.map(|part| self.inner(named(part).1)).collect::<Result<_, _>>()?));
        }
        let member = |part: &'t str| {
            let (name, path) = named(part);
            let name = match name {
                Some(quoted) if quoted.starts_with('"') => serde_json::from_str(quoted).unwrap_or(quoted.to_owned()),
                Some(name) => name.to_owned(),
                None => last_component(path).to_owned(),
            };
            Ok((name, self.inner(path)?))
        };
        Ok(Stage::Object(parts.map(member).collect::<Result<_, String>>()?))
    }

    /// Reads one component; what it leaves is the separator.
    fn step(&mut self, steps: &mut Vec<Step>) -> Result<Next, String> {
        let rest = self.rest();
        match rest.as_bytes() {
            [b'#'] => {
                steps.push(Step::Count);
                self.at += 1;
                Ok(Next::End)
            }
            [b'#', b'|', ..] => {
                steps.push(Step::Count);
                self.at += 1;
                Ok(Next::Stage)
            }
            [b'#', b'.', ..] => {
                self.at += 2;
                let (then, next) = self.until_pipe()?;
                steps.push(Step::Each(then));
                Ok(next)
            }
            [b'#', b'(' | b'[', ..] => self.query(steps),
            _ => Ok(self.member(steps)),
        }
    }

    /// The rest up to the next pipe, as a path of its own.
    fn until_pipe(&mut self) -> Result<(Path, Next), String> {
        let rest = self.rest();
        let own = split(rest, b'|').first().copied().unwrap_or_default();
        self.at += own.len();
        let next = if own.len() == rest.len() { Next::End } else { Next::Stage };
        Ok((self.inner(own)?, next))
    }

    fn query(&mut self, steps: &mut Vec<Step>) -> Result<Next, String> {
        let rest = self.rest();
        let length = closing(&rest[1..]).ok_or_else(|| format!("the query `{rest}` has no closing bracket"))?;
        let query = self.condition(&rest[2..length])?;
        self.at += 1 + length;
        let all = self.rest().starts_with('#');
        self.at += usize::from(all);
        let (then, next) = match self.rest().as_bytes().first() {
            None => (None, Next::End),
            Some(b'|') => (None, Next::Stage),
            Some(b'.') => {
                self.at += 1;
                let (then, next) = self.until_pipe()?;
                (Some(then), next)
            }
            Some(_) => return Err(format!("`{}` does not belong after a query", self.rest())),
        };
        steps.push(if all { Step::All(query, then) } else { Step::First(query, then) });
        Ok(next)
    }

    fn condition(&self, text: &'t str) -> Result<Query, String> {
        const OPERATORS: &[(&str, Option<Operator>)] = &[
            ("==", Some(Operator::Equal)),
            ("!=", Some(Operator::Unequal)),
            ("<=", Some(Operator::LessOrEqual)),
            (">=", Some(Operator::GreaterOrEqual)),
            ("!%", None),
            ("%", None),
            ("=", Some(Operator::Equal)),
            ("<", Some(Operator::Less)),
            (">", Some(Operator::Greater)),
        ];
        let start = unnested(text).find(|(_, byte)| matches!(byte, b'!' | b'=' | b'<' | b'>' | b'%'));
        let (path, comparison) = text.split_at(start.map_or(text.len(), |(start, _)| start));
        let path = match path.trim() {
            "" => None,
            path => Some(self.inner(path)?),
        };
        if comparison.is_empty() {
            return Ok(Query { path, test: Test::Exists });
        }
        let (symbol, operator) = OPERATORS
            .iter()
            .find(|(symbol, _)| comparison.starts_with(symbol))
            .ok_or_else(|| format!("`{comparison}` begins with no operator"))?;
        let value = comparison[symbol.len()..].trim();
        let text = match value.strip_prefix('"').and_then(|value| value.strip_suffix('"')) {
            Some(inner) if inner.contains('\\') => {
                serde_json::from_str(value).map_err(|_| format!("`{value}` is not a JSON string"))?
            }
            Some(inner) => inner.to_owned(),
            None => value.to_owned(),
        };
        let test = match (operator, text.strip_prefix('~')) {
            (None, _) => Test::Fits { pattern: Pattern::compile(&text), is: *symbol == "%" },
            (Some(operator), Some(word)) => {
                let truth = match word {
                    "*" => Truth::Exists,
                    "null" => Truth::Null,
                    "true" => Truth::True,
                    "false" => Truth::False,
                    _ => return Err(format!("`{text}` is none of `~true`, `~false`, `~null` and `~*`")),
                };
                Test::Truth { operator: *operator, truth }
            }
            (Some(operator), None) => {
                let number = text.parse().unwrap_or(0.0);
                Test::Compare { operator: *operator, text, number }
            }
        };
        Ok(Query { path, test })
    }

    fn member(&mut self, steps: &mut Vec<Step>) -> Next {
        let rest = self.rest();
        let (mut key, mut pattern, mut wild) = (String::new(), String::new(), false);
        let mut chars = rest.char_indices();
        let mut end = rest.len();
        while let Some((at, char)) = chars.next() {
            match char {
                '.' | '|' => {
                    end = at;
                    break;
                }
                '\\' => {
                    let escaped = chars.next().map(|(_, char)| char);
                    key.extend(escaped);
                    pattern.push('\\');
                    pattern.extend(escaped);
                }
                other => {
                    wild |= matches!(other, '*' | '?');
                    key.push(other);
                    pattern.push(other);
                }
            }
        }
        let written = &rest[..end];
        let is_index = !written.is_empty() && written.bytes().all(|byte| byte.is_ascii_digit());
        let index = if is_index { written.parse().ok() } else { None };
        let key = if wild { Key::Wild(Pattern::compile(&pattern)) } else { Key::Literal(key) };
        steps.push(Step::Into { key, index });
        self.at += end;
        match rest.as_bytes().get(end) {
            None => Next::End,
            Some(b'.') => Next::Component,
            Some(_) => Next::Stage,
        }
    }
}

/// The bytes outside of quotes, brackets and escapes, with their positions. A bracket that closes more than
/// was opened counts as outside.
fn unnested(text: &str) -> impl Iterator<Item = (usize, u8)> {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    text.bytes().enumerate().filter(move |(_, byte)| {
        if escaped {
            escaped = false;
            return false;
        }
        match byte {
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' if depth > 0 => depth -= 1,
            _ => return depth == 0,
        }
        false
    })
}

/// The length of the bracket or string that a text begins with.
fn closing(text: &str) -> Option<usize> {
    if text.starts_with('"') {
        let mut escaped = false;
        let end = text.bytes().skip(1).position(|byte| {
            let ends = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            ends
        })?;
        return Some(end + 2);
    }
    let is_closing = |byte: &u8| matches!(byte, b')' | b']' | b'}');
    unnested(text.get(1..)?).find(|(_, byte)| is_closing(byte)).map(|(at, _)| at + 2)
}

/// Splits where a separator stands outside of quotes and brackets.
fn split(text: &str, separator: u8) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut from = 0;
    for (at, _) in unnested(text).filter(|(_, byte)| *byte == separator) {
        parts.push(&text[from..at]);
        from = at + 1;
    }
    parts.push(&text[from..]);
    parts
}

/// `"name":path` or `name:path`. The colon of a modifier's argument names nothing.
fn named(part: &str) -> (Option<&str>, &str) {
    let colon = unnested(part).find(|(_, byte)| *byte == b':').map(|(at, _)| at);
    match colon {
        Some(colon) if !part[..colon].contains(".@") && !part[..colon].contains("|@") => {
            (Some(&part[..colon]), &part[colon + 1..])
        }
        _ => (None, part),
    }
}

/// What a member without a name is called: its path's last component.
fn last_component(path: &str) -> &str {
    let is_separator = |at: usize| matches!(path.as_bytes().get(at), Some(b'.' | b'|'));
    let separator =
        (0..path.len()).rev().find(|at| is_separator(*at) && (*at == 0 || path.as_bytes()[at - 1] != b'\\'));
    let name = separator.map_or(path, |at| &path[at + 1..]);
    let is_simple = !name.contains(|char: char| char < ' ' || "[]{}()#|!".contains(char));
    if is_simple { name } else { "_" }
}
