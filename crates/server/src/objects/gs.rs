//! `gs://bucket/key`: Google Cloud Storage, with application default credentials: a file, or the machine's identity.

use std::sync::Arc;

use object_store::ObjectStore;
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey as Key};

use super::connector::Connector;
use super::{Place, Variable, endpoint_url, no_retries};

pub(super) const OPTIONS: &[&str] = &["endpoint", "anonymous"];

pub(super) fn permission(place: &Place) -> String {
    format!("`storage.objects.get` on `{}/{}`", place.bucket, place.key)
}

pub(super) fn build(
    place: &Place,
    variable: Variable<'_>,
    connector: Connector,
) -> Result<Arc<dyn ObjectStore>, String> {
    let mut builder = GoogleCloudStorageBuilder::new()
        .with_bucket_name(&place.bucket)
        .with_retry(no_retries())
        .with_http_connector(connector);
    if let Some(path) = variable("GOOGLE_APPLICATION_CREDENTIALS") {
        builder = builder.with_application_credentials(path);
    }
    if let Some(endpoint) = place.option("endpoint") {
        builder = builder.with_config(Key::BaseUrl, endpoint_url(endpoint, false));
    }
    // Google's own libraries take an emulator for somebody who asks for no credentials.
    if let Some(emulator) = variable("STORAGE_EMULATOR_HOST") {
        let url = endpoint_url(&emulator, true);
        builder = builder.with_config(Key::BaseUrl, url).with_skip_signature(true);
    }
    if place.is_set(&["anonymous"]) {
        builder = builder.with_skip_signature(true);
    }
    let store = builder.build().map_err(|error| error.to_string())?;
    Ok(Arc::new(store))
}
