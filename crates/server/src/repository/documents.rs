//! The last good document of every remote repository.

use std::collections::HashMap;
use std::sync::Arc;

use keyward_core::diagnostic::{Diagnostic, Origin};
use tokio::task::JoinSet;

use super::RepositoryUrl;
use super::remote::{Document, Fetch, fetch_patiently};
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

    /// The same with one document replaced.
    pub fn with(&self, url: &str, document: Document) -> Self {
        let mut others = self.clone();
        others.known.insert(url.to_owned(), Arc::new(document));
        others
    }

    /// Fetches every document, patiently. One that cannot be had is an error.
    pub async fn fetch_all(repositories: &[RepositoryUrl], client: &HttpClient) -> Result<Self, Diagnostic> {
        let mut attempts = JoinSet::new();
        let client = Arc::new(client.clone());
        for repository in repositories {
            if let Some(remote) = repository.remote() {
                let (url, remote, client) = (repository.text().to_owned(), remote.clone(), client.clone());
                attempts.spawn_local(async move { (url, fetch_patiently(&*remote, &client).await) });
            }
        }
        let mut documents = Self::default();
        while let Some(attempt) = attempts.join_next().await {
            match attempt {
                Ok((url, Ok(document))) => documents = documents.with(&url, document),
                Ok((url, Err(error))) => return Err(unreachable(&url, &error.cause)),
                Err(error) => return Err(Diagnostic::error(format!("rules could not be fetched: {error}"))),
            }
        }
        Ok(documents)
    }

    /// Those of other settings: what is known stays, what is new is asked for once, what is not named goes.
    pub async fn renewed(&self, repositories: &[RepositoryUrl], client: &HttpClient) -> Result<Self, Diagnostic> {
        let mut documents = Self::default();
        for repository in repositories {
            let Some(remote) = repository.remote() else { continue };
            let url = repository.text();
            match self.known.get(url) {
                Some(known) => {
                    documents.known.insert(url.to_owned(), known.clone());
                }
                None => match remote.fetch(client, None).await {
                    Ok(Fetch::Document(document)) => documents = documents.with(url, document),
                    Ok(Fetch::Unchanged) => return Err(unreachable(url, "no document was sent")),
                    Err(error) => return Err(unreachable(url, &error.cause)),
                },
            }
        }
        Ok(documents)
    }
}

fn unreachable(url: &str, cause: &str) -> Diagnostic {
    Diagnostic::error(format!("the rules cannot be fetched: {cause}"))
        .at(&Origin::whole(keyward_core::secret::shown_url(url)))
        .hint("check the URL, and that this machine reaches it; `curl` shows what is answered")
}
