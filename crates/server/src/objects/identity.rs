//! Requests to services of AWS other than S3, signed as this process.

use bytes::Bytes;
use http::Request;
use object_store::aws::{AmazonS3ConfigKey as Key, AwsAuthorizer, AwsCredentialProvider};

use super::connector::{Connector, Heard};
use super::failure::Failure;
use super::{Variable, aws};
use crate::http_client::{HttpClient, Limits};

/// The identity for services other than S3, with the region that goes with it.
pub(crate) struct Identity {
    credentials: AwsCredentialProvider,
    region: String,
    heard: Heard,
}

impl Identity {
    /// Finds out which way credentials come, and asks for none. `region` and `profile` go before what is found.
    pub(crate) fn find(
        region: Option<&str>,
        profile: Option<&str>,
        variable: Variable<'_>,
        (client, limits): (&HttpClient, Limits),
    ) -> Result<Self, String> {
        let heard = Heard::default();
        let builder = aws::anonymous(variable, Connector::new(client.clone(), limits, heard.clone()));
        let mut builder = aws::identified(builder, profile, variable)?;
        if let Some(region) = region {
            builder = builder.with_region(region);
        }
        let region =
            builder.get_config_value(&Key::Region).ok_or("no region is known: set `region`, or `AWS_REGION`")?;
        // Credentials come with the client of a bucket only. This one is asked for nothing else.
        let store = builder.with_bucket_name("none").build().map_err(|error| error.to_string())?;
        Ok(Self { credentials: store.credentials().clone(), region, heard })
    }

    /// The region that requests are signed for.
    pub(crate) fn region(&self) -> &str {
        &self.region
    }

    /// Signs a request to a service, an absolute URL included, with AWS Signature Version 4. May ask for
    /// credentials first. The error is for the operator.
    pub(crate) async fn sign(&self, service: &str, request: Request<Bytes>) -> Result<Request<Bytes>, String> {
        self.heard.forget();
        let credential = self.credentials.get_credential().await.map_err(|error| {
            let permission = "`sts:AssumeRoleWithWebIdentity` in the trust policy of the role";
            format!("no credentials: {}", Failure::of(&error, &self.heard, permission).cause)
        })?;
        aws::check_credential(&credential.key_id, credential.token.as_deref().unwrap_or_default())?;
        aws::check_endpoint(&request.uri().to_string())?;
        let (head, body) = request.into_parts();
        let mut signed = Request::from_parts(head, body.clone().into());
        let authorizer = AwsAuthorizer::new(&credential, service, &self.region);
        authorizer.try_authorize(&mut signed, None).map_err(|_| "the request cannot be signed")?;
        Ok(signed.map(|_| body))
    }
}
