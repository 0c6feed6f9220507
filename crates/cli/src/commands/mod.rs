//! One file per subcommand.

pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod credentials;
pub(crate) mod demo;
mod demo_calls;
pub(crate) mod health;
pub(crate) mod issuer;
pub(crate) mod man;
pub(crate) mod rules;
pub(crate) mod secrets;
pub(crate) mod serve;
pub(crate) mod token;
pub(crate) mod version;
