//! Go's RE2 syntax written as the `regex` crate's: where both accept a pattern, it means the same.

/// The largest count of a repetition, and of nested ones together.
const MAX_REPEAT: u32 = 1000;
/// The longest pattern.
const MAX_LENGTH: usize = 4096;

/// The pattern in the crate's syntax; an error where Go refuses it.
pub(super) fn translated(pattern: &str) -> Result<String, String> {
    if pattern.len() > MAX_LENGTH {
        return Err("the pattern is too long".to_owned());
    }
    let mut translation = Translation { rest: pattern, out: String::new(), repeated: Repeated::Nothing };
    while let Some(c) = translation.rest.chars().next() {
        translation.step(c)?;
    }
    Ok(translation.out)
}

/// What a repetition that comes next would apply to.
#[derive(PartialEq)]
enum Repeated {
    Nothing,
    Operand,
    Repetition,
}

struct Translation<'p> {
    rest: &'p str,
    out: String,
    repeated: Repeated,
}

impl Translation<'_> {
    fn step(&mut self, c: char) -> Result<(), String> {
        match c {
            '\\' => return self.escape(),
            '[' => return self.class(),
            '(' => return self.group(),
            '*' | '+' | '?' => {
                self.rest = &self.rest[1..];
                self.out.push(c);
                return self.repetition();
            }
            '{' => {
                if let Some((least, most, length)) = counts(self.rest) {
                    if least > MAX_REPEAT || most.is_some_and(|most| most > MAX_REPEAT || most < least) {
                        return Err("invalid repeat count".to_owned());
                    }
                    self.out.push_str(&self.rest[..length]);
                    self.rest = &self.rest[length..];
                    return self.repetition();
                }
                self.out.push_str("\\{");
            }
            '}' => self.out.push_str("\\}"),
            ']' => self.out.push_str("\\]"),
            '|' => {
                self.out.push('|');
                self.repeated = Repeated::Nothing;
                self.rest = &self.rest[1..];
                return Ok(());
            }
            c => self.out.push(c),
        }
        self.rest = &self.rest[c.len_utf8()..];
        self.repeated = Repeated::Operand;
        Ok(())
    }

    /// After a repetition operator: `?` makes it lazy; another one is an error in Go.
    fn repetition(&mut self) -> Result<(), String> {
        match self.repeated {
            Repeated::Nothing => return Err("missing argument to repetition operator".to_owned()),
            Repeated::Repetition => return Err("invalid nested repetition operator".to_owned()),
            Repeated::Operand => {}
        }
        if let Some(after) = self.rest.strip_prefix('?') {
            self.out.push('?');
            self.rest = after;
        }
        self.repeated = Repeated::Repetition;
        Ok(())
    }

    fn group(&mut self) -> Result<(), String> {
        self.repeated = Repeated::Nothing;
        let Some(after) = self.rest.strip_prefix("(?") else {
            self.out.push('(');
            self.rest = &self.rest[1..];
            return Ok(());
        };
        let named = after.strip_prefix("P<").or_else(|| after.strip_prefix('<'));
        if let Some((name, _)) = named.and_then(|named| named.split_once('>')) {
            let fits = |c: char| c == '_' || c.is_ascii_alphanumeric();
            if name.is_empty() || !name.chars().all(fits) {
                return Err("invalid named capture".to_owned());
            }
            // The number decides, so that a name which the crate refuses does no harm.
            let length = self.rest.find('>').unwrap_or(0) + 1;
            self.out.push_str(&format!(
                "(?P<{}>",
                if name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name.to_owned() }
            ));
            self.rest = &self.rest[length..];
            return Ok(());
        }
        let end = after.find([':', ')']).ok_or_else(|| "missing closing )".to_owned())?;
        let flags = &after[..end];
        let well =
            flags.chars().all(|c| "imsU-".contains(c)) && flags.matches('-').count() <= 1 && !flags.ends_with('-');
        if !well || flags.is_empty() && after.starts_with(')') {
            return Err("invalid or unsupported Perl syntax".to_owned());
        }
        self.out.push_str(&self.rest[..2 + end + 1]);
        self.rest = &after[end + 1..];
        Ok(())
    }

    fn escape(&mut self) -> Result<(), String> {
        self.repeated = Repeated::Operand;
        if let Some(after) = self.rest.strip_prefix("\\Q") {
            let (literal, after) = after.split_once("\\E").unwrap_or((after, ""));
            self.out.push_str(&::regex::escape(literal));
            self.rest = after;
            return Ok(());
        }
        let c = self.rest[1..].chars().next().ok_or_else(|| "trailing backslash".to_owned())?;
        let anchor = match c {
            'A' => Some(r"\A"),
            'z' => Some(r"\z"),
            'b' => Some(r"(?-u:\b)"),
            'B' => Some(r"(?-u:\B)"),
            _ => None,
        };
        if let Some(anchor) = anchor {
            self.out.push_str(anchor);
            self.rest = &self.rest[2..];
            return Ok(());
        }
        let (written, length) = atom(self.rest)?;
        // ASCII classes do not fold in Go.
        if matches!(c, 'd' | 'D' | 's' | 'S' | 'w' | 'W') {
            self.out.push_str(&format!("(?-i:{written})"));
        } else {
            self.out.push_str(&written);
        }
        self.rest = &self.rest[length..];
        Ok(())
    }

    fn class(&mut self) -> Result<(), String> {
        let missing = || "missing closing ]".to_owned();
        self.out.push('[');
        self.rest = &self.rest[1..];
        if let Some(after) = self.rest.strip_prefix('^') {
            self.out.push('^');
            self.rest = after;
        }
        let (mut is_first, mut in_range) = (true, false);
        loop {
            let c = self.rest.chars().next().ok_or_else(missing)?;
            if c == ']' && !is_first {
                break;
            }
            is_first = false;
            if self.rest.starts_with("[:")
                && let Some(end) = self.rest.find(":]")
            {
                // Unknown names are refused by both.
                self.out.push_str(&self.rest[..end + 2]);
                self.rest = &self.rest[end + 2..];
                continue;
            }
            if c == '\\' {
                let (written, length) = atom(self.rest)?;
                self.out.push_str(&written);
                self.rest = &self.rest[length..];
                in_range = false;
                continue;
            }
            // A dash between two characters is a range; the others stand for themselves.
            in_range = c == '-' && !in_range && !self.out.ends_with(['[', '^']) && !self.rest[1..].starts_with(']');
            if in_range {
                self.out.push('-');
            } else {
                self.out.push_str(&::regex::escape(c.encode_utf8(&mut [0; 4])));
            }
            self.rest = &self.rest[c.len_utf8()..];
        }
        self.out.push(']');
        self.rest = &self.rest[1..];
        self.repeated = Repeated::Operand;
        Ok(())
    }
}

/// `{2}`, `{2,}` or `{2,3}` and its length.
fn counts(text: &str) -> Option<(u32, Option<u32>, usize)> {
    let (inner, _) = text[1..].split_once('}')?;
    let number = |digits: &str| {
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| digits.parse().unwrap_or(u32::MAX))
    };
    let (least, most) = match inner.split_once(',') {
        None => (number(inner)?, None),
        Some((least, "")) => (number(least)?, None),
        Some((least, most)) => (number(least)?, Some(number(most)?)),
    };
    Some((least, most, inner.len() + 2))
}

/// An escape that stands for characters, and its length.
fn atom(text: &str) -> Result<(String, usize), String> {
    let invalid = || "invalid escape sequence".to_owned();
    let after = &text[1..];
    let c = after.chars().next().ok_or_else(invalid)?;
    let coded = |code: u32, length: usize| {
        char::from_u32(code).map(|c| (format!("\\x{{{:x}}}", c as u32), length)).ok_or_else(invalid)
    };
    let fixed = |written: &str| Ok((written.to_owned(), 2));
    match c {
        'd' => fixed("[0-9]"),
        'D' => fixed("[^0-9]"),
        's' => fixed(r"[\t\n\x0C\r ]"),
        'S' => fixed(r"[^\t\n\x0C\r ]"),
        'w' => fixed("[0-9A-Za-z_]"),
        'W' => fixed("[^0-9A-Za-z_]"),
        'a' => fixed(r"\x07"),
        'f' => fixed(r"\x0C"),
        't' => fixed(r"\t"),
        'n' => fixed(r"\n"),
        'r' => fixed(r"\r"),
        'v' => fixed(r"\x0B"),
        'p' | 'P' => property(after),
        'x' => match after[1..].strip_prefix('{') {
            Some(braced) => {
                let (digits, _) = braced.split_once('}').ok_or_else(invalid)?;
                coded(u32::from_str_radix(digits, 16).map_err(|_| invalid())?, digits.len() + 4)
            }
            None => {
                let digits = after.get(1..3).ok_or_else(invalid)?;
                coded(u32::from_str_radix(digits, 16).map_err(|_| invalid())?, 4)
            }
        },
        '0'..='7' => {
            let count = after.bytes().take(3).take_while(|byte| (b'0'..=b'7').contains(byte)).count();
            // A single digit other than 0 would be a back reference.
            if c != '0' && count < 2 {
                return Err(invalid());
            }
            coded(u32::from_str_radix(&after[..count], 8).map_err(|_| invalid())?, 1 + count)
        }
        c if c.is_ascii() && !c.is_ascii_alphanumeric() => Ok((::regex::escape(&after[..1]), 2)),
        _ => Err(invalid()),
    }
}

/// `\pN`, `\p{Greek}`, `\p{^Lu}`.
fn property(after: &str) -> Result<(String, usize), String> {
    let invalid = || "invalid character class range".to_owned();
    let negated = after.starts_with('P');
    let (name, length) = match after[1..].strip_prefix('{') {
        Some(braced) => {
            let (name, _) = braced.split_once('}').ok_or_else(invalid)?;
            (name, name.len() + 4)
        }
        None => {
            let c = after[1..].chars().next().ok_or_else(invalid)?;
            (&after[1..=c.len_utf8()], 2 + c.len_utf8())
        }
    };
    let (name, negated) = match name.strip_prefix('^') {
        Some(name) => (name, !negated),
        None => (name, negated),
    };
    let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphabetic() || c == '_');
    if !plain || !name.starts_with(|c: char| c.is_ascii_uppercase()) {
        return Err(invalid());
    }
    Ok((format!("\\{}{{{name}}}", if negated { 'P' } else { 'p' }), length))
}
