//! The token issuer: signs short-lived tokens for callers, and publishes the keys to check them with.

pub mod clients;
pub mod key_file;
pub mod keys;
pub mod live;
pub mod routes;
pub mod settings;
pub mod token;
