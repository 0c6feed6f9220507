//! The audit log: one JSON record per request, on one line, written by a thread of its own.

pub mod handle;
pub mod ids;
mod line;
pub mod record;
pub mod sink;
pub mod state;
pub mod writer;
