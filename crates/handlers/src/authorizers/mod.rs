//! The table of authorizers.

pub mod allow;
pub mod deny;
pub mod keto_engine_acp_ory;
pub mod remote;
pub mod remote_json;

use keyward_core::pipeline::AuthorizerKind;

/// Every authorizer.
pub const ALL: &[&dyn AuthorizerKind] =
    &[&allow::Kind, &deny::Kind, &keto_engine_acp_ory::Kind, &remote::Kind, &remote_json::Kind];
