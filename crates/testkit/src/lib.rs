//! Test servers, key material and the player of recorded scenarios. Never part of the product.

#![allow(clippy::unwrap_used, clippy::expect_used)]

pub mod canaries;
pub mod clouds;
pub mod collector;
pub mod conformance;
pub mod disk;
pub mod dns;
pub mod documents;
pub mod haproxy;
pub mod hostile;
pub mod http2_frames;
pub mod http2_upstream;
pub mod load;
pub mod moto;
pub mod pki;
pub mod ports;
pub mod process;
mod same_flaw;
pub mod scripted;
pub mod signals;
pub mod slow;
pub mod soak;
pub mod tls_client;
pub mod tokens;
pub mod vault;
pub mod wire;
