//! Copies on disk of the documents in force, so that a start while a source is down still serves. A copy says whose
//! it is and carries its checksum; what is not whole, or could have been written by others, is not believed.

#[cfg(test)]
mod tests;

use std::fs::{DirBuilder, File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use aws_lc_rs::digest::{Context, SHA256, digest};
use http::HeaderValue;
use keyward_core::diagnostic::{Diagnostic, Origin};
use serde::{Deserialize, Serialize};

use super::Repository;
use super::remote::{Document, Version};
use crate::config::yaml::MAX_BYTES;

/// The beginning of every copy; the number is that of the format.
const MARK: &str = "keyward rules 1 ";
/// What precedes the document is shorter than this, in bytes.
const MAX_HEAD_BYTES: u64 = 64 * 1024;
/// What names of copies end in.
const SUFFIX: &str = ".rules";
/// What names of copies begin with while they are written.
const UNFINISHED: &str = ".unfinished-";
/// What a process that was killed has left is removed after this long; another one may be writing until then.
const UNFINISHED_LIFE: Duration = Duration::from_secs(3600);
/// Copies of repositories that are not named any more are removed after this long.
const UNNAMED_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);

/// A directory of copies that nobody else can write to.
#[derive(Debug, PartialEq, Eq)]
pub struct CacheDirectory {
    path: PathBuf,
}

/// A copy that was found.
pub struct Copy {
    /// The document. Its signature has been checked, where one is needed.
    pub document: Document,
    /// How long ago its source last said that it is current; zero when the clock was set back.
    pub age: Duration,
}

/// The line before the document.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    /// The digest of the repository's URL, which itself can hold credentials.
    location: String,
    etag: Option<String>,
    modified: Option<String>,
    signature: Option<String>,
}

impl CacheDirectory {
    /// Makes the directory where there is none. One that others can write to is an error; one that cannot be made or
    /// written to is not, since serving needs no copies: each attempt to write will say so.
    pub fn open(path: &Path) -> Result<Self, Diagnostic> {
        let directory = Self { path: path.to_owned() };
        // The attempt to write will say what is wrong.
        let _ = directory.make();
        Self::judge(path).map(|()| directory)
    }

    /// What is found there, if anything is, must be a directory that others cannot write to.
    pub fn judge(path: &Path) -> Result<(), Diagnostic> {
        let refuse = |problem: &str| {
            let finding = Diagnostic::error(format!("`access_rules.cache_dir`: {problem}"));
            finding.at(&Origin::whole(path.display().to_string()))
        };
        match std::fs::metadata(path) {
            Ok(found) if !found.is_dir() => Err(refuse("it is not a directory").hint("name a directory")),
            Ok(found) => believed(&found).map_err(|problem| {
                refuse(&problem).hint(
                    "name a directory that does not exist yet: it is made for this process alone; others could write rules into this one",
                )
            }),
            Err(_) => Ok(()),
        }
    }

    /// The copy of a repository's document, if there is one that can be believed. What is wrong with another is logged.
    pub fn read(&self, repository: &Repository) -> Option<Copy> {
        let path = self.place(repository.text());
        let problem = match read(&path, repository) {
            Ok(copy) => return Some(copy),
            Err(Unusable::Absent) => return None,
            Err(Unusable::Problem(problem)) => problem,
        };
        let (location, path) = (repository.name(), path.display());
        tracing::warn!(%location, %path, problem, "the copy of the rules on disk is not used; it can be removed");
        None
    }

    /// Puts a copy in the place of the one before, whole or not at all.
    pub fn write(&self, url: &str, document: &Document) -> io::Result<()> {
        self.make()?;
        let text =
            |value: &Option<HeaderValue>| value.as_ref().and_then(|value| value.to_str().ok()).map(str::to_owned);
        let head = Head {
            location: name_of(url),
            etag: text(&document.version.etag),
            modified: text(&document.version.modified),
            signature: document.signature.clone(),
        };
        let mut head = serde_json::to_vec(&head)?;
        head.push(b'\n');
        let mut sum = Context::new(&SHA256);
        sum.update(&head);
        sum.update(document.text.as_bytes());
        let mark = format!("{MARK}{}\n", hex(sum.finish().as_ref()));
        // Only its owner can read or write a file that is made like this.
        let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(&self.path)?;
        for part in [mark.as_bytes(), &head, document.text.as_bytes()] {
            file.write_all(part)?;
        }
        file.as_file().sync_all()?;
        file.persist(self.place(url)).map_err(|error| error.error)?;
        // The name is on the disk only now.
        File::open(&self.path)?.sync_all()
    }

    /// Notes that the source says the copy is current.
    pub fn confirm(&self, url: &str) -> io::Result<()> {
        File::options().append(true).open(self.place(url))?.set_modified(SystemTime::now())
    }

    /// Removes what a killed process has left half-written, and old copies of repositories that are not `named`.
    pub fn sweep(&self, named: &[Repository]) {
        let kept: Vec<PathBuf> = named.iter().map(|repository| self.place(repository.text())).collect();
        for entry in std::fs::read_dir(&self.path).into_iter().flatten().flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_string_lossy();
            let life = match (name.starts_with(UNFINISHED), name.ends_with(SUFFIX)) {
                (true, _) => UNFINISHED_LIFE,
                (false, true) if !kept.contains(&path) => UNNAMED_LIFE,
                _ => continue,
            };
            if entry.metadata().is_ok_and(|found| age(&found) > life) {
                // Another process may have done it.
                let _ = std::fs::remove_file(path);
            }
        }
    }

    fn make(&self) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.path)
    }

    fn place(&self, url: &str) -> PathBuf {
        self.path.join(format!("{}{SUFFIX}", name_of(url)))
    }
}

/// Why a copy is not used.
enum Unusable {
    Absent,
    Problem(String),
}

impl From<String> for Unusable {
    fn from(problem: String) -> Self {
        Self::Problem(problem)
    }
}

fn read(path: &Path, repository: &Repository) -> Result<Copy, Unusable> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Unusable::Absent,
        _ => Unusable::Problem(error.to_string()),
    };
    let found = std::fs::symlink_metadata(path).map_err(failed)?;
    if !found.is_file() {
        return Err("it is not a regular file".to_owned().into());
    }
    believed(&found)?;
    let mut bytes = Vec::new();
    let limit = MAX_BYTES as u64 + MAX_HEAD_BYTES;
    File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes)).map_err(failed)?;
    let text = String::from_utf8(bytes).map_err(|_| "it is damaged: it is not UTF-8".to_owned())?;
    let (sum, rest) = text
        .strip_prefix(MARK)
        .and_then(|rest| rest.split_once('\n'))
        .ok_or_else(|| "it is no copy of rules, or one of another version of Keyward".to_owned())?;
    if hex(digest(&SHA256, rest.as_bytes()).as_ref()) != sum {
        return Err("it is damaged: its checksum differs".to_owned().into());
    }
    let (head, document) = rest.split_once('\n').unwrap_or((rest, ""));
    let head: Head = serde_json::from_str(head).map_err(|_| "it is damaged: its head cannot be read".to_owned())?;
    if head.location != name_of(repository.text()) {
        return Err("it belongs to another repository".to_owned().into());
    }
    let value = |text: Option<String>| text.and_then(|text| HeaderValue::from_str(&text).ok());
    let version = Version { etag: value(head.etag), modified: value(head.modified) };
    let document = Document { text: document.to_owned(), version, signature: head.signature };
    if let Some(source) = repository.remote() {
        source.accepts(&document)?;
    }
    Ok(Copy { document, age: age(&found) })
}

/// Whether nobody but this process's user, and root, can have written there.
fn believed(found: &Metadata) -> Result<(), String> {
    let own = rustix::process::geteuid().as_raw();
    if found.uid() != own && found.uid() != 0 {
        return Err(format!("it belongs to another user ({})", found.uid()));
    }
    if found.mode() & 0o022 != 0 {
        return Err(format!("others can write to it (its mode is {:04o})", found.mode() & 0o7777));
    }
    Ok(())
}

fn age(found: &Metadata) -> Duration {
    found.modified().ok().and_then(|at| SystemTime::now().duration_since(at).ok()).unwrap_or_default()
}

/// What a copy is named by: URLs can hold credentials, and characters that names cannot.
fn name_of(url: &str) -> String {
    hex(digest(&SHA256, url.as_bytes()).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
