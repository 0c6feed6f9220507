//! Go's built-ins that escape text.

use super::super::format;
use super::{Function, MANY, Value, row};

pub(super) const ALL: &[Function] = &[
    row("hello", 0, 0, |_| Ok(Value::text("Hello!"))),
    row("html", 1, MANY, |args| Ok(Value::text(html(&joined(args))))),
    row("js", 1, MANY, |args| Ok(Value::text(js(&joined(args))))),
];

fn joined(args: &[Value<'_>]) -> String {
    args.iter().map(format::text).collect()
}

fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            '\0' => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out
}

fn js(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\\' => out.push_str("\\\\"),
            '\'' => out.push_str("\\'"),
            '"' => out.push_str("\\\""),
            '<' | '>' | '&' | '=' => out.push_str(&format!("\\u{:04X}", u32::from(letter))),
            control if control < ' ' => out.push_str(&format!("\\u{:04X}", u32::from(control))),
            other => out.push(other),
        }
    }
    out
}
