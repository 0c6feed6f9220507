//! Slash-separated paths. The `os` variants are the same on the systems Keyward runs on.

use super::super::function::Function;
use super::super::function::Param::Text;
use super::Value;
use super::arguments::{bytes, text};

macro_rules! both {
    ($($name:literal $os_name:literal $body:expr;)*) => {
        &[$(Function::pure($name, &[Text], $body), Function::pure($os_name, &[Text], $body),)*]
    };
}

pub(super) const ALL: &[Function] = both! {
    "base" "osBase" |args| text(base(bytes(&args[0])?));
    "dir" "osDir" |args| {
        let path = bytes(&args[0])?;
        text(clean(&path[..memchr::memrchr(b'/', path).map_or(0, |slash| slash + 1)]))
    };
    "clean" "osClean" |args| text(clean(bytes(&args[0])?));
    "ext" "osExt" |args| {
        let path = bytes(&args[0])?;
        let name = &path[memchr::memrchr(b'/', path).map_or(0, |slash| slash + 1)..];
        text(memchr::memrchr(b'.', name).map_or(&name[..0], |dot| &name[dot..]))
    };
    "isAbs" "osIsAbs" |args| Ok(Value::Bool(bytes(&args[0])?.starts_with(b"/")));
};

fn base(path: &[u8]) -> &[u8] {
    if path.is_empty() {
        return b".";
    }
    let end = path.iter().rposition(|byte| *byte != b'/').map_or(0, |last| last + 1);
    let trimmed = &path[..end];
    match memchr::memrchr(b'/', trimmed) {
        _ if trimmed.is_empty() => b"/",
        Some(slash) => &trimmed[slash + 1..],
        None => trimmed,
    }
}

/// Without double slashes, `.`, and `..` where there is something to go up from.
pub(in crate::template) fn clean(path: &[u8]) -> Vec<u8> {
    let rooted = path.starts_with(b"/");
    let mut kept: Vec<&[u8]> = Vec::new();
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." if kept.last().is_some_and(|last| *last != b"..") => {
                kept.pop();
            }
            b".." if rooted => {}
            part => kept.push(part),
        }
    }
    let joined = kept.join(&b'/');
    match (rooted, joined.is_empty()) {
        (true, _) => [b"/", joined.as_slice()].concat(),
        (false, true) => b".".to_vec(),
        (false, false) => joined,
    }
}
