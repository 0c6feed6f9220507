//! The table of authenticators.

pub mod anonymous;
pub mod jwt;
pub mod noop;
pub mod unauthorized;

use keyward_core::pipeline::AuthenticatorKind;

/// Every authenticator.
pub const ALL: &[&dyn AuthenticatorKind] = &[&anonymous::Kind, &jwt::Kind, &noop::Kind, &unauthorized::Kind];

/// Known to the reference, refused by name until they exist.
pub const PLANNED: &[&str] = &["bearer_token", "cookie_session", "oauth2_client_credentials", "oauth2_introspection"];
