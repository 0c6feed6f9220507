//! Numbers by the verbs that suit them.

use super::float;
use super::quote::{is_printed, quoted_char};
use super::spec::Spec;
use crate::template::value::Complex;

/// An integer by a verb; `None` where the verb does not suit it.
pub(super) fn integer(bits: i64, signed: bool, verb: char, spec: &Spec, out: &mut Vec<u8>) -> Option<()> {
    if signed && matches!(verb, 'v' | 'd') && spec.is_plain() {
        out.extend(itoa::Buffer::new().format(bits).bytes());
        return Some(());
    }
    let negative = signed && bits < 0;
    let size = if negative { bits.unsigned_abs() } else { bits.cast_unsigned() };
    let in_base = |digits: String, prefix: &str, out: &mut Vec<u8>| digits_of(&digits, prefix, negative, spec, out);
    match verb {
        'v' if spec.as_source && !signed => {
            digits_of(&format!("{size:x}"), "0x", negative, spec, out);
        }
        'v' | 'd' => in_base(size.to_string(), "", out),
        'b' => in_base(format!("{size:b}"), if spec.sharp { "0b" } else { "" }, out),
        'o' => in_base(format!("{size:o}"), if spec.sharp { "0" } else { "" }, out),
        'O' => in_base(format!("{size:o}"), if spec.sharp { "0o0" } else { "0o" }, out),
        'x' => in_base(format!("{size:x}"), if spec.sharp { "0x" } else { "" }, out),
        'X' => in_base(format!("{size:X}"), if spec.sharp { "0X" } else { "" }, out),
        'c' => spec.pad(character(bits, signed).encode_utf8(&mut [0; 4]).as_bytes(), out),
        'q' => spec.pad(quoted_char(character(bits, signed), spec.plus).as_bytes(), out),
        'U' => {
            let digits = spec.precision.unwrap_or(0).max(4);
            let mut shown = zero_padded(&format!("{:X}", bits.cast_unsigned()), digits);
            shown.insert_str(0, "U+");
            let c = u32::try_from(bits).ok().and_then(char::from_u32);
            if let Some(c) = c.filter(|c| spec.sharp && is_printed(*c)) {
                shown.extend([' ', '\'', c, '\'']);
            }
            spec.pad_with_spaces(shown.as_bytes(), out);
        }
        _ => return None,
    }
    Some(())
}

fn character(bits: i64, signed: bool) -> char {
    let code = if signed { u32::try_from(bits).ok() } else { u32::try_from(bits.cast_unsigned()).ok() };
    code.and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn digits_of(digits: &str, prefix: &str, negative: bool, spec: &Spec, out: &mut Vec<u8>) {
    let sign = sign(negative, spec);
    // Zeros come from a precision or, without one, from the width.
    let count = match (spec.precision, spec.zero_width()) {
        (Some(0), _) if digits == "0" => return spec.pad_with_spaces(b"", out),
        (Some(precision), _) => precision,
        (None, Some(width)) => width.saturating_sub(sign.len()),
        (None, None) => 0,
    };
    let digits = zero_padded(digits, count);
    // One zero is enough to tell octal digits.
    let prefix = match prefix {
        "0" if digits.starts_with('0') => "",
        "0o0" if digits.starts_with('0') => "0o",
        prefix => prefix,
    };
    spec.pad_with_spaces(format!("{sign}{prefix}{digits}").as_bytes(), out);
}

fn sign(negative: bool, spec: &Spec) -> &'static str {
    match () {
        () if negative => "-",
        () if spec.plus => "+",
        () if spec.space => " ",
        () => "",
    }
}

fn zero_padded(digits: &str, count: usize) -> String {
    let missing = count.min(super::MAX_SHOWN).saturating_sub(digits.len());
    ["0".repeat(missing).as_str(), digits].concat()
}

/// A float by a verb; `None` where the verb does not suit it.
pub(super) fn floating(value: f64, verb: char, spec: &Spec, out: &mut Vec<u8>) -> Option<()> {
    let (form, precision) = match verb {
        'v' => ('g', None),
        'b' | 'g' | 'G' | 'x' | 'X' => (verb, None),
        'f' | 'e' | 'E' => (verb, Some(6)),
        'F' => ('f', Some(6)),
        _ => return None,
    };
    let precision = spec.precision.or(precision);
    let shown = float::shown(value, form, precision);
    let negative = shown.starts_with('-');
    let number = shown.trim_start_matches(['-', '+']);
    let sign = match sign(negative, spec) {
        // A plus sign of infinity is not asked for.
        "" if shown.starts_with('+') => "+",
        sign => sign,
    };
    if !value.is_finite() {
        // Nothing that looks like a number: no zeros.
        spec.pad_with_spaces([sign, number].concat().as_bytes(), out);
        return Some(());
    }
    let number = if spec.sharp && form != 'b' { pointed(number, form, precision) } else { number.to_owned() };
    match spec.zero_width() {
        Some(width) if !sign.is_empty() => {
            out.extend(sign.bytes());
            spec.fill(width.saturating_sub(sign.len() + number.len()), out);
            out.extend(number.bytes());
        }
        _ => spec.pad([sign, &number].concat().as_bytes(), out),
    }
    Some(())
}

/// A complex number by a verb; `None` where the verb does not suit it. Each part is formatted by itself.
pub(super) fn complex(value: Complex, verb: char, spec: &Spec, out: &mut Vec<u8>) -> Option<()> {
    let mut shown = vec![b'('];
    floating(value.real, verb, spec, &mut shown)?;
    floating(value.imaginary, verb, &Spec { plus: true, ..spec.clone() }, &mut shown)?;
    shown.extend(b"i)");
    out.append(&mut shown);
    Some(())
}

/// With a point, and with the zeros that `%g` leaves out otherwise.
fn pointed(number: &str, form: char, precision: Option<usize>) -> String {
    let is_hexadecimal = matches!(form, 'x' | 'X');
    let exponent = number.find(if is_hexadecimal { ['p', 'P'] } else { ['e', 'E'] }).unwrap_or(number.len());
    let (digits, exponent) = number.split_at(exponent);
    let wanted = match form {
        'g' | 'G' | 'x' => precision.unwrap_or(6),
        _ => 0,
    };
    // Digits count from the first that is not zero, except for zero itself.
    let mut significant = digits.chars().filter(|c| *c != '.').skip_while(|c| *c == '0').count();
    let mut made = digits.to_owned();
    if !digits.contains('.') {
        if digits == "0" {
            significant += 1;
        }
        made.push('.');
    }
    made.push_str(&"0".repeat(wanted.saturating_sub(significant).min(super::MAX_SHOWN)));
    made + exponent
}
