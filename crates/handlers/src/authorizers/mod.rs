//! The table of authorizers.

pub mod allow;
pub mod deny;

use keyward_core::pipeline::AuthorizerKind;

/// Every authorizer.
pub const ALL: &[&dyn AuthorizerKind] = &[&allow::Kind, &deny::Kind];

/// Known to the reference, refused by name until they exist.
pub const PLANNED: &[&str] = &["keto_engine_acp_ory", "remote", "remote_json"];
