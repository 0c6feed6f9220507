//! Where secrets come from: the environment and its directory, and the places that `secrets.sources` names.

pub mod aws;
pub mod backend;
mod environment;
mod field;
pub mod files;
pub mod kinds;
mod text;
pub mod vault;

pub use environment::EnvironmentSecrets;
