//! Decides what Keyward does with a request; performs nothing.
//!
//! The core is pure: no I/O, no clock of its own, no environment, no async runtime. What it needs from
//! the outside arrives as a value (the time, a request) or through a port ([`ports`]).
//!
//! Read [`pipeline::decide`] first; `ARCHITECTURE.md` walks one request through every module.

pub mod caller;
pub mod credential;
pub mod diagnostic;
pub mod document;
pub mod gate;
pub mod go_integer;
pub mod go_json;
pub mod hosts;
pub mod jwt;
pub mod members;
pub mod network;
pub mod pipeline;
pub mod ports;
pub mod redirect_target;
pub mod rule;
pub mod secret;
pub mod session;
pub mod side_url;
pub mod strict_json;
pub mod template;
