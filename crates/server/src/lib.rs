//! Does the I/O that the core does not: configuration and rule documents, listeners, forwarding, key
//! sets, the audit log, metrics, the API port and the token issuer.
//!
//! [`app`] wires the parts and is the only module that knows them all.

pub mod api;
pub mod app;
pub mod audit;
mod backoff;
pub mod check;
pub mod config;
pub mod cors;
pub mod courtesy;
pub mod descriptors;
pub mod echo;
pub mod explain;
mod file_identity;
mod file_url;
mod http2;
pub mod http_client;
pub mod http_server;
pub mod issuer;
mod jitter;
pub mod keys;
mod local_executor;
pub mod memory;
pub mod metrics;
pub mod objects;
pub mod outside;
pub mod proxy;
pub mod redaction;
pub mod reload;
pub mod repository;
mod retry_after;
pub mod schema;
pub mod secrets;
pub mod serving;
pub mod side_client;
pub mod snapshot;
pub mod sources;
pub mod telemetry;
pub mod traces;
pub mod upstream;
