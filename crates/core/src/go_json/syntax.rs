//! The syntax errors of `encoding/json`, word for word: callers of the reference read them in verbose answers.

/// As deep as Go goes.
const MAX_DEPTH: usize = 10_000;

/// Checks a whole text, as `json.Unmarshal` does.
pub fn check(text: &[u8]) -> Result<(), String> {
    scan(text, true).map_err(|fault| match fault {
        Fault::End => "unexpected end of JSON input".to_owned(),
        Fault::Byte { byte, context, .. } => format!("invalid character {} {context}", quoted(byte)),
        Fault::TooDeep => "exceeded max depth".to_owned(),
    })
}

/// Checks the first value of a stream, as `json.Decoder` does: what follows it does not matter.
pub fn check_stream(text: &[u8]) -> Result<(), String> {
    scan(text, false).map_err(|fault| match fault {
        Fault::End if text.trim_ascii().is_empty() => "EOF".to_owned(),
        Fault::End | Fault::Byte { at_end: true, .. } => "unexpected EOF".to_owned(),
        Fault::Byte { byte, context, .. } => format!("invalid character {} {context}", quoted(byte)),
        Fault::TooDeep => "exceeded max depth".to_owned(),
    })
}

enum Fault {
    /// The text ends where more is needed.
    End,
    /// A byte that cannot stand there. Where a literal or an escape is cut off, Go names a space.
    Byte {
        byte: u8,
        context: String,
        at_end: bool,
    },
    TooDeep,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Value,
    FirstElement,
    AfterElement,
    FirstKey,
    Key,
    AfterKey,
    AfterPair,
    Done,
}

fn scan(text: &[u8], whole: bool) -> Result<(), Fault> {
    let (mut at, mut state, mut open) = (0, State::Value, Vec::new());
    loop {
        if state == State::Done && !whole {
            return Ok(());
        }
        while text.get(at).is_some_and(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')) {
            at += 1;
        }
        let Some(&byte) = text.get(at) else {
            return if state == State::Done { Ok(()) } else { Err(Fault::End) };
        };
        let unexpected = |context: &str| Err(Fault::Byte { byte, context: context.to_owned(), at_end: false });
        at += 1;
        state = match (state, byte) {
            (State::Value | State::FirstElement, b'[' | b'{') => {
                if open.len() == MAX_DEPTH {
                    return Err(Fault::TooDeep);
                }
                open.push(byte);
                if byte == b'[' { State::FirstElement } else { State::FirstKey }
            }
            (State::FirstElement | State::AfterElement, b']') | (State::FirstKey | State::AfterPair, b'}') => {
                open.pop();
                after_value(&open)
            }
            (State::Value | State::FirstElement, _) => {
                at = scalar(text, at - 1)?;
                after_value(&open)
            }
            (State::FirstKey | State::Key, b'"') => {
                at = string(text, at)?;
                State::AfterKey
            }
            (State::AfterKey, b':') | (State::AfterElement, b',') => State::Value,
            (State::AfterPair, b',') => State::Key,
            (State::FirstKey | State::Key, _) => return unexpected("looking for beginning of object key string"),
            (State::AfterKey, _) => return unexpected("after object key"),
            (State::AfterPair, _) => return unexpected("after object key:value pair"),
            (State::AfterElement, _) => return unexpected("after array element"),
            (State::Done, _) => return unexpected("after top-level value"),
        };
    }
}

fn after_value(open: &[u8]) -> State {
    match open.last() {
        None => State::Done,
        Some(b'[') => State::AfterElement,
        Some(_) => State::AfterPair,
    }
}

/// Where the string, number or literal that begins at `start` ends.
fn scalar(text: &[u8], start: usize) -> Result<usize, Fault> {
    match text.get(start) {
        Some(b'"') => string(text, start + 1),
        Some(b'-' | b'0'..=b'9') => number(text, start),
        Some(b't') => literal(text, start, "true"),
        Some(b'f') => literal(text, start, "false"),
        Some(b'n') => literal(text, start, "null"),
        _ => Err(unexpected_at(text, start, "looking for beginning of value".to_owned())),
    }
}

fn literal(text: &[u8], start: usize, word: &str) -> Result<usize, Fault> {
    for (index, expected) in word.bytes().enumerate() {
        if text.get(start + index) != Some(&expected) {
            let context = format!("in literal {word} (expecting '{}')", char::from(expected));
            return Err(unexpected_at(text, start + index, context));
        }
    }
    Ok(start + word.len())
}

fn number(text: &[u8], start: usize) -> Result<usize, Fault> {
    let mut at = start + usize::from(text.get(start) == Some(&b'-'));
    at = match text.get(at) {
        Some(b'0') => at + 1,
        _ => digits(text, at, "in numeric literal")?,
    };
    if text.get(at) == Some(&b'.') {
        at = digits(text, at + 1, "after decimal point in numeric literal")?;
    }
    if matches!(text.get(at), Some(b'e' | b'E')) {
        at += 1;
        at += usize::from(matches!(text.get(at), Some(b'+' | b'-')));
        at = digits(text, at, "in exponent of numeric literal")?;
    }
    Ok(at)
}

/// At least one digit.
fn digits(text: &[u8], start: usize, context: &str) -> Result<usize, Fault> {
    let count = text.get(start..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_digit()).count();
    if count == 0 { Err(unexpected_at(text, start, context.to_owned())) } else { Ok(start + count) }
}

/// The rest of a string whose opening quote was read.
fn string(text: &[u8], mut at: usize) -> Result<usize, Fault> {
    loop {
        match text.get(at) {
            None => return Err(Fault::End),
            Some(b'"') => return Ok(at + 1),
            Some(b'\\') => at = escape(text, at + 1)?,
            Some(0..0x20) => return Err(unexpected_at(text, at, "in string literal".to_owned())),
            Some(_) => at += 1,
        }
    }
}

fn escape(text: &[u8], at: usize) -> Result<usize, Fault> {
    match text.get(at) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 1),
        Some(b'u') => match (at + 1..at + 5).find(|at| !text.get(*at).is_some_and(u8::is_ascii_hexdigit)) {
            Some(bad) => Err(unexpected_at(text, bad, "in \\u hexadecimal character escape".to_owned())),
            None => Ok(at + 5),
        },
        _ => Err(unexpected_at(text, at, "in string escape code".to_owned())),
    }
}

fn unexpected_at(text: &[u8], at: usize, context: String) -> Fault {
    Fault::Byte { byte: text.get(at).copied().unwrap_or(b' '), context, at_end: at >= text.len() }
}

/// The byte as a quoted Go character.
fn quoted(byte: u8) -> String {
    match byte {
        b'\'' => r"'\''".to_owned(),
        b'\\' => r"'\\'".to_owned(),
        0x07 => r"'\a'".to_owned(),
        0x08 => r"'\b'".to_owned(),
        0x0b => r"'\v'".to_owned(),
        0x0c => r"'\f'".to_owned(),
        b'\n' => r"'\n'".to_owned(),
        b'\r' => r"'\r'".to_owned(),
        b'\t' => r"'\t'".to_owned(),
        0..0x20 | 0x7f => format!("'\\x{byte:02x}'"),
        0x80..=0xa0 | 0xad => format!("'\\u{byte:04x}'"),
        byte => format!("'{}'", char::from(byte)),
    }
}
