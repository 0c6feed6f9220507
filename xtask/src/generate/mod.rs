//! `cargo xtask generate [--check]`: files, and parts of files, that are derived from the code and the
//! table of differences.

mod handlers;
mod migration;
mod settings_table;

use std::fs;
use std::path::{Path, PathBuf};

use keyward_server::schema;
use serde_json::Value;

/// A file with what it must hold.
type Generated = (PathBuf, String);

/// Writes every generated file or, to check, only says which are stale.
pub(crate) fn run(check: bool) -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = vec![
        (root.join("docs/schema/keyward.schema.json"), json(&schema::configuration())),
        (root.join("docs/schema/keyward-rules.schema.json"), json(&schema::rules())),
        migration::page(&root)?,
    ];
    files.extend(handlers::pages(&root)?);
    let stale: Vec<&Generated> =
        files.iter().filter(|(path, text)| fs::read_to_string(path).ok().as_ref() != Some(text)).collect();
    for (path, text) in &stale {
        let shown = path.strip_prefix(&root).unwrap_or(path).display();
        if check {
            eprintln!("stale: {shown}");
        } else {
            fs::write(path, text).map_err(|error| format!("{shown}: {error}"))?;
            println!("wrote {shown}");
        }
    }
    match (check, stale.len()) {
        (true, 1..) => {
            Err("generated files are stale; run `cargo xtask generate` and commit what it writes".to_owned())
        }
        _ => Ok(()),
    }
}

fn json(value: &Value) -> String {
    format!("{value:#}\n")
}

/// Replaces the part of a page between its marks, which must be there once.
fn with_part(path: &Path, name: &str, part: &str) -> Result<Generated, String> {
    let page = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let (begin, end) = (format!("<!-- generated: {name} -->\n"), "<!-- end -->");
    let marks = page.split_once(&begin).and_then(|(before, rest)| Some((before, rest.split_once(end)?.1)));
    let Some((before, after)) = marks else {
        return Err(format!("{}: the marks `{}` and `{end}` are missing", path.display(), begin.trim()));
    };
    Ok((path.to_owned(), format!("{before}{begin}{part}{end}{after}")))
}
