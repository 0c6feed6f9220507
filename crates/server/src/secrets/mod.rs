//! Where secrets come from: the environment and its directory, and the places that `secrets.sources` names.

pub mod backend;
mod environment;
pub mod files;
pub mod kinds;
mod text;

pub use environment::EnvironmentSecrets;
