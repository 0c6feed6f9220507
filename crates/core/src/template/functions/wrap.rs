//! Cutting and wrapping text, in bytes as the reference does it.

use super::super::function::Function;
use super::super::function::Param::{Int, Text};
use super::arguments::{bytes, fits, int, text};

pub(super) const ALL: &[Function] = &[
    Function::pure("trunc", &[Int, Text], |args| {
        let (count, from) = (int(&args[0])?, bytes(&args[1])?);
        let size = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
        if size >= from.len() {
            return Ok(args[1].clone());
        }
        text(if count < 0 { &from[from.len() - size..] } else { &from[..size] })
    }),
    Function::pure("substr", &[Int, Int, Text], |args| {
        let (start, end, from) = (int(&args[0])?, int(&args[1])?, bytes(&args[2])?);
        let (start, end) = match (usize::try_from(start), usize::try_from(end)) {
            (Err(_), end) => (0, end.unwrap_or(usize::MAX)),
            (Ok(start), Ok(end)) if end <= from.len() => (start, end),
            (Ok(start), _) => (start, from.len()),
        };
        text(from.get(start..end).ok_or_else(|| "slice bounds out of range".to_owned())?)
    }),
    Function::pure("abbrev", &[Int, Text], |args| {
        let (width, from) = (int(&args[0])?, bytes(&args[1])?);
        if width < 4 {
            return Ok(args[1].clone());
        }
        text(abbreviated(from, 0, usize::try_from(width).unwrap_or(usize::MAX)))
    }),
    Function::pure("abbrevboth", &[Int, Int, Text], |args| {
        let (offset, width, from) = (int(&args[0])?, int(&args[1])?, bytes(&args[2])?);
        if width < 4 || offset > 0 && width < 7 {
            return Ok(args[2].clone());
        }
        let (offset, width) = (usize::try_from(offset).unwrap_or(0), usize::try_from(width).unwrap_or(usize::MAX));
        text(abbreviated(from, offset, width))
    }),
    Function::pure("wrap", &[Int, Text], |args| text(wrap(bytes(&args[1])?, int(&args[0])?, b"\n", false)?)),
    Function::pure("wrapWith", &[Int, Text, Text], |args| {
        let separator = bytes(&args[1])?;
        let separator = if separator.is_empty() { b"\n" } else { separator };
        text(wrap(bytes(&args[2])?, int(&args[0])?, separator, true)?)
    }),
];

const MARK: &[u8] = b"...";

/// At most `width` bytes with dots where something was left out. `width` is at least 4.
fn abbreviated(from: &[u8], offset: usize, width: usize) -> Vec<u8> {
    let length = from.len();
    if length <= width {
        return from.to_vec();
    }
    let room = width - MARK.len();
    let offset = if length.saturating_sub(offset) < room { length - room } else { offset };
    if offset <= 4 {
        return [&from[..room], MARK].concat();
    }
    if width < 7 {
        return Vec::new();
    }
    if offset + room < length {
        return [MARK, &abbreviated(&from[offset..], 0, room)].concat();
    }
    [MARK, &from[length - room..]].concat()
}

/// Breaks at spaces; a word that is too long is cut or left whole.
fn wrap(from: &[u8], width: i64, separator: &[u8], cuts: bool) -> Result<Vec<u8>, String> {
    let width = usize::try_from(width).unwrap_or(0).max(1);
    let mut made = Vec::new();
    let mut rest = from;
    while rest.len() > width {
        if rest[0] == b' ' {
            rest = &rest[1..];
            continue;
        }
        let (line, after) = if let Some(space) = memchr::memrchr(b' ', &rest[..=width]) {
            (space, space + 1)
        } else if cuts {
            (width, width)
        } else if let Some(space) = memchr::memchr(b' ', &rest[width..]) {
            (width + space, width + space + 1)
        } else {
            break;
        };
        made.extend_from_slice(&rest[..line]);
        made.extend_from_slice(separator);
        rest = &rest[after..];
        fits(made.len())?;
    }
    made.extend_from_slice(rest);
    Ok(made)
}
