//! Base64 and base32. What cannot be decoded gives the text of Go's error as the value, as the reference does.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::super::function::Function;
use super::super::function::Param::Text;
use super::arguments::{bytes, text};

pub(super) const ALL: &[Function] = &[
    Function::pure("b64enc", &[Text], |args| text(STANDARD.encode(bytes(&args[0])?))),
    Function::pure("b64dec", &[Text], |args| text(base64(bytes(&args[0])?).unwrap_or_else(|at| illegal("base64", at)))),
    Function::pure("b32enc", &[Text], |args| text(base32_encoded(bytes(&args[0])?))),
    Function::pure("b32dec", &[Text], |args| text(base32(bytes(&args[0])?).unwrap_or_else(|at| illegal("base32", at)))),
];

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn illegal(encoding: &str, at: usize) -> Vec<u8> {
    format!("illegal {encoding} data at input byte {at}").into_bytes()
}

/// Base64 with padding; line breaks do not count, unused bits need not be zero. The error says where.
pub(super) fn base64(from: &[u8]) -> Result<Vec<u8>, usize> {
    let breaks = |at: usize| from[at..].iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
    let (mut made, mut at) = (Vec::with_capacity(from.len() / 4 * 3), 0);
    loop {
        let mut group = Vec::with_capacity(4);
        while group.len() < 4 {
            at += breaks(at);
            let Some(byte) = from.get(at) else {
                return if group.is_empty() { Ok(made) } else { Err(at - group.len()) };
            };
            at += 1;
            if let Some(value) = BASE64.iter().position(|known| known == byte) {
                group.push(value as u8);
                continue;
            }
            if *byte != b'=' || group.len() < 2 {
                return Err(at - 1);
            }
            if group.len() == 2 {
                at += breaks(at);
                match from.get(at) {
                    None => return Err(from.len()),
                    Some(b'=') => at += 1,
                    Some(_) => return Err(at - 1),
                }
            }
            at += breaks(at);
            if at < from.len() {
                return Err(at);
            }
            made.extend(packed(&group, 6));
            return Ok(made);
        }
        made.extend(packed(&group, 6));
    }
}

/// Base32 with padding, upper case.
fn base32(from: &[u8]) -> Result<Vec<u8>, usize> {
    let from: Vec<u8> = from.iter().copied().filter(|byte| !matches!(byte, b'\n' | b'\r')).collect();
    let mut made = Vec::with_capacity(from.len() / 8 * 5);
    for (index, group) in from.chunks(8).enumerate() {
        let start = index * 8;
        let mut values = Vec::with_capacity(8);
        for (at, byte) in group.iter().enumerate() {
            let after = &from[start + at + 1..];
            if *byte == b'=' && at >= 2 && after.len() < 8 {
                let wanted = 7 - at;
                if after.len() < wanted {
                    return Err(from.len());
                }
                if let Some(other) = after[..wanted].iter().position(|byte| *byte != b'=') {
                    return Err(start + at + other);
                }
                if matches!(at, 3 | 6) {
                    return Err(start + at);
                }
                made.extend(packed(&values, 5));
                return Ok(made);
            }
            values.push(BASE32.iter().position(|known| known == byte).ok_or(start + at)? as u8);
        }
        if group.len() < 8 {
            return Err(from.len() - group.len());
        }
        made.extend(packed(&values, 5));
    }
    Ok(made)
}

fn base32_encoded(from: &[u8]) -> Vec<u8> {
    let mut made = Vec::with_capacity(from.len().div_ceil(5) * 8);
    for group in from.chunks(5) {
        let bits = group.iter().fold(0u64, |bits, byte| bits << 8 | u64::from(*byte)) << (8 * (5 - group.len()));
        let used = (group.len() * 8).div_ceil(5);
        made.extend((0..8).map(|at| if at < used { BASE32[(bits >> (35 - 5 * at) & 31) as usize] } else { b'=' }));
    }
    made
}

/// The whole bytes in values of so many bits each.
fn packed(values: &[u8], width: usize) -> Vec<u8> {
    let bits = values.iter().fold(0u64, |bits, value| bits << width | u64::from(*value));
    let (length, count) = (values.len() * width, values.len() * width / 8);
    (1..=count).map(|index| (bits >> (length - 8 * index)) as u8).collect()
}
