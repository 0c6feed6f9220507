//! Reads the documents of a repository, each after its limit and its signature.

use std::path::Path;

use aws_lc_rs::digest::{Context, Digest, SHA256};
use keyward_core::diagnostic::{Diagnostic, Origin};

use super::directory::Listing;
use super::documents::{Documents, FileText};
use super::{Location, Repository, signature};
use crate::config::text_file;
use crate::config::yaml::{self, Dialect, TakeItem};
use crate::courtesy::Courtesy;

/// How much of a document is hashed at a time, in bytes.
const PART: usize = 64 * 1024;

/// What was found in a repository.
pub struct Outline {
    /// Changes when anything in it changes.
    pub digest: Digest,
    /// The documents that say nothing: hardly what anybody means to say about all rules. Who means it writes `[]`.
    pub silent: Vec<String>,
    /// What its files said, if it was files that were read.
    pub files: Vec<FileText>,
}

impl Repository {
    /// Reads the rule documents and hands every rule over; files only where `documents` does not have what they said;
    /// `courtesy` is shown meanwhile. After an error the rules so far are void.
    pub fn read(
        &self,
        documents: &Documents,
        courtesy: &Courtesy,
        rule: &mut TakeItem<'_>,
    ) -> Result<Outline, Diagnostic> {
        let mut reading = Reading { digest: Context::new(&SHA256), silent: Vec::new(), files: Vec::new(), courtesy };
        let absent = |problem: &str| Diagnostic::error(problem).at(&Origin::whole(self.name()));
        match &self.location {
            // Its signature was checked when it was read.
            Location::File(_) if let Some(texts) = documents.files() => {
                let texts = texts.get(&self.text).ok_or_else(|| absent("the rules could not be read"))?;
                for FileText { path, text } in texts {
                    reading.add(text, path, rule)?;
                }
            }
            Location::File(path) if path.is_dir() => {
                let listing = Listing::of(path)?;
                for file in listing.paths() {
                    self.read_file(file, &mut reading, rule)?;
                }
                listing.check(path)?;
            }
            Location::File(path) => self.read_file(path, &mut reading, rule)?,
            Location::Inline(text) => reading.add(text, &self.name(), rule)?,
            // Its signature was checked when it was fetched.
            Location::Remote(_) => match documents.get(&self.text) {
                Some(document) => reading.add(&document.text, &self.name(), rule)?,
                None => {
                    let problem = documents.absent(&self.text).map(|absence| absence.problem.clone());
                    return Err(problem.unwrap_or_else(|| absent("the rules were never fetched")));
                }
            },
        }
        Ok(Outline { digest: reading.digest.finish(), silent: reading.silent, files: reading.files })
    }

    fn read_file(&self, path: &Path, reading: &mut Reading<'_>, rule: &mut TakeItem<'_>) -> Result<(), Diagnostic> {
        let name = path.display().to_string();
        let text = text_file::read_whole(path, "the rule file", &|| reading.courtesy.give_way())?;
        let refuse = |problem: String| Diagnostic::error(problem).at(&Origin::whole(name.as_str()));
        let limit = self.terms.limits.bytes;
        if text.len() > limit {
            let finding = refuse(format!("the rule file is larger than {limit} bytes"));
            return Err(finding.hint("split it, or raise `access_rules.max_document_bytes`"));
        }
        if let Some(key) = &self.terms.key {
            let signed = text_file::read(&signature::file_of(path), "the signature", |signature| {
                key.check(&text, signature).map_err(refuse)
            });
            signed.map_err(|problem| problem.hint("sign the file with `minisign -S`, with the key of `public_key`"))?;
        }
        reading.add(&text, &name, rule)?;
        reading.files.push(FileText { path: name, text });
        Ok(())
    }
}

/// What was read so far.
struct Reading<'a> {
    digest: Context,
    silent: Vec<String>,
    courtesy: &'a Courtesy,
    files: Vec<FileText>,
}

impl Reading<'_> {
    fn add(&mut self, text: &str, name: &str, rule: &mut TakeItem<'_>) -> Result<(), Diagnostic> {
        yaml::parse_items(text, name, Dialect::Rules, rule)?;
        let mut digest = Context::new(&SHA256);
        for part in text.as_bytes().chunks(PART) {
            digest.update(part);
            self.courtesy.give_way();
        }
        self.digest.update(digest.finish().as_ref());
        if says_nothing(text) {
            self.silent.push(name.to_owned());
        }
        Ok(())
    }
}

/// Nothing but blanks, comments and `null`.
pub(super) fn says_nothing(text: &str) -> bool {
    text.lines().map(str::trim).all(|line| matches!(line, "" | "---" | "null" | "~") || line.starts_with('#'))
}
