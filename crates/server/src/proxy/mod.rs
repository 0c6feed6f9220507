//! The data plane: one runtime, one listening socket and one pool per core.

mod answers;
mod aside;
pub mod body;
pub mod completion;
pub mod connection;
mod denied;
mod drain;
mod echoes;
pub mod head_scan;
pub mod held_body;
mod http1;
mod in_force;
pub(crate) mod late_head;
pub mod listener;
pub mod opening;
pub mod overload;
pub mod pace;
pub mod panics;
mod refusals;
pub mod scanned_io;
pub mod service;
pub mod shedding;
pub mod stall;
pub mod tls;
mod turned_away;
pub mod upgrade;
pub mod workers;
