//! No secret gets out of the real binary: not by what it tells, not by what it answers, and not out of its memory.

#![allow(clippy::unwrap_used)]

mod callers;
mod commands;
mod debug;
mod memory;
mod server;
mod services;
mod stage;
mod stores;
mod told;
