//! Connections to upstreams: names to addresses, TLS, the per-core pool, and sending.

pub mod addresses;
pub mod answer;
pub mod connect;
pub mod error;
pub mod exchange;
pub mod forward;
mod framing;
pub mod http1;
pub mod outbound;
pub mod pool;
mod request_form;
pub mod resolve;
pub mod tls;

pub use request_form::http1_head;
