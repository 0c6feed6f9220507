//! One attempt at everything that a source holds.

use std::time::Duration;

use super::backend::{Failure, Wanted};
use super::held::Outcome;
use super::kinds::Place;
use crate::config::settings::secrets::SourceSettings;
use crate::http_client::HttpClient;

/// It takes no longer, whatever the place does.
const MOST: Duration = Duration::from_secs(30);

/// Reads files, or asks a place for what is wanted of it.
pub(super) async fn attempt(settings: &SourceSettings, client: &HttpClient) -> Outcome {
    let backend = match &settings.place {
        Place::Files(files) => return files.read(),
        Place::Asked { backend, .. } => backend,
    };
    let wanted: Vec<Wanted> = settings.secrets.iter().map(|secret| secret.wanted.clone()).collect();
    let names = settings.secrets.iter().map(|secret| secret.name.clone());
    let fetched = tokio::time::timeout(MOST, backend.fetch(client, &wanted)).await;
    let mut fetched = fetched.map_err(|_| Failure::new(format!("no complete answer within {MOST:?}")))?.into_iter();
    Ok(names.map(|name| (name, fetched.next().unwrap_or_else(|| Err(Failure::new("no answer"))))).collect())
}
