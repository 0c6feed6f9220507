//! Configuration: files and environment in, checked settings out. The only place that knows file
//! formats and the environment.

pub mod environment;
pub mod file;
pub(crate) mod idle;
pub mod load;
pub mod notes;
mod numbers;
pub mod report;
mod scalars;
pub mod settings;
pub mod shape;
pub mod text_file;
pub mod toml;
pub mod yaml;
