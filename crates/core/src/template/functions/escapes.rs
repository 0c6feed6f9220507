//! Go's built-ins that escape text.

use super::super::format;
use super::super::function::Function;
use super::super::function::Param::Any;
use super::super::url;
use super::Value;
use super::arguments::text;

pub(super) const ALL: &[Function] = &[
    Function::variadic("html", &[], Any, |args| text(html(&joined(args)))),
    Function::variadic("js", &[], Any, |args| text(js(&joined(args)))),
    Function::variadic("urlquery", &[], Any, |args| text(url::query_escape(&format::joined(args)))),
];

fn joined(args: &[Value<'_>]) -> String {
    String::from_utf8_lossy(&format::joined(args)).into_owned()
}

fn html(from: &str) -> String {
    let mut out = String::with_capacity(from.len());
    for letter in from.chars() {
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

fn js(from: &str) -> String {
    let mut out = String::with_capacity(from.len());
    for letter in from.chars() {
        match letter {
            '\\' => out.push_str("\\\\"),
            '\'' => out.push_str("\\'"),
            '"' => out.push_str("\\\""),
            '<' | '>' | '&' | '=' => out.push_str(&format!("\\u{:04X}", u32::from(letter))),
            other if !format::is_printed(other) => out.push_str(&format!("\\u{:04X}", u32::from(other))),
            other => out.push(other),
        }
    }
    out
}
