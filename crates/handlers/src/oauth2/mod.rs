//! What the two OAuth 2.0 authenticators share: token endpoints, introspection answers, and what is
//! remembered of both.

pub(crate) mod basic;
pub(crate) mod demands;
pub(crate) mod introspected;
pub(crate) mod pre_authorization;
pub(crate) mod service;
pub(crate) mod token_endpoint;

#[cfg(test)]
mod tests;
