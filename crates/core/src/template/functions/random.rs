//! Random text, numbers and identifiers, from the source that is passed in.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::super::function::Function;
use super::super::function::Param::{Int, Text};
use super::super::runes;
use super::Value;
use super::arguments::{MAX_TEXT, bytes, fits, int, text};
use crate::ports::Random;

const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const DIGITS: &[u8] = b"0123456789";
const BOTH: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

pub(super) const ALL: &[Function] = &[
    Function::outside("randAlphaNum", &[Int], |around, args| {
        drawn(around.random, &args[0], |at| BOTH.get(at).copied())
    }),
    Function::outside("randAlpha", &[Int], |around, args| {
        drawn(around.random, &args[0], |at| LETTERS.get(at).copied())
    }),
    Function::outside("randNumeric", &[Int], |around, args| {
        drawn(around.random, &args[0], |at| DIGITS.get(at).copied())
    }),
    // What can be printed, space included.
    Function::outside("randAscii", &[Int], |around, args| {
        drawn(around.random, &args[0], |at| u8::try_from(at + 32).ok().filter(|byte| *byte < 127))
    }),
    Function::outside("randBytes", &[Int], |around, args| {
        let count = usize::try_from(int(&args[0])?).map_err(|_| "the count is negative".to_owned())?;
        fits(count.saturating_mul(2))?;
        let mut made = vec![0; count];
        around.random.fill(&mut made);
        text(STANDARD.encode(made))
    }),
    Function::outside("randInt", &[Int, Int], |around, args| {
        let (least, above) = (int(&args[0])?, int(&args[1])?);
        let span = u64::try_from(above.wrapping_sub(least)).ok().filter(|span| *span > 0);
        let span = span.ok_or_else(|| "the range is empty".to_owned())?;
        Ok(Value::Int(least.wrapping_add(below(around.random, span).cast_signed())))
    }),
    Function::outside("shuffle", &[Text], |around, args| {
        let mut characters = runes::all(bytes(&args[0])?);
        for last in (1..characters.len()).rev() {
            let other = below(around.random, last as u64 + 1);
            characters.swap(last, usize::try_from(other).unwrap_or(0));
        }
        text(characters.into_iter().collect::<String>())
    }),
    Function::outside("uuidv4", &[], |around, _| {
        let mut made = [0; 16];
        around.random.fill(&mut made);
        // Version 4, variant 1 (RFC 9562 section 5.4).
        made[6] = made[6] & 0x0f | 0x40;
        made[8] = made[8] & 0x3f | 0x80;
        let digits: String = made.iter().map(|byte| format!("{byte:02x}")).collect();
        let parts = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
        text(parts.join("-"))
    }),
];

/// So many characters, each drawn until the alphabet has it. A negative number of them is none.
fn drawn<'a>(random: &dyn Random, count: &Value<'a>, alphabet: impl Fn(usize) -> Option<u8>) -> super::Outcome<'a> {
    let count = usize::try_from(int(count)?).unwrap_or(0).min(MAX_TEXT + 1);
    fits(count)?;
    let mut made = Vec::with_capacity(count);
    let mut pool = [0; 64];
    while made.len() < count {
        random.fill(&mut pool);
        let fitting = pool.iter().filter_map(|byte| alphabet(usize::from(byte & 0x7f)));
        made.extend(fitting.take(count - made.len()));
    }
    text(made)
}

/// A number below `bound`, every one equally likely.
fn below(random: &dyn Random, bound: u64) -> u64 {
    let whole = u64::MAX - u64::MAX % bound;
    loop {
        let mut drawn = [0; 8];
        random.fill(&mut drawn);
        let drawn = u64::from_le_bytes(drawn);
        if drawn < whole {
            return drawn % bound;
        }
    }
}
