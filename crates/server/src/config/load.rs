//! Loads configuration: files in order, then the environment, then the checks.

use std::path::{Path, PathBuf};

use keyward_core::diagnostic::{Diagnostic, Origin, Severity};
use keyward_core::document::{Node, Value, merge};

use super::environment;
use super::idle;
use super::notes::{Note, notes};
use super::settings::{self, Settings};
use super::text_file;
use super::toml;
use super::yaml::{self, Dialect};

/// Settings with what was noticed on the way.
#[derive(Debug)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// Findings that do not stop anything.
    pub warnings: Vec<Diagnostic>,
    /// Settings that mean something different from Oathkeeper.
    pub notes: Vec<Note>,
}

/// Reads, merges and checks. Later files win over earlier ones, the environment wins over files.
pub fn load(files: &[PathBuf], variables: &[(String, String)]) -> Result<Loaded, Vec<Diagnostic>> {
    let mut root = Node { value: Value::Map(Vec::new()), origin: Origin::whole("built-in defaults") };
    let mut empty_files = Vec::new();
    for path in files {
        let node = read(path).map_err(|problem| vec![problem])?;
        match node.value {
            Value::Null => empty_files.push(path.clone()),
            _ => root = merge(&root, &node),
        }
    }
    let found = environment::apply(&mut root, variables);
    let (mut errors, mut warnings): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|finding| finding.severity == Severity::Error);
    warnings.extend(idle::remove(&mut root));
    warnings.extend(empty_files.iter().map(|path| sets_nothing(path)));
    match settings::check(&root) {
        Ok((settings, found)) if errors.is_empty() => {
            warnings.extend(found);
            warnings.extend(missing_directory(&settings, &root));
            Ok(Loaded { settings: Settings { empty_files, ..settings }, warnings, notes: notes(&root) })
        }
        Ok(_) => Err(errors),
        Err(found) => {
            errors.extend(found);
            Err(errors)
        }
    }
}

/// Usable, but hardly what was meant: the defaults alone name no rules.
fn sets_nothing(path: &Path) -> Diagnostic {
    let finding = Diagnostic::warning("the file is empty, and sets nothing");
    let finding = finding.at(&Origin::whole(path.display().to_string()));
    finding.hint("without `access_rules.repositories` there are no rules, and every request gets 404; `{}` says that the defaults are meant")
}

/// Rules that name secrets would take them from the environment, or break, without a word about the reason.
fn missing_directory(settings: &Settings, root: &Node) -> Option<Diagnostic> {
    let directory = settings.env_dir.as_deref().filter(|directory| !directory.is_dir())?;
    let origin = root.get("secrets.env_dir").map_or(&root.origin, |node| &node.origin);
    let finding = Diagnostic::warning(format!("`secrets.env_dir` is not a directory: `{}`", directory.display()));
    Some(finding.at(origin).hint("check the path; until it exists, secrets come from the environment alone"))
}

fn read(path: &Path) -> Result<Node, Diagnostic> {
    let source = path.display().to_string();
    let refuse = |message: String| Diagnostic::error(message).at(&Origin::whole(source.as_str()));
    let extension = path.extension().and_then(|extension| extension.to_str());
    // What is no file at all is not helped by another name.
    if !matches!(extension, Some("yaml" | "yml" | "json" | "toml")) && path.is_file() {
        return Err(refuse("unknown configuration file extension".to_owned())
            .hint("name it `.yaml`, `.yml`, `.json` or `.toml`"));
    }
    let node = text_file::read(path, "the file", |text| match extension {
        Some("toml") => toml::parse(text, &source),
        _ => yaml::parse(text, &source, Dialect::Core),
    })?;
    match node.value {
        Value::Map(_) | Value::Null => Ok(node),
        ref other => {
            Err(Diagnostic::error(format!("a configuration must be a map, found {}", other.kind())).at(&node.origin))
        }
    }
}
