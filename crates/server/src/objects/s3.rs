//! `s3://bucket/key`: Amazon S3 and what speaks like it.

use std::sync::Arc;

use object_store::ObjectStore;

use super::connector::Connector;
use super::{Place, Variable, aws, endpoint_url};

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

pub(super) fn permission(place: &Place) -> String {
    format!("`s3:GetObject` on `arn:aws:s3:::{}/{}`", place.bucket, place.key)
}

pub(super) fn build(
    place: &Place,
    variable: Variable<'_>,
    connector: Connector,
) -> Result<Arc<dyn ObjectStore>, String> {
    let builder = aws::anonymous(variable, connector).with_bucket_name(&place.bucket);
    let mut builder = match place.is_set(&["anonymous"]) {
        true => builder.with_skip_signature(true),
        false => aws::identified(builder, place.option("profile"), variable)?,
    };
    if let Some(region) = place.option("region") {
        builder = builder.with_region(region);
    }
    let written = place.option("endpoint").map(str::to_owned);
    let endpoint = written.or_else(|| variable("AWS_ENDPOINT_URL_S3")).or_else(|| variable("AWS_ENDPOINT_URL"));
    if let Some(endpoint) = &endpoint {
        let url = endpoint_url(endpoint, place.is_set(&["disableSSL", "disable_https"]));
        aws::check_endpoint(&url)?;
        builder = builder.with_endpoint(url);
    }
    // A bucket with dots is no name that a certificate of the provider covers.
    let is_in_path =
        endpoint.is_some() || place.bucket.contains('.') || place.is_set(&["s3ForcePathStyle", "use_path_style"]);
    builder = builder.with_virtual_hosted_style_request(!is_in_path);
    let store = builder.build().map_err(|error| error.to_string())?;
    Ok(Arc::new(store))
}
