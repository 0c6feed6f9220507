//! Reads a pattern character by character.

use super::PatternError;

/// A place in a pattern.
pub(super) struct Cursor {
    chars: Vec<char>,
    at: usize,
}

impl Cursor {
    pub(super) fn new(text: &str) -> Self {
        Self { chars: text.chars().collect(), at: 0 }
    }

    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// Back to an earlier place.
    pub(super) fn rewind(&mut self, position: usize) {
        self.at = position;
    }

    /// The character `ahead` places from here.
    pub(super) fn peek_at(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.peek_at(0)
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let c = self.peek();
        self.at += usize::from(c.is_some());
        c
    }

    /// How many characters are left.
    pub(super) fn left(&self) -> usize {
        self.chars.len() - self.at
    }

    /// Takes `expected` if it comes next.
    pub(super) fn eat(&mut self, expected: &str) -> bool {
        let found = expected.chars().enumerate().all(|(ahead, c)| self.peek_at(ahead) == Some(c));
        if found {
            self.at += expected.chars().count();
        }
        found
    }

    /// The characters from here that `accepts` takes.
    pub(super) fn take_while(&mut self, accepts: impl Fn(char) -> bool) -> String {
        let start = self.at;
        while self.peek().is_some_and(&accepts) {
            self.at += 1;
        }
        self.chars[start..self.at].iter().collect()
    }

    /// A decimal number; none is zero. The bound is the reference's.
    pub(super) fn decimal(&mut self) -> Result<u32, PatternError> {
        let digits = self.take_while(|c| c.is_ascii_digit());
        let value =
            digits.bytes().try_fold(0_i32, |value, digit| value.checked_mul(10)?.checked_add(i32::from(digit - b'0')));
        match value {
            Some(value) => Ok(value.unsigned_abs()),
            None => Err(PatternError(format!("the number `{digits}` is too large"))),
        }
    }

    /// The name of a group.
    pub(super) fn name(&mut self) -> String {
        self.take_while(is_word)
    }
}

/// What a group's name is made of, and what cannot be escaped.
pub(super) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '\u{200c}' | '\u{200d}')
}
