//! Who this process is at AWS. Credentials are found in the order of AWS's own tools: environment, web identity
//! (IRSA), shared files, container (ECS, EKS Pod Identity), instance.

use http::HeaderValue;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey as Key};
use url::Url;

use super::connector::Connector;
use super::profile::Profile;
use super::{Variable, no_retries};

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

/// A client to be, that knows its region and no credentials.
pub(super) fn anonymous(variable: Variable<'_>, connector: Connector) -> AmazonS3Builder {
    let builder = AmazonS3Builder::new().with_retry(no_retries()).with_http_connector(connector);
    with_variables(builder, VARIABLES, variable)
}

/// Gives it the credentials of a profile, or those that are found.
pub(super) fn identified(
    builder: AmazonS3Builder,
    profile: Option<&str>,
    variable: Variable<'_>,
) -> Result<AmazonS3Builder, String> {
    let builder = with_identity(builder, profile, variable)?;
    let [key_id, token] = [Key::AccessKeyId, Key::Token].map(|key| builder.get_config_value(&key).unwrap_or_default());
    check_credential(&key_id, &token)?;
    Ok(builder)
}

fn with_identity(
    builder: AmazonS3Builder,
    profile: Option<&str>,
    variable: Variable<'_>,
) -> Result<AmazonS3Builder, String> {
    let asked_for = profile.map(str::to_owned);
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

/// Whoever signs takes for granted that an access key and a session token are header values.
pub(super) fn check_credential(key_id: &str, token: &str) -> Result<(), String> {
    match [key_id, token].iter().all(|text| HeaderValue::from_str(text).is_ok()) {
        true => Ok(()),
        false => Err("the access key or the session token holds a line break, or another control character".to_owned()),
    }
}

/// Whoever signs takes for granted that the endpoint is a URL, as browsers read them.
pub(crate) fn check_endpoint(url: &str) -> Result<(), String> {
    match Url::parse(url) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(()),
        _ => Err("the endpoint is no `http` or `https` URL".to_owned()),
    }
}
