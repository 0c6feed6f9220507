//! `aws_secrets_manager` of the configuration.

use std::sync::Arc;

use keyward_core::diagnostic::Diagnostic;

use super::{Options, SecretsManager};
use crate::objects::aws::check_endpoint;
use crate::objects::endpoint_url;
use crate::secrets::kinds::{Place, REQUEST, Written, variable};

/// The key.
pub(in crate::secrets) const KEY: &str = "aws_secrets_manager";
/// The longest identifier and the longest label of a version that AWS takes.
const LONGEST_ID: usize = 2048;
const LONGEST_VERSION: usize = 256;

/// `aws_secrets_manager: {…}`
pub(in crate::secrets) fn open(written: &Written<'_>) -> Result<Place, Diagnostic> {
    let file = written.file.aws_secrets_manager.clone().unwrap_or_default();
    let region = written.given(KEY, "region", file.region)?;
    let is_region = |region: &String| region.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if region.as_ref().is_some_and(|region| !is_region(region)) {
        return Err(written.refuse(KEY, "region", "it is no region of AWS").hint("write one such as `eu-central-1`"));
    }
    let endpoint = written.given(KEY, "endpoint", file.endpoint)?.map(|endpoint| endpoint_url(&endpoint, false));
    if let Some(endpoint) = &endpoint {
        let problem = match check_endpoint(endpoint) {
            Ok(()) if endpoint.contains(['@', '?', '#']) => {
                Some("it must not hold credentials, a query or a fragment".to_owned())
            }
            checked => checked.err(),
        };
        if let Some(problem) = problem {
            return Err(written.refuse(KEY, "endpoint", &problem));
        }
    }
    for secret in written.secrets {
        let refuse = |problem: String| Err(Diagnostic::error(problem).at(&secret.origin));
        let id = &secret.wanted.id;
        if id.len() > LONGEST_ID {
            return refuse(format!("`id` is longer than the {LONGEST_ID} characters that AWS takes"));
        }
        if secret.wanted.version.as_ref().is_some_and(|version| version.len() > LONGEST_VERSION) {
            return refuse(format!("`version` is longer than the {LONGEST_VERSION} characters that AWS takes"));
        }
        let of_arn = id.strip_prefix("arn:").and_then(|rest| rest.split(':').nth(2));
        if let (Some(of_arn), Some(region)) = (of_arn, &region)
            && of_arn != region
        {
            return refuse(format!(
                "the secret is in `{of_arn}`, and `region` is `{region}`: write another source for it"
            ));
        }
    }
    let profile = written.given(KEY, "profile", file.profile)?;
    let place = endpoint.as_ref().or(region.as_ref()).map_or("AWS", String::as_str);
    let name = profile.as_ref().map_or_else(|| place.to_owned(), |profile| format!("{place} as {profile}"));
    let backend = SecretsManager::new(Options { region, profile, endpoint }, variable, REQUEST);
    Ok(Place::Asked { backend: Arc::new(backend), name })
}
