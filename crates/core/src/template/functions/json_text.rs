//! Writes values as Go's JSON encoder does: sorted keys, structs in the order of their fields.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;

use super::Value;
use super::arguments::MAX_TEXT;
use crate::template::url::Url;
use crate::template::value::{Object, Text};

/// How deep values may nest.
const MAX_DEPTH: usize = 200;

/// How JSON is laid out.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    /// Whether `<`, `>` and `&` are escaped.
    pub(super) escapes: bool,
    /// Whether it is indented by two spaces.
    pub(super) pretty: bool,
}

/// Why there is no JSON.
pub(super) enum Fault {
    /// Not a number, infinite, or complex.
    Unsupported,
    TooLong,
}

impl Fault {
    pub(super) fn message(&self) -> &'static str {
        match self {
            Fault::Unsupported => "unsupported value",
            Fault::TooLong => "the value is too large for JSON",
        }
    }
}

/// The JSON of a value.
pub(super) fn json(value: &Value<'_>, layout: Layout) -> Result<String, Fault> {
    let mut writer = Writer { layout, out: String::new(), depth: 0 };
    writer.value(value)?;
    Ok(writer.out)
}

struct Writer {
    layout: Layout,
    out: String,
    depth: usize,
}

impl Writer {
    fn value(&mut self, value: &Value<'_>) -> Result<(), Fault> {
        if self.out.len() > MAX_TEXT || self.depth > MAX_DEPTH {
            return Err(Fault::TooLong);
        }
        match value {
            Value::Nil | Value::Null => self.out.push_str("null"),
            Value::List(list) if list.nil => self.out.push_str("null"),
            Value::Map(map) if map.nil => self.out.push_str("null"),
            Value::Bool(value) => self.out.push_str(if *value { "true" } else { "false" }),
            Value::Int(value) | Value::Int64(value) => self.out.push_str(&value.to_string()),
            Value::Integer(integer) => self.out.push_str(&integer.decimal()),
            Value::Float(value) if value.is_finite() => self.out.push_str(&super::super::format::json_float(*value)),
            Value::Float(_) | Value::Complex(_) => return Err(Fault::Unsupported),
            Value::Text(text) => self.text(text),
            Value::Object(object) => self.object(&**object)?,
            Value::Session(data) => self.fields(&[
                ("subject", Value::Text(Text::borrowed(data.subject))),
                ("extra", data.extra.map_or(Value::Nil, |extra| Value::JsonMap(extra))),
                ("header", if data.header.is_empty() { Value::Nil } else { Value::Headers(data.header) }),
                ("match_context", Value::MatchContext(data)),
            ])?,
            Value::MatchContext(data) => self.fields(&[
                ("regexp_capture_groups", Value::Strings(data.captures)),
                ("url", if data.has_no_url() { Value::Nil } else { Value::Url(data) }),
                ("method", Value::Text(Text::borrowed(data.method))),
                ("header", Value::Headers(data.request_header)),
            ])?,
            Value::Url(data) => self.object(&Url::of(data))?,
            composite => {
                if let Some(octets) = composite.as_octets() {
                    self.text(&Text::from(STANDARD.encode(octets)));
                } else if let Some(elements) = composite.elements() {
                    self.all('[', ']', &elements, |writer, value| writer.value(value))?;
                } else {
                    let members = composite.members().unwrap_or_default();
                    self.all('{', '}', &members, |writer, (key, value)| writer.member(key, value))?;
                }
            }
        }
        Ok(())
    }

    /// A struct; its fields are not sorted.
    fn object(&mut self, object: &dyn Object) -> Result<(), Fault> {
        match object.json().ok_or(Fault::Unsupported)? {
            Json::Object(fields) => {
                let fields: Vec<_> = fields.iter().collect();
                self.all('{', '}', &fields, |writer, (name, value)| {
                    writer.member(&Text::borrowed(name), &Value::of(value))
                })
            }
            other => self.value(&Value::of(&other)),
        }
    }

    fn fields(&mut self, fields: &[(&'static str, Value<'_>)]) -> Result<(), Fault> {
        self.all('{', '}', fields, |writer, (name, value)| writer.member(&Text::borrowed(name), value))
    }

    fn member(&mut self, key: &Text<'_>, value: &Value<'_>) -> Result<(), Fault> {
        self.text(key);
        self.out.push_str(if self.layout.pretty { ": " } else { ":" });
        self.value(value)
    }

    fn all<T>(
        &mut self,
        open: char,
        close: char,
        items: &[T],
        write: impl Fn(&mut Self, &T) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        self.out.push(open);
        self.depth += 1;
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.out.push(',');
            }
            self.line();
            write(self, item)?;
        }
        self.depth -= 1;
        if !items.is_empty() {
            self.line();
        }
        self.out.push(close);
        Ok(())
    }

    fn line(&mut self) {
        if self.layout.pretty {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n("  ", self.depth));
        }
    }

    fn text(&mut self, text: &Text<'_>) {
        self.out.push('"');
        for c in super::super::runes::all(text.as_bytes()) {
            match c {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                '\u{8}' => self.out.push_str("\\b"),
                '\u{c}' => self.out.push_str("\\f"),
                c if (c as u32) < 0x20
                    || matches!(c, '\u{2028}' | '\u{2029}')
                    || self.layout.escapes && matches!(c, '<' | '>' | '&') =>
                {
                    self.out.push_str(&format!("\\u{:04x}", c as u32));
                }
                c => self.out.push(c),
            }
        }
        self.out.push('"');
    }
}
