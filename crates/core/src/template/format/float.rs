//! Floats as `strconv.FormatFloat` writes them.

/// More digits than any float has, before or after the point; what is beyond them is zeros.
const ALL_DIGITS: usize = 1100;

/// A float as Go's JSON encoder writes it.
pub(in crate::template) fn json_float(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) {
        let shortest = format!("{value:e}");
        match shortest.split_once('e') {
            Some((digits, exponent)) if !exponent.starts_with('-') => format!("{digits}e+{exponent}"),
            _ => shortest,
        }
    } else {
        format!("{value}")
    }
}

/// A float in one of the forms `b e f g x`, upper case for the capital letters. Without a precision it gets as
/// many digits as tell it from every other float.
pub(super) fn shown(value: f64, form: char, precision: Option<usize>) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let lower = match form.to_ascii_lowercase() {
        'e' => scientific(value, precision),
        'f' => fixed(value, precision),
        'b' => binary(value),
        'x' => hexadecimal(value, precision),
        _ => general(value, precision),
    };
    if form.is_ascii_uppercase() { lower.to_ascii_uppercase() } else { lower }
}

fn fixed(value: f64, precision: Option<usize>) -> String {
    match precision {
        None => format!("{value}"),
        Some(digits) => {
            let mut made = format!("{value:.*}", digits.min(ALL_DIGITS));
            made.extend(std::iter::repeat_n('0', digits.saturating_sub(ALL_DIGITS)));
            made
        }
    }
}

fn scientific(value: f64, precision: Option<usize>) -> String {
    let text = match precision {
        None => format!("{value:e}"),
        Some(digits) => format!("{value:.*e}", digits.min(ALL_DIGITS)),
    };
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let more = precision.unwrap_or(0).saturating_sub(ALL_DIGITS);
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}{}e{sign}{:02}", "0".repeat(more), exponent.abs())
}

/// Scientific for very small and very large numbers, otherwise not; without trailing zeros.
fn general(value: f64, precision: Option<usize>) -> String {
    let Some(digits) = precision.map(|digits| digits.clamp(1, ALL_DIGITS)) else {
        let plain = value == 0.0 || (1e-4..1e6).contains(&value.abs());
        return if plain { fixed(value, None) } else { scientific(value, None) };
    };
    let text = format!("{value:.*e}", digits - 1);
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let count = mantissa.bytes().filter(u8::is_ascii_digit).count();
    let zeros = if count > 1 { mantissa.len() - mantissa.trim_end_matches('0').len() } else { 0 };
    let count = (count - zeros.min(count - 1)).cast_signed() as i32;
    // A whole number whose digits all fit is not written with an exponent.
    let digits = i32::try_from(digits).unwrap_or(i32::MAX);
    let limit = if digits > count && count > exponent { count } else { digits };
    if value != 0.0 && (exponent < -4 || exponent >= limit) {
        return scientific(value, Some(usize::try_from(count - 1).unwrap_or(0)));
    }
    fixed(value, Some(usize::try_from(count - 1 - exponent).unwrap_or(0)))
}

/// The fraction and exponent bits: value = fraction * 2^exponent.
fn parts(value: f64) -> (u64, i32) {
    let bits = value.to_bits();
    let (fraction, exponent) = (bits & ((1 << 52) - 1), (bits >> 52 & 0x7ff) as i32);
    if exponent == 0 { (fraction, -1074) } else { (fraction | 1 << 52, exponent - 1075) }
}

fn sign(value: f64) -> &'static str {
    if value.is_sign_negative() { "-" } else { "" }
}

fn binary(value: f64) -> String {
    let (fraction, exponent) = parts(value);
    format!("{}{fraction}p{exponent:+}", sign(value))
}

fn hexadecimal(value: f64, precision: Option<usize>) -> String {
    let (mut fraction, exponent) = parts(value);
    let mut exponent = if fraction == 0 { 0 } else { exponent + 52 };
    // The leading digit goes to bit 60, four bits for each that follows.
    fraction <<= 8;
    while fraction != 0 && fraction & 1 << 60 == 0 {
        fraction <<= 1;
        exponent -= 1;
    }
    if let Some(digits) = precision.filter(|digits| *digits < 15) {
        let shift = digits * 4;
        let rest = fraction << shift & ((1 << 60) - 1);
        fraction >>= 60 - shift;
        // Halves go to the even neighbour.
        if rest | fraction & 1 > 1 << 59 {
            fraction += 1;
        }
        fraction <<= 60 - shift;
        if fraction & 1 << 61 != 0 {
            fraction >>= 1;
            exponent += 1;
        }
    }
    let digits = format!("{:015x}", fraction & ((1 << 60) - 1));
    let digits = match precision {
        None => digits.trim_end_matches('0').to_owned(),
        Some(count) => digits.chars().chain(std::iter::repeat('0')).take(count.min(super::MAX_SHOWN)).collect(),
    };
    let point = if digits.is_empty() { "" } else { "." };
    let exponent_sign = if exponent < 0 { '-' } else { '+' };
    format!("{}0x{}{point}{digits}p{exponent_sign}{:02}", sign(value), fraction >> 60 & 1, exponent.abs())
}
