//! What literals stand for: Go's numbers, strings and characters.

/// A number before its type is known: it fits wherever its value does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Number {
    /// Its value as an integer.
    pub(super) int: Option<i64>,
    /// Its value as a float.
    pub(super) float: f64,
    /// Written as a float, so that it is one where nothing else is asked for.
    pub(super) is_float: bool,
}

/// Reads a number token.
pub(super) fn number(text: &str) -> Result<Number, String> {
    let illegal = || format!("illegal number syntax: `{text}`");
    if text.ends_with('i') && !text.contains(['x', 'X']) {
        return Err("complex numbers are not supported".to_owned());
    }
    if let Some(value) = integer(text) {
        let int = i64::try_from(value).ok();
        // Only what fits 64 bits is an integer to Go; more than 63 it cannot use for anything but floats.
        if int.is_some() || u64::try_from(value).is_ok() {
            #[allow(clippy::cast_precision_loss)]
            return Ok(Number { int, float: value as f64, is_float: false });
        }
    }
    let float = float(text).ok_or_else(illegal)?;
    if !text.contains(['.', 'e', 'E', 'p', 'P']) {
        return Err(format!("integer overflow: `{text}`"));
    }
    Ok(Number { int: whole(float), float, is_float: true })
}

/// The integer that a float is exactly.
fn whole(float: f64) -> Option<i64> {
    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
    let int = float as i64;
    #[allow(clippy::cast_precision_loss)]
    (int as f64 == float && float < 9_223_372_036_854_775_808.0).then_some(int)
}

fn integer(text: &str) -> Option<i128> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..]),
        [b'0', b'b' | b'B', ..] => (2, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    // Underscores stand between digits, or between a prefix and a digit.
    if digits.ends_with('_') || digits.contains("__") || (radix == 10 && digits.starts_with('_')) {
        return None;
    }
    let plain = digits.replace('_', "");
    if plain.is_empty() || !plain.bytes().all(|byte| char::from(byte).is_digit(radix)) {
        return None;
    }
    let magnitude = i128::from_str_radix(&plain, radix).ok()?;
    Some(if negative { -magnitude } else { magnitude })
}

fn float(text: &str) -> Option<f64> {
    let unsigned = text.trim_start_matches(['+', '-']);
    if unsigned.len() + 1 < text.len() || misplaced_underscore(unsigned) {
        return None;
    }
    let plain = unsigned.replace('_', "");
    let value = if plain.starts_with("0x") || plain.starts_with("0X") {
        hexadecimal(&plain[2..])?
    } else {
        if !plain.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte)) {
            return None;
        }
        plain.parse().ok()?
    };
    value.is_finite().then_some(if text.starts_with('-') { -value } else { value })
}

/// In a float, an underscore stands between two digits, or after the prefix.
fn misplaced_underscore(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_digit = |at: Option<&u8>, hex: bool| {
        at.is_some_and(|byte| if hex { byte.is_ascii_hexdigit() } else { byte.is_ascii_digit() })
    };
    let hex = text.starts_with("0x") || text.starts_with("0X");
    bytes.iter().enumerate().any(|(at, byte)| {
        *byte == b'_'
            && !(at > 0 && (is_digit(bytes.get(at - 1), hex) || (hex && at == 2)) && is_digit(bytes.get(at + 1), hex))
    })
}

/// `1.8p1`: hexadecimal digits and a binary exponent, which Go demands.
fn hexadecimal(text: &str) -> Option<f64> {
    let (digits, exponent) = text.split_once(['p', 'P'])?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all: String = [whole, fraction].concat();
    // More digits than this would be rounded twice.
    if all.is_empty() || all.len() > 16 {
        return None;
    }
    let mantissa = u64::from_str_radix(&all, 16).ok()?;
    let exponent: i32 = exponent.parse().ok()?;
    let shift = exponent.checked_sub(i32::try_from(fraction.len()).ok()? * 4)?;
    #[allow(clippy::cast_precision_loss)]
    Some(mantissa as f64 * 2_f64.powi(shift))
}

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
pub(super) fn character(token: &str) -> Result<Number, String> {
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
    Ok(Number { int: Some(i64::from(value)), float: f64::from(value), is_float: false })
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
