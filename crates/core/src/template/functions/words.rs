//! sprig's functions on words and lines.

use super::{Function, Value, int, row, string};

/// What `indent` and `wrap` may produce.
const MAX_TEXT: usize = 64 * 1024;

pub(super) const ALL: &[Function] = &[
    row("abbrev", 2, 2, |args| Ok(Value::text(abbreviate(string(&args[1])?, 0, int(&args[0])?)))),
    row("abbrevboth", 3, 3, |args| Ok(Value::text(abbreviate(string(&args[2])?, int(&args[0])?, int(&args[1])?)))),
    row("indent", 2, 2, |args| indented("", int(&args[0])?, string(&args[1])?)),
    row("initials", 1, 1, |args| {
        let words = string(&args[0])?.split_whitespace();
        Ok(Value::text(words.filter_map(|word| word.chars().next()).collect::<String>()))
    }),
    row("nindent", 2, 2, |args| indented("\n", int(&args[0])?, string(&args[1])?)),
    row("plural", 3, 3, |args| {
        let (one, many) = (string(&args[0])?, string(&args[1])?);
        Ok(Value::text(if int(&args[2])? == 1 { one } else { many }))
    }),
    row("swapcase", 1, 1, |args| Ok(Value::text(swapped(string(&args[0])?)))),
    row("untitle", 1, 1, |args| Ok(Value::text(untitled(string(&args[0])?)))),
    row("wrap", 2, 2, |args| wrapped(int(&args[0])?, "\n", string(&args[1])?, false)),
    row("wrapWith", 3, 3, |args| wrapped(int(&args[0])?, string(&args[1])?, string(&args[2])?, true)),
];

/// At most `width` characters from `offset` on, with `...` where something is left out.
fn abbreviate(text: &str, offset: i64, width: i64) -> String {
    let letters: Vec<char> = text.chars().collect();
    let (Ok(width), Ok(mut offset)) = (usize::try_from(width), usize::try_from(offset)) else { return text.to_owned() };
    if width < 4 || (offset > 0 && width < 7) || letters.len() <= width {
        return text.to_owned();
    }
    let slice =
        |from: usize, to: usize| letters[from.min(letters.len())..to.min(letters.len())].iter().collect::<String>();
    offset = offset.min(letters.len());
    if letters.len() - offset < width - 3 {
        offset = letters.len() - (width - 3);
    }
    if offset <= 4 {
        return slice(0, width - 3) + "...";
    }
    if width < 7 {
        return text.to_owned();
    }
    if offset + width - 3 < letters.len() {
        return format!("...{}...", slice(offset, offset + width - 6));
    }
    format!("...{}", slice(letters.len() - (width - 3), letters.len()))
}

fn indented<'a>(start: &str, spaces: i64, text: &str) -> super::Outcome<'a> {
    let spaces = usize::try_from(spaces).map_err(|_| "negative Repeat count".to_owned())?;
    if text.lines().count().saturating_add(1).saturating_mul(spaces).saturating_add(text.len()) > MAX_TEXT {
        return Err("the result is too long".to_owned());
    }
    let pad = " ".repeat(spaces);
    Ok(Value::text(format!("{start}{pad}{}", text.replace('\n', &format!("\n{pad}")))))
}

/// Small letters become capital, and capital ones small.
fn swapped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_uppercase() {
            out.extend(letter.to_lowercase());
        } else {
            out.extend(letter.to_uppercase());
        }
    }
    out
}

fn untitled(text: &str) -> String {
    let mut starts = true;
    let letters = text.chars().map(|letter| {
        let shown = if starts { letter.to_lowercase().next().unwrap_or(letter) } else { letter };
        starts = letter.is_whitespace();
        shown
    });
    letters.collect()
}

/// Lines of at most `width` characters where words allow it; long words are cut only when asked to.
fn wrapped<'a>(width: i64, separator: &str, text: &str, cuts: bool) -> super::Outcome<'a> {
    let width = usize::try_from(width).unwrap_or(0).max(1);
    if text.len().saturating_mul(separator.len() + 1) > MAX_TEXT * 4 {
        return Err("the result is too long".to_owned());
    }
    let letters: Vec<char> = text.chars().collect();
    let (mut lines, mut offset) = (Vec::new(), 0);
    while letters.len() - offset > width {
        if letters[offset] == ' ' {
            offset += 1;
            continue;
        }
        let limit = offset + width;
        let space = (offset..=limit).rev().find(|at| letters[*at] == ' ').filter(|at| *at >= offset);
        let (end, next) = match space {
            Some(at) => (at, at + 1),
            None if cuts => (limit, limit),
            None => match (limit..letters.len()).find(|at| letters[*at] == ' ') {
                Some(at) => (at, at + 1),
                None => break,
            },
        };
        lines.push(letters[offset..end].iter().collect::<String>());
        offset = next;
    }
    lines.push(letters[offset..].iter().collect());
    Ok(Value::text(lines.join(separator)))
}
