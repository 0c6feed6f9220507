//! `azblob://container/key`: Azure Blob Storage, with a key, a shared access signature, or an identity.

use std::sync::Arc;

use object_store::ObjectStore;
use object_store::azure::{AzureConfigKey as Key, MicrosoftAzureBuilder};

use super::connector::Connector;
use super::{Place, Variable, no_retries};

pub(super) const OPTIONS: &[&str] = &[];

/// How Azure's SDKs call what identifies a workload.
const VARIABLES: &[(&str, Key)] = &[
    ("AZURE_STORAGE_KEY", Key::AccessKey),
    ("AZURE_STORAGE_SAS_TOKEN", Key::SasKey),
    ("AZURE_TENANT_ID", Key::AuthorityId),
    ("AZURE_CLIENT_ID", Key::ClientId),
    ("AZURE_CLIENT_SECRET", Key::ClientSecret),
    ("AZURE_FEDERATED_TOKEN_FILE", Key::FederatedTokenFile),
    ("AZURE_AUTHORITY_HOST", Key::AuthorityHost),
    ("IDENTITY_ENDPOINT", Key::MsiEndpoint),
];

pub(super) fn permission(place: &Place) -> String {
    format!("the role `Storage Blob Data Reader` on the container `{}`", place.bucket)
}

pub(super) fn build(
    place: &Place,
    variable: Variable<'_>,
    connector: Connector,
) -> Result<Arc<dyn ObjectStore>, String> {
    let account = variable("AZURE_STORAGE_ACCOUNT").ok_or("`AZURE_STORAGE_ACCOUNT` is not set")?;
    let mut builder = MicrosoftAzureBuilder::new()
        .with_account(&account)
        .with_container_name(&place.bucket)
        .with_retry(no_retries())
        .with_http_connector(connector);
    if let Some(domain) = variable("AZURE_STORAGE_DOMAIN") {
        // A domain may say how it is reached, as emulators do.
        let url = match domain.split_once("://") {
            Some((scheme, authority)) => format!("{scheme}://{authority}/{account}"),
            None => format!("https://{account}.{domain}"),
        };
        builder = builder.with_endpoint(url);
    }
    for (name, key) in VARIABLES {
        if let Some(value) = variable(name) {
            builder = builder.with_config(*key, value);
        }
    }
    let store = builder.build().map_err(|error| error.to_string())?;
    Ok(Arc::new(store))
}
