//! Go's formatting: what `{{ value }}` prints, and `printf` (pipeline spec 6.5).

use std::fmt::Write;

use super::fields;
use super::value::Value;

/// How much is written, and how deep: what is longer no function may give and no template may write.
const MAX_SHOWN: usize = 512 * 1024;
const MAX_DEPTH: usize = 200;

/// A value as `fmt.Sprint` prints it.
pub(super) fn text(value: &Value<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    write(value, &mut out, 0);
    out
}

/// The same, with what is not UTF-8 replaced.
fn lossy(value: &Value<'_>) -> String {
    String::from_utf8_lossy(&text(value)).into_owned()
}

fn write(value: &Value<'_>, out: &mut Vec<u8>, depth: usize) {
    if out.len() > MAX_SHOWN {
        return;
    }
    match value {
        Value::Nil | Value::Null => out.extend(b"<nil>"),
        Value::Bool(value) => out.extend(if *value { b"true".as_slice() } else { b"false" }),
        Value::Int(value) | Value::Int64(value) => out.extend(value.to_string().bytes()),
        Value::Integer(integer) => {
            let shown = integer.of.show.map_or_else(|| integer.decimal(), |show| show(integer.bits));
            out.extend(shown.bytes());
        }
        Value::Float(value) => out.extend(float(*value).bytes()),
        Value::Text(text) => out.extend(text.as_bytes()),
        Value::Object(object) => out.extend(object.show().bytes()),
        Value::Url(data) => out.extend(fields::url(data).bytes()),
        Value::Session(_) | Value::MatchContext(_) => out.extend(b"{...}"),
        _ if depth > MAX_DEPTH => out.extend(b"..."),
        composite => {
            if let Some(elements) = composite.elements() {
                out.push(b'[');
                for (index, element) in elements.iter().enumerate() {
                    out.extend((index > 0).then_some(b' '));
                    write(element, out, depth + 1);
                }
            } else {
                out.extend(b"map[");
                for (index, (key, member)) in composite.members().unwrap_or_default().iter().enumerate() {
                    out.extend((index > 0).then_some(b' '));
                    out.extend(key.as_bytes());
                    out.push(b':');
                    write(member, out, depth + 1);
                }
            }
            out.push(b']');
        }
    }
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

/// Go's `%q`.
pub(super) fn quote(bytes: &[u8]) -> String {
    let mut quoted = String::from("\"");
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' => quoted.push_str("\\\""),
                '\\' => quoted.push_str("\\\\"),
                '\u{7}' => quoted.push_str("\\a"),
                '\u{8}' => quoted.push_str("\\b"),
                '\u{c}' => quoted.push_str("\\f"),
                '\n' => quoted.push_str("\\n"),
                '\r' => quoted.push_str("\\r"),
                '\t' => quoted.push_str("\\t"),
                '\u{b}' => quoted.push_str("\\v"),
                c if (c as u32) < 0x20 || c as u32 == 0x7f => {
                    let _ = write!(quoted, "\\x{:02x}", c as u32);
                }
                c if is_hidden(c) => {
                    let _ = match c as u32 {
                        code @ 0..=0xffff => write!(quoted, "\\u{code:04x}"),
                        code => write!(quoted, "\\U{code:08x}"),
                    };
                }
                c => quoted.push(c),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(quoted, "\\x{byte:02x}");
        }
    }
    quoted.push('"');
    quoted
}

/// Characters that Go does not print: controls, formats, spaces other than the plain one.
fn is_hidden(c: char) -> bool {
    static HIDDEN: std::sync::LazyLock<Option<regex::Regex>> =
        std::sync::LazyLock::new(|| regex::Regex::new(r"^[\p{C}\p{Z}]$").ok());
    !c.is_ascii() && HIDDEN.as_ref().is_some_and(|hidden| hidden.is_match(c.encode_utf8(&mut [0; 4])))
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
    let extra: Vec<String> = next.map(|value| format!("{}={}", value.type_name(), lossy(value))).collect();
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
        } else if self.zero && matches!(value, Value::Int(_) | Value::Int64(_) | Value::Float(_)) {
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
            ('v', value) => lossy(value),
            ('s', Value::Text(text)) => cut(&text.to_str()),
            ('s', value @ (Value::Object(_) | Value::Url(_))) => cut(&lossy(value)),
            ('q', Value::Text(text)) => quote(cut(&text.to_str()).as_bytes()),
            ('x', Value::Text(text)) => {
                text.as_bytes().iter().fold(String::new(), |out, byte| out + &format!("{byte:02x}"))
            }
            ('X', Value::Text(text)) => {
                text.as_bytes().iter().fold(String::new(), |out, byte| out + &format!("{byte:02X}"))
            }
            ('d', Value::Int(value) | Value::Int64(value)) => plus(value.to_string()),
            ('x', Value::Int(value) | Value::Int64(value)) => format!("{value:x}"),
            ('X', Value::Int(value) | Value::Int64(value)) => format!("{value:X}"),
            ('b', Value::Int(value) | Value::Int64(value)) => format!("{value:b}"),
            ('o', Value::Int(value) | Value::Int64(value)) => format!("{value:o}"),
            ('d', Value::Integer(value)) => plus(value.decimal()),
            ('c', Value::Int(value) | Value::Int64(value)) => {
                u32::try_from(*value).ok().and_then(char::from_u32).unwrap_or('\u{fffd}').to_string()
            }
            ('f' | 'F', Value::Float(value)) => plus(format!("{value:.*}", self.precision.unwrap_or(6))),
            ('e', Value::Float(value)) => plus(scientific(*value, self.precision.unwrap_or(6))),
            ('g', Value::Float(value)) => plus(float(*value)),
            ('t', Value::Bool(value)) => value.to_string(),
            ('s' | 'd' | 'q' | 'f' | 't' | 'x', value) if value.elements().is_some() => {
                let elements = value.elements().unwrap_or_default();
                let elements: Vec<String> = elements.iter().map(|element| self.body(element)).collect();
                format!("[{}]", elements.join(" "))
            }
            ('s' | 'd' | 'q' | 'f' | 't' | 'x', map) if map.map_kind().is_some() => {
                let members = map.members().unwrap_or_default().into_iter();
                let members =
                    members.map(|(key, value)| format!("{}:{}", self.body(&Value::Text(key)), self.body(&value)));
                format!("map[{}]", members.collect::<Vec<_>>().join(" "))
            }
            (verb, Value::Nil) => format!("%!{verb}(<nil>)"),
            (verb, value) => format!("%!{verb}({}={})", value.type_name(), lossy(value)),
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
