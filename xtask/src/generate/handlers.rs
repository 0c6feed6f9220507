//! The tables of settings in `docs/handlers/`: one page per handler.

use std::path::Path;

use keyward_core::pipeline::HandlerKind;
use keyward_handlers::TABLES;
use keyward_server::schema;

use super::settings_table::table;
use super::{Generated, with_part};

pub(super) fn pages(root: &Path) -> Result<Vec<Generated>, String> {
    let mut pages = Vec::new();
    let mut index = String::new();
    group(root, "authenticators", TABLES.authenticators.all, &mut pages, &mut index)?;
    group(root, "authorizers", TABLES.authorizers.all, &mut pages, &mut index)?;
    group(root, "mutators", TABLES.mutators.all, &mut pages, &mut index)?;
    group(root, "error_handlers", TABLES.error_handlers.all, &mut pages, &mut index)?;
    pages.push(with_part(&root.join("docs/handlers/README.md"), "handlers", &index)?);
    Ok(pages)
}

fn group<K: HandlerKind + ?Sized>(
    root: &Path,
    group: &str,
    all: &[&K],
    pages: &mut Vec<Generated>,
    index: &mut String,
) -> Result<(), String> {
    index.push_str(&format!("- {}:", group.replace('_', " ")));
    for (number, kind) in all.iter().enumerate() {
        let (id, comma) = (kind.id(), if number == 0 { "" } else { "," });
        index.push_str(&format!("{comma} [`{id}`]({group}/{id}.md)"));
        let part = match schema::settings(*kind) {
            Some(settings) => table(&settings),
            None => "It takes no settings.\n".to_owned(),
        };
        pages.push(with_part(&root.join(format!("docs/handlers/{group}/{id}.md")), "settings", &part)?);
    }
    index.push('\n');
    Ok(())
}
