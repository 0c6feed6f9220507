//! The table of authenticators.

pub mod anonymous;
pub mod bearer_token;
pub mod cookie_session;
pub mod jwt;
pub mod noop;
pub mod oauth2_client_credentials;
pub mod oauth2_introspection;
pub mod unauthorized;

use keyward_core::pipeline::AuthenticatorKind;

/// Every authenticator.
pub const ALL: &[&dyn AuthenticatorKind] = &[
    &anonymous::Kind,
    &bearer_token::Kind,
    &cookie_session::Kind,
    &jwt::Kind,
    &noop::Kind,
    &oauth2_client_credentials::Kind,
    &oauth2_introspection::Kind,
    &unauthorized::Kind,
];
