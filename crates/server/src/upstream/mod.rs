//! Connections to upstreams: names to addresses, TLS, the per-core pool, and sending.

pub mod connect;
pub mod error;
pub mod forward;
mod framing;
pub mod outbound;
pub mod pool;
pub mod resolve;
pub mod tls;
