//! Where secrets come from: the environment and its directory, and the places that `secrets.sources` names.

mod attempt;
pub mod aws;
pub mod backend;
pub mod check;
mod environment;
mod field;
pub mod files;
pub mod held;
pub mod kinds;
mod mounted;
pub mod offline;
pub mod refresh;
pub mod store;
mod text;
pub mod vault;
pub mod view;

pub use environment::EnvironmentSecrets;
