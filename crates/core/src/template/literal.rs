//! What quoted literals stand for: Go's strings and characters.

/// What a quoted token holds.
pub(super) fn string(token: &str) -> Result<Vec<u8>, String> {
    let inner = &token[1..token.len() - 1];
    if token.starts_with('`') {
        // As in Go's source: raw strings are without carriage returns.
        return Ok(inner.bytes().filter(|byte| *byte != b'\r').collect());
    }
    let mut value = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(c) = rest.chars().next() {
        match c {
            '\\' => {
                let (escaped, after) = escape(&rest[1..], '"')?;
                match escaped {
                    Escaped::Byte(byte) => value.push(byte),
                    Escaped::Char(c) => value.extend(c.encode_utf8(&mut [0; 4]).bytes()),
                }
                rest = after;
            }
            c => {
                value.extend(&rest.as_bytes()[..c.len_utf8()]);
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    Ok(value)
}

/// The number that a character token stands for.
pub(super) fn character(token: &str) -> Result<u32, String> {
    let inner = &token[1..token.len() - 1];
    let malformed = || "malformed character constant".to_owned();
    let (value, after) = match inner.chars().next() {
        Some('\\') => match escape(&inner[1..], '\'')? {
            (Escaped::Byte(byte), after) => (u32::from(byte), after),
            (Escaped::Char(c), after) => (u32::from(c), after),
        },
        Some(c) => (u32::from(c), &inner[c.len_utf8()..]),
        None => return Err(malformed()),
    };
    if !after.is_empty() {
        return Err(malformed());
    }
    Ok(value)
}

enum Escaped {
    Byte(u8),
    Char(char),
}

/// What follows a backslash.
fn escape(text: &str, quote: char) -> Result<(Escaped, &str), String> {
    let invalid = || "invalid escape in a string or character".to_owned();
    let c = text.chars().next().ok_or_else(invalid)?;
    let after = &text[c.len_utf8()..];
    let digits = |text: &str, count: usize, radix: u32| {
        let digits = text.get(..count).filter(|digits| digits.chars().all(|c| c.is_digit(radix)));
        digits.and_then(|digits| u32::from_str_radix(digits, radix).ok()).ok_or_else(invalid)
    };
    let simple = |byte| Ok((Escaped::Byte(byte), after));
    match c {
        'a' => simple(0x07),
        'b' => simple(0x08),
        'f' => simple(0x0c),
        'n' => simple(b'\n'),
        'r' => simple(b'\r'),
        't' => simple(b'\t'),
        'v' => simple(0x0b),
        '\\' => simple(b'\\'),
        c if c == quote => Ok((Escaped::Char(c), after)),
        '0'..='7' => {
            let value = u8::try_from(digits(text, 3, 8)?).map_err(|_| invalid())?;
            Ok((Escaped::Byte(value), &text[3..]))
        }
        'x' => {
            let value = u8::try_from(digits(after, 2, 16)?).map_err(|_| invalid())?;
            Ok((Escaped::Byte(value), &after[2..]))
        }
        'u' | 'U' => {
            let count = if c == 'u' { 4 } else { 8 };
            let value = char::from_u32(digits(after, count, 16)?).ok_or_else(invalid)?;
            Ok((Escaped::Char(value), &after[count..]))
        }
        _ => Err(invalid()),
    }
}
