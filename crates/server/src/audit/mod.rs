//! The audit log: one JSON record per request, on one line, written by a thread of its own.

mod collector;
mod connection;
mod file;
mod framing;
pub mod handle;
pub mod ids;
mod line;
pub mod record;
mod rotated_name;
mod rotation;
pub mod sink;
pub mod state;
pub mod writer;
