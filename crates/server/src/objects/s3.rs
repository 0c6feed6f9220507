//! `s3://bucket/key`: Amazon S3 and what speaks like it. Credentials are found in the order of AWS's own tools:
//! environment, web identity (IRSA), shared files, container (ECS, EKS Pod Identity), instance.

use std::sync::Arc;

use object_store::ObjectStore;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey as Key};

use super::connector::Connector;
use super::profile::Profile;
use super::{Place, Variable, endpoint_url, no_retries};

pub(super) const OPTIONS: &[&str] = &[
    "region",
    "endpoint",
    "profile",
    "disableSSL",
    "disable_https",
    "s3ForcePathStyle",
    "use_path_style",
    "anonymous",
    "awssdk",
];

/// Variables that are taken as they are. The later of two names for the same thing wins.
const VARIABLES: &[(&str, Key)] = &[
    ("AWS_DEFAULT_REGION", Key::Region),
    ("AWS_REGION", Key::Region),
    ("AWS_ENDPOINT_URL_STS", Key::StsEndpoint),
    ("AWS_ROLE_SESSION_NAME", Key::RoleSessionName),
    ("AWS_EC2_METADATA_SERVICE_ENDPOINT", Key::MetadataEndpoint),
];

const STATIC: &[(&str, Key)] = &[
    ("AWS_ACCESS_KEY_ID", Key::AccessKeyId),
    ("AWS_SECRET_ACCESS_KEY", Key::SecretAccessKey),
    ("AWS_SESSION_TOKEN", Key::Token),
];

const WEB_IDENTITY: &[(&str, Key)] =
    &[("AWS_WEB_IDENTITY_TOKEN_FILE", Key::WebIdentityTokenFile), ("AWS_ROLE_ARN", Key::RoleArn)];

const CONTAINER: &[(&str, Key)] = &[
    ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", Key::ContainerCredentialsRelativeUri),
    ("AWS_CONTAINER_CREDENTIALS_FULL_URI", Key::ContainerCredentialsFullUri),
    ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", Key::ContainerAuthorizationTokenFile),
];

pub(super) fn permission(place: &Place) -> String {
    format!("`s3:GetObject` on `arn:aws:s3:::{}/{}`", place.bucket, place.key)
}

pub(super) fn build(
    place: &Place,
    variable: Variable<'_>,
    connector: Connector,
) -> Result<Arc<dyn ObjectStore>, String> {
    let mut builder =
        AmazonS3Builder::new().with_bucket_name(&place.bucket).with_retry(no_retries()).with_http_connector(connector);
    builder = with_variables(builder, VARIABLES, variable);
    builder = with_credentials(builder, place, variable)?;
    if let Some(region) = place.option("region") {
        builder = builder.with_region(region);
    }
    let written = place.option("endpoint").map(str::to_owned);
    let endpoint = written.or_else(|| variable("AWS_ENDPOINT_URL_S3")).or_else(|| variable("AWS_ENDPOINT_URL"));
    if let Some(endpoint) = &endpoint {
        builder = builder.with_endpoint(endpoint_url(endpoint, place.is_set(&["disableSSL", "disable_https"])));
    }
    // A bucket with dots is no name that a certificate of the provider covers.
    let is_in_path =
        endpoint.is_some() || place.bucket.contains('.') || place.is_set(&["s3ForcePathStyle", "use_path_style"]);
    builder = builder.with_virtual_hosted_style_request(!is_in_path);
    let store = builder.build().map_err(|error| error.to_string())?;
    Ok(Arc::new(store))
}

fn with_credentials(
    builder: AmazonS3Builder,
    place: &Place,
    variable: Variable<'_>,
) -> Result<AmazonS3Builder, String> {
    if place.is_set(&["anonymous"]) {
        return Ok(builder.with_skip_signature(true));
    }
    let asked_for = place.option("profile").map(str::to_owned);
    if asked_for.is_none() {
        for (found, way) in [("AWS_ACCESS_KEY_ID", STATIC), ("AWS_WEB_IDENTITY_TOKEN_FILE", WEB_IDENTITY)] {
            if variable(found).is_some() {
                return Ok(with_variables(builder, way, variable));
            }
        }
    }
    let asked_for = asked_for.or_else(|| variable("AWS_PROFILE"));
    if let Some(profile) = Profile::find(asked_for.as_deref(), variable)? {
        return Ok(profile.apply(builder));
    }
    Ok(with_variables(builder, CONTAINER, variable))
}

fn with_variables(builder: AmazonS3Builder, names: &[(&str, Key)], variable: Variable<'_>) -> AmazonS3Builder {
    names.iter().fold(builder, |builder, (name, key)| match variable(name) {
        Some(value) => builder.with_config(*key, value),
        None => builder,
    })
}
