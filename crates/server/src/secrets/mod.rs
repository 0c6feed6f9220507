//! Where secrets come from: the environment and its directory, and the places that `secrets.sources` names.

pub mod backend;
mod environment;
mod mounted;

pub use environment::EnvironmentSecrets;
