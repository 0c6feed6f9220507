//! The last good document of every repository.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use keyward_core::diagnostic::{Diagnostic, Origin};

use super::Repository;
use super::remote::Document;

/// Those of remote repositories by URL, and what files said. Cheap to copy.
#[derive(Clone, Default)]
pub struct Documents {
    known: HashMap<String, Arc<Document>>,
    /// Why there is none, by URL.
    absent: HashMap<String, Absence>,
    files: Option<Arc<FileTexts>>,
    offline: bool,
}

/// Why the document of a remote repository cannot be had.
#[derive(Clone)]
pub struct Absence {
    /// For the operator.
    pub problem: Diagnostic,
    /// How long the server asks to be left alone.
    pub wait: Option<Duration>,
}

/// What the files of each repository said when they were read, by URL, in their order.
pub type FileTexts = HashMap<String, Vec<FileText>>;

/// What a file said. Not printable: rules can hold credentials that were written out.
#[derive(Clone)]
pub struct FileText {
    /// Its path.
    pub path: String,
    /// All of it.
    pub text: Box<str>,
}

impl Documents {
    /// None, and none is missed: for commands that reach nothing.
    pub fn offline() -> Self {
        Self { offline: true, ..Self::default() }
    }

    /// Whether documents are left out knowingly.
    pub fn are_offline(&self) -> bool {
        self.offline
    }

    /// The document of a remote repository.
    pub fn get(&self, url: &str) -> Option<&Arc<Document>> {
        self.known.get(url)
    }

    /// What files said when they were last put in force; without it they are to be read.
    pub fn files(&self) -> Option<&Arc<FileTexts>> {
        self.files.as_ref()
    }

    /// The same with what files say.
    pub fn with_files(self, files: Arc<FileTexts>) -> Self {
        Self { files: Some(files), ..self }
    }

    /// Those of remote repositories, by URL.
    pub fn all(&self) -> impl Iterator<Item = (&str, &Arc<Document>)> {
        self.known.iter().map(|(url, document)| (url.as_str(), document))
    }

    /// The same with one document replaced.
    pub fn with(&self, url: &str, document: Arc<Document>) -> Self {
        let mut others = self.clone();
        others.absent.remove(url);
        others.known.insert(url.to_owned(), document);
        others
    }

    /// The same without one document, which cannot be had.
    pub(super) fn without(&self, url: &str, absence: Absence) -> Self {
        let mut others = self.clone();
        others.known.remove(url);
        others.absent.insert(url.to_owned(), absence);
        others
    }

    /// Why there is no document of a remote repository.
    pub(super) fn absent(&self, url: &str) -> Option<&Absence> {
        self.absent.get(url)
    }
}

/// Why the rules of a repository cannot be had.
pub(super) fn unreachable(repository: &Repository, cause: &str) -> Diagnostic {
    Diagnostic::error(format!("the rules cannot be fetched: {cause}"))
        .at(&Origin::whole(repository.name()))
        .hint("check the URL, and that this machine reaches it; `curl` shows what is answered")
}
