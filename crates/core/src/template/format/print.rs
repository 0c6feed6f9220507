//! Any value by any verb, as Go's `fmt` prints it.

use super::quote::{fits_backquotes, quoted};
use super::spec::Spec;
use super::{MAX_SHOWN, number};
use crate::template::TemplateData;
use crate::template::url::Url;
use crate::template::value::{Integer, Object, Text, Value};

/// How deep values are followed.
const MAX_DEPTH: usize = 200;

/// Prints into a buffer.
#[derive(Default)]
pub(super) struct Printer {
    pub(super) out: Vec<u8>,
    pub(super) spec: Spec,
    /// Within the note on a verb that does not suit its value: structs are not asked for their own form.
    erring: bool,
}

impl Printer {
    /// A value that a directive names.
    pub(super) fn argument(&mut self, value: &Value<'_>, verb: char) {
        match (value, verb) {
            (Value::Nil | Value::Null, 'T' | 'v') => self.spec.pad(b"<nil>", &mut self.out),
            (Value::Nil | Value::Null, _) => self.unsuited(value, verb),
            (value, 'T') => self.string(value.type_name().as_bytes(), 's', value),
            (value, 'p' | 'w') => self.unsuited(value, verb),
            _ => self.value(value, verb, 0),
        }
    }

    pub(super) fn value(&mut self, value: &Value<'_>, verb: char, depth: usize) {
        if self.out.len() > MAX_SHOWN || depth > MAX_DEPTH {
            return;
        }
        let own_form = !self.erring && !self.spec.as_source && matches!(verb, 'v' | 's' | 'x' | 'X' | 'q');
        match value {
            Value::Nil | Value::Null if self.spec.as_source => self.out.extend(b"interface {}(nil)"),
            Value::Nil | Value::Null => self.out.extend(b"<nil>"),
            Value::Bool(given) => match verb {
                't' | 'v' => self.spec.pad(if *given { b"true" } else { b"false" }, &mut self.out),
                _ => self.unsuited(value, verb),
            },
            Value::Integer(Integer { of, bits }) if own_form && of.show.is_some() => {
                let shown = of.show.map(|show| show(*bits)).unwrap_or_default();
                self.string(shown.as_bytes(), verb, value);
            }
            Value::Int(bits) | Value::Int64(bits) | Value::Integer(Integer { bits, .. }) => {
                let signed = !matches!(value, Value::Integer(integer) if !integer.of.signed);
                if number::integer(*bits, signed, verb, &self.spec, &mut self.out).is_none() {
                    self.unsuited(value, verb);
                }
            }
            Value::Float(given) => {
                if number::floating(*given, verb, &self.spec, &mut self.out).is_none() {
                    self.unsuited(value, verb);
                }
            }
            Value::Complex(given) => {
                if number::complex(*given, verb, &self.spec, &mut self.out).is_none() {
                    self.unsuited(value, verb);
                }
            }
            Value::Text(text) => self.string(text.as_bytes(), verb, value),
            Value::Object(object) => self.object(&**object, value, own_form, verb),
            Value::Url(data) => self.object(&Url::of(data), value, own_form, verb),
            Value::Session(data) => {
                self.out.push(b'&');
                self.session(data, verb, depth);
            }
            Value::MatchContext(data) => self.match_context(data, verb, depth),
            Value::JsonMap(_) | Value::Map(_) | Value::Headers(_) => self.map(value, verb, depth),
            Value::JsonList(_) | Value::Strings(_) | Value::List(_) => self.list(value, verb, depth),
        }
    }

    fn object(&mut self, object: &dyn Object, value: &Value<'_>, own_form: bool, verb: char) {
        if self.spec.as_source {
            self.string(object.source().as_bytes(), 's', value);
        } else if own_form || self.erring {
            self.string(object.show().as_bytes(), if own_form { verb } else { 's' }, value);
        } else {
            self.unsuited(value, verb);
        }
    }

    fn string(&mut self, text: &[u8], verb: char, value: &Value<'_>) {
        let spec = &self.spec;
        match verb {
            'v' if spec.as_source => spec.pad(quoted(spec.cut(text), spec.plus).as_bytes(), &mut self.out),
            'v' | 's' => spec.pad(spec.cut(text), &mut self.out),
            'q' => {
                let text = spec.cut(text);
                if spec.sharp && fits_backquotes(text) {
                    spec.pad(&[b"`", text, b"`"].concat(), &mut self.out);
                } else {
                    spec.pad(quoted(text, spec.plus).as_bytes(), &mut self.out);
                }
            }
            'x' | 'X' => self.hexadecimal(text, verb == 'X'),
            _ => self.unsuited(value, verb),
        }
    }

    /// The bytes of a text; spaces stand between them if asked for, and a prefix before them or each of them.
    fn hexadecimal(&mut self, text: &[u8], upper: bool) {
        let spec = &self.spec;
        let text = &text[..spec.precision.unwrap_or(text.len()).min(text.len())];
        let prefix = match (spec.sharp, upper) {
            (false, _) => "",
            (true, false) => "0x",
            (true, true) => "0X",
        };
        let digits = |byte: &u8| if upper { format!("{byte:02X}") } else { format!("{byte:02x}") };
        let shown = if spec.space {
            text.iter().map(|byte| format!("{prefix}{}", digits(byte))).collect::<Vec<_>>().join(" ")
        } else if text.is_empty() {
            String::new()
        } else {
            prefix.to_owned() + &text.iter().map(digits).collect::<String>()
        };
        spec.pad(shown.as_bytes(), &mut self.out);
    }

    /// The note that a verb does not suit its value.
    fn unsuited(&mut self, value: &Value<'_>, verb: char) {
        self.out.extend(format!("%!{verb}(").bytes());
        if value.is_nil() {
            self.out.extend(b"<nil>");
        } else {
            self.out.extend(format!("{}=", value.type_name()).bytes());
            let before = std::mem::replace(&mut self.erring, true);
            self.argument(value, 'v');
            self.erring = before;
        }
        self.out.push(b')');
    }

    fn list(&mut self, value: &Value<'_>, verb: char, depth: usize) {
        let octets = value.as_octets();
        if let (Some(octets), 's' | 'q' | 'x' | 'X') = (&octets, verb) {
            return self.string(octets, verb, value);
        }
        let is_nil = matches!(value, Value::List(list) if list.nil);
        let name = if octets.is_some() && depth == 0 { "[]byte" } else { value.type_name() };
        if !self.begins(name, b"[", is_nil) {
            return;
        }
        for (index, element) in value.elements().unwrap_or_default().iter().enumerate() {
            self.separate(index);
            self.value(element, verb, depth + 1);
        }
        self.out.push(if self.spec.as_source { b'}' } else { b']' });
    }

    fn map(&mut self, value: &Value<'_>, verb: char, depth: usize) {
        let is_nil = matches!(value, Value::Map(map) if map.nil);
        if !self.begins(value.type_name(), b"map[", is_nil) {
            return;
        }
        for (index, (key, member)) in value.members().unwrap_or_default().into_iter().enumerate() {
            self.separate(index);
            self.value(&Value::Text(key), verb, depth + 1);
            self.out.push(b':');
            self.value(&member, verb, depth + 1);
        }
        self.out.push(if self.spec.as_source { b'}' } else { b']' });
    }

    /// What stands before the elements. False if that is all there is.
    fn begins(&mut self, type_name: &str, plain: &[u8], is_nil: bool) -> bool {
        if !self.spec.as_source {
            self.out.extend(plain);
            return true;
        }
        self.out.extend(type_name.bytes());
        self.out.extend(if is_nil { b"(nil)".as_slice() } else { b"{" });
        !is_nil
    }

    fn separate(&mut self, index: usize) {
        if index > 0 {
            self.out.extend(if self.spec.as_source { b", ".as_slice() } else { b" " });
        }
    }

    pub(super) fn session(&mut self, data: &TemplateData<'_>, verb: char, depth: usize) {
        let fields = [
            ("Subject", Value::Text(Text::borrowed(data.subject))),
            ("Extra", data.extra.map_or_else(Value::nil_map, |extra| Value::JsonMap(extra))),
            ("Header", Value::Headers(data.header)),
            ("MatchContext", Value::MatchContext(data)),
        ];
        self.fields("authn.AuthenticationSession", &fields, verb, depth + 1);
    }

    fn match_context(&mut self, data: &TemplateData<'_>, verb: char, depth: usize) {
        let fields = [
            ("RegexpCaptureGroups", Value::Strings(data.captures)),
            ("URL", if data.has_no_url() { Value::Nil } else { Value::Url(data) }),
            ("Method", Value::Text(Text::borrowed(data.method))),
            ("Header", Value::Headers(data.request_header)),
        ];
        self.fields("authn.MatchContext", &fields, verb, depth);
    }

    fn fields(&mut self, type_name: &str, fields: &[(&str, Value<'_>)], verb: char, depth: usize) {
        if self.spec.as_source {
            self.out.extend(type_name.bytes());
        }
        self.out.push(b'{');
        for (index, (name, value)) in fields.iter().enumerate() {
            self.separate(index);
            if self.spec.as_source || self.spec.with_names {
                self.out.extend(format!("{name}:").bytes());
            }
            self.value(value, verb, depth + 1);
        }
        self.out.push(b'}');
    }
}
