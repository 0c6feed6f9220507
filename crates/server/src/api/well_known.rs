//! `/.well-known/jwks.json`: the public halves of every key that is signed with (serving spec 7.7).

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};

use crate::http_server;
use crate::snapshot::Snapshot;

/// The union over all sources, each key once. A source that cannot be had is left out.
pub(super) async fn key_set(snapshot: &Snapshot) -> Response<Full<Bytes>> {
    let mut keys: Vec<Value> = Vec::new();
    for source in &snapshot.signing {
        if source.current().is_none() {
            source.refresh().await;
        }
        let Some(set) = source.current() else { continue };
        for key in set.published() {
            if !keys.contains(key) {
                keys.push(key.clone());
            }
        }
    }
    http_server::json(StatusCode::OK, &json!({ "keys": keys }))
}
