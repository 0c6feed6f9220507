//! Go's formatting: what `{{ value }}` prints, and `printf` (pipeline spec 6.5).

use std::fmt::Write;

use serde_json::Value as Json;

use super::session_json;
use super::value::{self, Value};
use crate::go_json;

/// Appends a value as `fmt.Fprint` prints it.
pub(super) fn write(value: &Value<'_>, out: &mut String) {
    match value {
        Value::Nil => out.push_str("<nil>"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Int(value) => {
            let _ = write!(out, "{value}");
        }
        Value::Float(value) => out.push_str(&float(*value)),
        Value::Text(text) => out.push_str(text),
        Value::Url(data) => out.push_str(&value::url(data)),
        Value::Query(query) => out.push_str(query),
        Value::Session(_) | Value::MatchContext(_) => out.push_str("{...}"),
        composite => write_composite(composite, out),
    }
}

fn write_composite(value: &Value<'_>, out: &mut String) {
    if let Some(elements) = value.elements() {
        out.push('[');
        for (index, element) in elements.iter().enumerate() {
            out.push_str(if index > 0 { " " } else { "" });
            write(element, out);
        }
        out.push(']');
    } else if let Some(members) = value.members() {
        out.push_str("map[");
        for (index, (key, member)) in members.iter().enumerate() {
            let _ = write!(out, "{}{key}:", if index > 0 { " " } else { "" });
            write(member, out);
        }
        out.push(']');
    }
}

/// A value as text.
pub(super) fn text(value: &Value<'_>) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

/// A float as `%v`: shortest digits, scientific below 1e-04 and from 1e+06 up.
pub(super) fn float(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let shortest = format!("{value:e}");
    let (digits, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if value == 0.0 || (-4..6).contains(&exponent) {
        return format!("{value}");
    }
    format!("{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

/// A float as Go's JSON encoder writes it.
pub(super) fn json_float(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) {
        let shortest = format!("{value:e}");
        match shortest.split_once('e') {
            Some((digits, exponent)) if !exponent.starts_with('-') => format!("{digits}e+{exponent}"),
            _ => shortest,
        }
    } else {
        format!("{value}")
    }
}

/// A value as Go's JSON encoder writes it: sorted keys, `<`, `>`, `&` escaped when asked.
pub(super) fn json(value: &Value<'_>, escapes: bool) -> String {
    let text = match value {
        Value::Nil => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Float(value) => json_float(*value),
        Value::Text(text) if escapes => {
            let mut out = String::new();
            go_json::encode_string(&mut out, text);
            return out;
        }
        Value::Text(text) => Json::from(text.as_ref()).to_string(),
        Value::Session(data) => go_json::encode(&data.to_json()),
        Value::Extra(data) => go_json::encode(&data.extra_json()),
        Value::MatchContext(data) => go_json::encode(&data.match_context_json()),
        Value::Url(data) => go_json::encode(&data.url_json()),
        Value::Header(map) => go_json::encode(&session_json::headers(map)),
        other => {
            if let Some(elements) = other.elements() {
                let elements: Vec<String> = elements.iter().map(|value| json(value, escapes)).collect();
                format!("[{}]", elements.join(","))
            } else if let Some(members) = other.members() {
                let members: Vec<String> = members
                    .iter()
                    .map(|(key, value)| {
                        format!("{}:{}", json(&Value::text(key.as_str()), escapes), json(value, escapes))
                    })
                    .collect();
                format!("{{{}}}", members.join(","))
            } else {
                Json::from(super::format::text(other)).to_string()
            }
        }
    };
    if escapes { crate::pipeline::error_response::escape_html(&text) } else { text }
}

/// Go's `%q`.
pub(super) fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            c if (c as u32) < 0x20 || c as u32 == 0x7f => {
                let _ = write!(quoted, "\\x{:02x}", c as u32);
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// `printf`: the verbs `v s d f e g q t x X T c b o %`, with flags, width and precision.
pub(super) fn printf(format: &str, arguments: &[Value<'_>]) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = format;
    let mut next = arguments.iter();
    while let Some(start) = rest.find('%') {
        out.push_str(&rest[..start]);
        let (spec, after) = Spec::parse(&rest[start + 1..])?;
        rest = after;
        match spec.verb {
            '%' => out.push('%'),
            verb => match next.next() {
                Some(value) => spec.write(value, &mut out),
                None => {
                    let _ = write!(out, "%!{verb}(MISSING)");
                }
            },
        }
    }
    out.push_str(rest);
    let extra: Vec<String> = next.map(|value| format!("{}={}", value.type_name(), text(value))).collect();
    if !extra.is_empty() {
        let _ = write!(out, "%!(EXTRA {})", extra.join(", "));
    }
    Ok(out)
}

struct Spec {
    minus: bool,
    plus: bool,
    zero: bool,
    width: usize,
    precision: Option<usize>,
    verb: char,
}

impl Spec {
    fn parse(text: &str) -> Result<(Self, &str), String> {
        let mut spec = Self { minus: false, plus: false, zero: false, width: 0, precision: None, verb: '%' };
        let mut rest = text;
        while let Some(flag) = rest.chars().next().filter(|c| "-+0 #".contains(*c)) {
            spec.minus |= flag == '-';
            spec.plus |= flag == '+';
            spec.zero |= flag == '0';
            rest = &rest[1..];
        }
        (spec.width, rest) = number(rest);
        if let Some(after) = rest.strip_prefix('.') {
            let (precision, after) = number(after);
            spec.precision = Some(precision);
            rest = after;
        }
        // A width is room reserved; nobody needs more of it than a line has.
        if spec.width > 1024 || spec.precision.is_some_and(|precision| precision > 1024) {
            return Err("width or precision is too large".to_owned());
        }
        spec.verb = rest.chars().next().ok_or("%!(NOVERB)")?;
        let after = &rest[spec.verb.len_utf8()..];
        Ok((spec, after))
    }

    fn write(&self, value: &Value<'_>, out: &mut String) {
        let body = self.body(value);
        let missing = self.width.saturating_sub(body.chars().count());
        if self.minus {
            out.push_str(&body);
            out.extend(std::iter::repeat_n(' ', missing));
        } else if self.zero && matches!(value, Value::Int(_) | Value::Float(_)) {
            let (sign, digits) = body.split_at(usize::from(body.starts_with(['-', '+'])));
            out.push_str(sign);
            out.extend(std::iter::repeat_n('0', missing));
            out.push_str(digits);
        } else {
            out.extend(std::iter::repeat_n(' ', missing));
            out.push_str(&body);
        }
    }

    fn body(&self, value: &Value<'_>) -> String {
        let plus = |body: String| if self.plus && !body.starts_with('-') { format!("+{body}") } else { body };
        let cut = |text: &str| match self.precision {
            Some(limit) => text.chars().take(limit).collect(),
            None => text.to_owned(),
        };
        match (self.verb, value) {
            ('T', value) => value.type_name().to_owned(),
            ('v', value) => text(value),
            ('s', Value::Text(text)) => cut(text),
            ('q', Value::Text(text)) => quote(&cut(text)),
            ('x', Value::Text(text)) => text.bytes().fold(String::new(), |out, byte| out + &format!("{byte:02x}")),
            ('X', Value::Text(text)) => text.bytes().fold(String::new(), |out, byte| out + &format!("{byte:02X}")),
            ('d', Value::Int(value)) => plus(value.to_string()),
            ('x', Value::Int(value)) => format!("{value:x}"),
            ('X', Value::Int(value)) => format!("{value:X}"),
            ('b', Value::Int(value)) => format!("{value:b}"),
            ('o', Value::Int(value)) => format!("{value:o}"),
            ('c', Value::Int(value)) => {
                u32::try_from(*value).ok().and_then(char::from_u32).unwrap_or('\u{fffd}').to_string()
            }
            ('f' | 'F', Value::Float(value)) => plus(format!("{value:.*}", self.precision.unwrap_or(6))),
            ('e', Value::Float(value)) => plus(scientific(*value, self.precision.unwrap_or(6))),
            ('g', Value::Float(value)) => plus(float(*value)),
            ('t', Value::Bool(value)) => value.to_string(),
            ('s', Value::Header(_)) => text(value),
            ('s' | 'd' | 'q' | 'f' | 't' | 'x', value) if value.elements().is_some() => {
                let elements = value.elements().unwrap_or_default();
                let elements: Vec<String> = elements.iter().map(|element| self.body(element)).collect();
                format!("[{}]", elements.join(" "))
            }
            (verb, Value::Nil) => format!("%!{verb}(<nil>)"),
            (verb, value) => format!("%!{verb}({}={})", value.type_name(), text(value)),
        }
    }
}

fn number(text: &str) -> (usize, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    // More digits than fit are too large, which the caller refuses.
    (if end == 0 { 0 } else { text[..end].parse().unwrap_or(usize::MAX) }, &text[end..])
}

fn scientific(value: f64, precision: usize) -> String {
    let text = format!("{value:.precision$e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    format!("{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}
