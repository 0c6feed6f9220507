//! sprig's functions on slash-separated paths.

use super::{Function, Value, row, string};

pub(super) const ALL: &[Function] = &[
    row("base", 1, 1, |args| Ok(Value::text(base(string(&args[0])?)))),
    row("clean", 1, 1, |args| Ok(Value::text(clean(string(&args[0])?)))),
    row("dir", 1, 1, |args| Ok(Value::text(dir(string(&args[0])?)))),
    row("ext", 1, 1, |args| Ok(Value::text(ext(string(&args[0])?)))),
    row("isAbs", 1, 1, |args| Ok(Value::Bool(string(&args[0])?.starts_with('/')))),
    row("osBase", 1, 1, |args| Ok(Value::text(base(string(&args[0])?)))),
    row("osClean", 1, 1, |args| Ok(Value::text(clean(string(&args[0])?)))),
    row("osDir", 1, 1, |args| Ok(Value::text(dir(string(&args[0])?)))),
    row("osExt", 1, 1, |args| Ok(Value::text(ext(string(&args[0])?)))),
    row("osIsAbs", 1, 1, |args| Ok(Value::Bool(string(&args[0])?.starts_with('/')))),
];

fn base(path: &str) -> &str {
    if path.is_empty() {
        return ".";
    }
    match path.trim_end_matches('/') {
        "" => "/",
        trimmed => trimmed.rsplit('/').next().unwrap_or(trimmed),
    }
}

fn dir(path: &str) -> String {
    clean(&path[..path.rfind('/').map_or(0, |slash| slash + 1)])
}

fn ext(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.rfind('.').map_or("", |dot| &name[dot..])
}

fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." if kept.last().is_some_and(|last| *last != "..") => {
                kept.pop();
            }
            ".." if rooted => {}
            other => kept.push(other),
        }
    }
    match (rooted, kept.join("/")) {
        (true, path) => format!("/{path}"),
        (false, path) if path.is_empty() => ".".to_owned(),
        (false, path) => path,
    }
}
