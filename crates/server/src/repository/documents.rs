//! The last good document of every remote repository.

use std::collections::HashMap;
use std::sync::Arc;

use keyward_core::diagnostic::{Diagnostic, Origin};

use super::Repository;
use super::remote::{Document, Fetch};
use crate::http_client::HttpClient;

/// Documents by URL. Cheap to copy.
#[derive(Clone, Debug, Default)]
pub struct Documents {
    known: HashMap<String, Arc<Document>>,
    offline: bool,
}

impl Documents {
    /// None, and none is missed: for commands that reach nothing.
    pub fn offline() -> Self {
        Self { known: HashMap::new(), offline: true }
    }

    /// Whether documents are left out knowingly.
    pub fn are_offline(&self) -> bool {
        self.offline
    }

    /// The document of a repository.
    pub fn get(&self, url: &str) -> Option<&Arc<Document>> {
        self.known.get(url)
    }

    /// All of them, by URL.
    pub fn all(&self) -> impl Iterator<Item = (&str, &Arc<Document>)> {
        self.known.iter().map(|(url, document)| (url.as_str(), document))
    }

    /// The same with one document replaced.
    pub fn with(&self, url: &str, document: Document) -> Self {
        let mut others = self.clone();
        others.known.insert(url.to_owned(), Arc::new(document));
        others
    }

    /// Those of other settings: what is known stays, if it is signed as they say; what is new is asked for once, what is
    /// not named goes.
    pub async fn renewed(&self, repositories: &[Repository], client: &HttpClient) -> Result<Self, Diagnostic> {
        let mut documents = Self::default();
        for repository in repositories {
            let Some(source) = repository.remote() else { continue };
            let url = repository.text();
            match self.known.get(url).filter(|known| source.accepts(known).is_ok()) {
                Some(known) => {
                    documents.known.insert(url.to_owned(), known.clone());
                }
                None => match source.fetch(client, None).await {
                    Ok(Fetch::Document(document)) => documents = documents.with(url, document),
                    Ok(Fetch::Unchanged) => return Err(unreachable(repository, "no document was sent")),
                    Err(error) => return Err(unreachable(repository, &error.cause)),
                },
            }
        }
        Ok(documents)
    }
}

/// Why the rules of a repository cannot be had.
pub(super) fn unreachable(repository: &Repository, cause: &str) -> Diagnostic {
    Diagnostic::error(format!("the rules cannot be fetched: {cause}"))
        .at(&Origin::whole(repository.name()))
        .hint("check the URL, and that this machine reaches it; `curl` shows what is answered")
}
