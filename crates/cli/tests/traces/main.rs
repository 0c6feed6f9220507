//! Traces of the real binary: what is exported, to whom, and what that costs requests.

#![allow(clippy::unwrap_used)]

mod context;
mod exporting;
mod settings;
mod spans;
mod stage;
