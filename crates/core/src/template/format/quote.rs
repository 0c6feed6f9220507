//! Go's quoted strings and characters.

use std::fmt::Write;

/// Go's `%q` and `strconv.Quote`.
pub(in crate::template) fn quote(bytes: &[u8]) -> String {
    quoted(bytes, false)
}

/// A quoted string; with `ascii`, everything else is escaped.
pub(super) fn quoted(bytes: &[u8], ascii: bool) -> String {
    let mut made = String::from("\"");
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            escape(c, '"', ascii, &mut made);
        }
        for byte in chunk.invalid() {
            let _ = write!(made, "\\x{byte:02x}");
        }
    }
    made.push('"');
    made
}

/// A quoted character.
pub(super) fn quoted_char(c: char, ascii: bool) -> String {
    let mut made = String::from("'");
    escape(c, '\'', ascii, &mut made);
    made.push('\'');
    made
}

/// Whether a text can stand between backquotes.
pub(super) fn fits_backquotes(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes)
        .is_ok_and(|text| text.chars().all(|c| c == '\t' || !c.is_ascii_control() && !matches!(c, '`' | '\u{feff}')))
}

fn escape(c: char, quote: char, ascii: bool, made: &mut String) {
    match c {
        '\\' => made.push_str("\\\\"),
        '\u{7}' => made.push_str("\\a"),
        '\u{8}' => made.push_str("\\b"),
        '\u{c}' => made.push_str("\\f"),
        '\n' => made.push_str("\\n"),
        '\r' => made.push_str("\\r"),
        '\t' => made.push_str("\\t"),
        '\u{b}' => made.push_str("\\v"),
        c if c == quote => made.extend(['\\', c]),
        c if c.is_ascii_control() => {
            let _ = write!(made, "\\x{:02x}", c as u32);
        }
        c if !c.is_ascii() && (ascii || !is_printed(c)) => {
            let _ = match c as u32 {
                code @ 0..=0xffff => write!(made, "\\u{code:04x}"),
                code => write!(made, "\\U{code:08x}"),
            };
        }
        c => made.push(c),
    }
}

/// Whether Go prints a character as it is: no control, format, or space other than the plain one.
pub(in crate::template) fn is_printed(c: char) -> bool {
    static HIDDEN: std::sync::LazyLock<Option<regex::Regex>> =
        std::sync::LazyLock::new(|| regex::Regex::new(r"^[\p{C}\p{Z}]$").ok());
    match c {
        ' '..='~' => true,
        c if c.is_ascii() => false,
        c => !HIDDEN.as_ref().is_some_and(|hidden| hidden.is_match(c.encode_utf8(&mut [0; 4]))),
    }
}
