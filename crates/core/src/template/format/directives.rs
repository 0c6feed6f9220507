//! `printf`: the format string with its directives.

use super::print::Printer;
use super::spec::Spec;
use crate::template::runes;
use crate::template::value::Value;

/// The largest number that may come from an argument, and that may have a further digit.
const MAX_NUMBER: i64 = 1_000_000;

/// Formats arguments as `fmt.Sprintf` does; what does not fit is noted in the text.
pub(in crate::template) fn printf(format: &[u8], arguments: &[Value<'_>]) -> Vec<u8> {
    let mut reader =
        Reader { format, at: 0, arguments, next: 0, reordered: false, index_fits: true, printer: Printer::default() };
    while let Some(found) = memchr::memchr(b'%', &format[reader.at..]) {
        reader.printer.out.extend(&format[reader.at..reader.at + found]);
        reader.at += found + 1;
        reader.directive();
        if reader.printer.out.len() > super::MAX_SHOWN {
            return reader.printer.out;
        }
    }
    reader.printer.out.extend(&format[reader.at..]);
    reader.extra();
    reader.printer.out
}

struct Reader<'f, 'v> {
    format: &'f [u8],
    at: usize,
    arguments: &'f [Value<'v>],
    /// The argument that comes next.
    next: usize,
    /// Whether an argument was ever named by its number.
    reordered: bool,
    /// Whether the argument that this directive names exists.
    index_fits: bool,
    printer: Printer,
}

impl Reader<'_, '_> {
    /// One directive, after its `%`.
    fn directive(&mut self) {
        self.index_fits = true;
        self.printer.spec = Spec::default();
        self.flags();
        let mut after_index = self.index();
        if self.peek() == Some(b'*') {
            self.at += 1;
            match self.number_of_argument() {
                Some(width) => {
                    let spec = &mut self.printer.spec;
                    if width < 0 {
                        (spec.minus, spec.zero) = (true, false);
                    }
                    spec.width = usize::try_from(width.unsigned_abs()).ok();
                }
                None => self.printer.out.extend(b"%!(BADWIDTH)"),
            }
            after_index = false;
        } else {
            self.printer.spec.width = self.number();
            if after_index && self.printer.spec.width.is_some() {
                self.index_fits = false;
            }
        }
        // A point at the very end is a verb.
        if self.peek() == Some(b'.') && self.at + 1 < self.format.len() {
            after_index = self.precision(after_index);
        }
        if !after_index {
            self.index();
        }
        let Some((verb, length)) = runes::first(&self.format[self.at..]) else {
            return self.printer.out.extend(b"%!(NOVERB)");
        };
        self.at += length;
        self.verb(verb);
    }

    fn verb(&mut self, verb: char) {
        if verb == '%' {
            return self.printer.out.push(b'%');
        }
        if !self.index_fits {
            return self.printer.out.extend(format!("%!{verb}(BADINDEX)").bytes());
        }
        let Some(argument) = self.arguments.get(self.next) else {
            return self.printer.out.extend(format!("%!{verb}(MISSING)").bytes());
        };
        if matches!(verb, 'v' | 'w') {
            let spec = &mut self.printer.spec;
            spec.as_source = std::mem::take(&mut spec.sharp);
            spec.with_names = std::mem::take(&mut spec.plus);
        }
        self.printer.argument(argument, verb);
        self.next += 1;
    }

    fn precision(&mut self, after_index: bool) -> bool {
        self.at += 1;
        if after_index {
            self.index_fits = false;
        }
        let after_index = self.index();
        if self.peek() != Some(b'*') {
            self.printer.spec.precision = Some(self.number().unwrap_or(0));
            return after_index;
        }
        self.at += 1;
        match self.number_of_argument() {
            Some(precision) if precision >= 0 => self.printer.spec.precision = usize::try_from(precision).ok(),
            // As in the reference, a negative one is as bad as none.
            _ => self.printer.out.extend(b"%!(BADPREC)"),
        }
        false
    }

    fn flags(&mut self) {
        while let Some(flag) = self.peek() {
            let spec = &mut self.printer.spec;
            match flag {
                b'#' => spec.sharp = true,
                b'0' => spec.zero = true,
                b'+' => spec.plus = true,
                b'-' => spec.minus = true,
                b' ' => spec.space = true,
                _ => break,
            }
            self.at += 1;
        }
    }

    /// `[3]`: the argument that is meant. Whether there was one that can be read.
    fn index(&mut self) -> bool {
        if self.peek() != Some(b'[') {
            return false;
        }
        self.reordered = true;
        let rest = &self.format[self.at + 1..];
        let Some(end) = memchr::memchr(b']', rest).filter(|_| rest.len() > 1) else {
            self.at += 1;
            self.index_fits = false;
            return false;
        };
        self.at += end + 2;
        let number =
            std::str::from_utf8(&rest[..end]).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        let number = number.and_then(|text| text.parse::<i64>().ok()).filter(|number| *number / 10 <= MAX_NUMBER);
        let Some(number) = number else {
            self.index_fits = false;
            return false;
        };
        match usize::try_from(number - 1).ok().filter(|index| *index < self.arguments.len()) {
            Some(index) => self.next = index,
            None => self.index_fits = false,
        }
        true
    }

    /// Digits; too many of them use up the whole format.
    fn number(&mut self) -> Option<usize> {
        let digits = self.format[self.at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let text = std::str::from_utf8(&self.format[self.at..self.at + digits]).ok()?;
        if digits == 0 {
            return None;
        }
        let number = text.parse::<i64>().ok().filter(|number| *number / 10 <= MAX_NUMBER);
        self.at = if number.is_some() { self.at + digits } else { self.format.len() };
        number.and_then(|number| usize::try_from(number).ok())
    }

    /// The argument that `*` stands for.
    fn number_of_argument(&mut self) -> Option<i64> {
        let value = self.arguments.get(self.next)?;
        self.next += 1;
        value.integer().filter(|number| (-MAX_NUMBER..=MAX_NUMBER).contains(number))
    }

    /// Notes the arguments that no directive used.
    fn extra(&mut self) {
        if self.reordered || self.next >= self.arguments.len() {
            return;
        }
        self.printer.spec = Spec::default();
        self.printer.out.extend(b"%!(EXTRA ");
        for (index, value) in self.arguments[self.next..].iter().enumerate() {
            if index > 0 {
                self.printer.out.extend(b", ");
            }
            if !value.is_nil() {
                self.printer.out.extend(format!("{}=", value.type_name()).bytes());
            }
            self.printer.argument(value, 'v');
        }
        self.printer.out.push(b')');
    }

    fn peek(&self) -> Option<u8> {
        self.format.get(self.at).copied()
    }
}
