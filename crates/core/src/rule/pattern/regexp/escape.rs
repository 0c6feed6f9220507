//! What follows a backslash.

use super::super::char_set::CharSet;
use super::PatternError;
use super::ast::{Assertion, Node};
use super::cursor::is_word;
use super::parser::Parser;

/// The general categories, scripts and properties that the reference knows, with the bits of their
/// ASCII members.
const PROPERTIES: &str = include_str!("properties.txt");

/// A category of characters that `\d`, `\p{..}` and their like name, and whether it is negated.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Category {
    pub(super) name: &'static str,
    pub(super) members: CharSet,
    pub(super) negated: bool,
}

impl Category {
    /// `\d`, `\s` and `\w`; upper case negates.
    pub(super) fn short(letter: char) -> Option<Self> {
        let (name, members) = match letter.to_ascii_lowercase() {
            'd' => ("Nd", CharSet::DIGIT),
            's' => (" ", CharSet::SPACE),
            'w' => ("W", CharSet::WORD),
            _ => return None,
        };
        Some(Self { name, members, negated: letter.is_ascii_uppercase() })
    }

    /// By the name of a property, as the reference spells it.
    pub(super) fn property(wanted: &str, negated: bool) -> Option<Self> {
        PROPERTIES.lines().find_map(|line| {
            let (name, bits) = line.split_once(' ')?;
            let members = CharSet::from_bits(u128::from_str_radix(bits, 16).ok()?);
            (name == wanted).then_some(Self { name, members, negated })
        })
    }

    /// Its members; with case ignored, the cased categories are one.
    pub(super) fn expanded(self, ignore_case: bool) -> impl Iterator<Item = Self> {
        let is_cased = ignore_case && matches!(self.name, "Ll" | "Lu" | "Lt");
        let cased = ["Ll", "Lu", "Lt"].into_iter().filter_map(move |name| Self::property(name, self.negated));
        cased.filter(move |_| is_cased).chain((!is_cased).then_some(self))
    }
}

impl Parser {
    /// Outside of classes.
    pub(super) fn escape(&mut self) -> Result<Node, PatternError> {
        let Some(c) = self.cursor.peek() else { return Err(trailing()) };
        let place = match c {
            'b' => Some(Assertion::WordBoundary),
            'B' => Some(Assertion::NotWordBoundary),
            'A' | 'G' => Some(Assertion::Start),
            'Z' | 'z' => Some(Assertion::End),
            _ => None,
        };
        if let Some(place) = place {
            self.cursor.next();
            return Ok(Node::Assert(place));
        }
        let category = match c {
            'p' | 'P' => {
                self.cursor.next();
                Some(self.property(c == 'P')?)
            }
            _ => Category::short(c).inspect(|_| {
                self.cursor.next();
            }),
        };
        if let Some(category) = category {
            let members = super::class::members(category.expanded(self.flags.ignore_case));
            return Ok(self.set(members));
        }
        if let Some(reference) = self.reference(c)? {
            return Ok(reference);
        }
        let c = self.escaped_char()?;
        Ok(c.map_or(Node::Set(CharSet::NONE), |c| self.character(c)))
    }

    /// `\1`, `\k<name>`, `\k'name'`, and the old spelling without `k`. Anything else is left alone.
    fn reference(&mut self, c: char) -> Result<Option<Node>, PatternError> {
        let start = self.cursor.position();
        if matches!(c, '1'..='9') {
            let slot = self.cursor.decimal()?;
            if !self.resolves || self.groups.slots.contains(&slot) {
                return Ok(Some(self.reference_to(slot)));
            }
            if slot <= 9 {
                return Err(undefined(&slot.to_string()));
            }
            self.cursor.rewind(start);
            return Ok(None);
        }
        if c == 'k' {
            self.cursor.next();
        } else if !matches!(c, '<' | '\'') || self.cursor.left() < 2 {
            return Ok(None);
        }
        let close = match self.cursor.next() {
            Some('<') => '>',
            Some('\'') => '\'',
            _ => return Err(PatternError("a `\\k` has no name".to_owned())),
        };
        let name = self.cursor.name();
        if !name.is_empty() && self.cursor.peek() == Some(close) {
            self.cursor.next();
            let by_number = name.bytes().all(|byte| byte.is_ascii_digit());
            let slot = match by_number.then(|| name.parse().ok()).flatten() {
                Some(slot) => Some(slot).filter(|slot| self.groups.slots.contains(slot)),
                None => self.groups.names.get(&name).copied(),
            };
            return match slot {
                Some(slot) => Ok(Some(self.reference_to(slot))),
                None if !self.resolves => Ok(Some(self.reference_to(0))),
                None => Err(undefined(&name)),
            };
        }
        self.cursor.rewind(start);
        Ok(None)
    }

    fn reference_to(&self, slot: u32) -> Node {
        Node::Reference { slot, ignore_case: self.flags.ignore_case }
    }

    /// `{Name}` after `\p`.
    pub(super) fn property(&mut self, negated: bool) -> Result<Category, PatternError> {
        let incomplete = || PatternError("a `\\p` wants a name in braces".to_owned());
        if !self.cursor.eat("{") {
            return Err(incomplete());
        }
        let name = self.cursor.take_while(|c| is_word(c) || c == '-');
        if !self.cursor.eat("}") {
            return Err(incomplete());
        }
        Category::property(&name, negated)
            .ok_or_else(|| PatternError(format!("`{name}` is no Unicode category, script or property")))
    }

    /// One character, inside and outside of classes; `None` is one that is no Unicode scalar value.
    pub(super) fn escaped_char(&mut self) -> Result<Option<char>, PatternError> {
        let Some(c) = self.cursor.next() else { return Err(trailing()) };
        let code = match c {
            '0'..='7' => return self.octal(c),
            'x' if self.cursor.eat("{") => {
                let digits = self.cursor.take_while(|c| c.is_ascii_hexdigit());
                let code = u32::from_str_radix(&digits, 16).ok().filter(|code| *code <= 0x10_FFFF);
                if !self.cursor.eat("}") || code.is_none() {
                    return Err(PatternError("a `\\x{` wants a hexadecimal code and a `}`".to_owned()));
                }
                code.unwrap_or_default()
            }
            'x' => self.hexadecimal(2)?,
            'u' => self.hexadecimal(4)?,
            'a' => 0x07,
            'b' => 0x08,
            't' => 0x09,
            'n' => 0x0A,
            'v' => 0x0B,
            'f' => 0x0C,
            'r' => 0x0D,
            'e' => 0x1B,
            'c' => match self.cursor.next() {
                Some(letter @ ('@'..='_' | 'a'..='z')) => u32::from(letter.to_ascii_uppercase()) - 0x40,
                _ => return Err(PatternError("a `\\c` wants a letter".to_owned())),
            },
            c if is_word(c) => return Err(PatternError(format!("unrecognized escape `\\{c}`"))),
            c => return Ok(Some(c)),
        };
        Ok(char::from_u32(code))
    }

    fn hexadecimal(&mut self, digits: usize) -> Result<u32, PatternError> {
        let mut code = 0;
        for _ in 0..digits {
            let digit = self.cursor.next().and_then(|c| c.to_digit(16));
            code = code * 16
                + digit.ok_or_else(|| PatternError(format!("an escape wants {digits} hexadecimal digits")))?;
        }
        Ok(code)
    }

    /// Up to three octal digits. The reference misreads the character that ends a shorter number when
    /// it sorts before the digits, so such an escape is refused.
    fn octal(&mut self, first: char) -> Result<Option<char>, PatternError> {
        let mut code = first.to_digit(8).unwrap_or_default();
        for _ in 0..2 {
            match self.cursor.peek() {
                Some(c @ '0'..='7') => code = code * 8 + c.to_digit(8).unwrap_or_default(),
                Some(c) if c < '0' => {
                    return Err(PatternError("an octal escape has three digits; better write `\\x2F`".to_owned()));
                }
                _ => break,
            }
            self.cursor.next();
        }
        Ok(char::from_u32(code & 0xFF))
    }
}

fn trailing() -> PatternError {
    PatternError("a `\\` at the end".to_owned())
}

fn undefined(name: &str) -> PatternError {
    PatternError(format!("a reference to group `{name}`, which does not exist"))
}
