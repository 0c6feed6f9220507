//! The table of `docs/migration.md`: every row of `conformance/differences.toml`.

use std::path::Path;

use super::{Generated, with_part};

pub(super) fn page(root: &Path) -> Result<Generated, String> {
    let path = root.join("conformance/differences.toml");
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let document: toml::Table = text.parse().map_err(|error| format!("{}: {error}", path.display()))?;
    let rows = document.get("difference").and_then(toml::Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if rows.is_empty() {
        return Err(format!("{}: there are no rows", path.display()));
    }
    let mut table =
        "| | Oathkeeper | Keyward | because | the old behaviour |\n| --- | --- | --- | --- | --- |\n".to_owned();
    for row in rows {
        let cell = |key: &str| {
            let text = row.get(key).and_then(toml::Value::as_str);
            let text = text.ok_or_else(|| format!("{}: the row {:?} has no `{key}`", path.display(), row.get("id")))?;
            Ok::<_, String>(text.replace('|', "\\|").replace('\n', " "))
        };
        let restore = cell("restore")?;
        let restore = if restore.is_empty() { "—" } else { &restore };
        let id = cell("id")?;
        table.push_str(&format!(
            "| `{id}` | {} | {} | {} | {restore} |\n",
            cell("reference")?,
            cell("keyward")?,
            cell("why")?
        ));
    }
    with_part(&root.join("docs/migration.md"), "differences", &table)
}
