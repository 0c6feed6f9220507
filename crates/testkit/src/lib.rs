//! Test servers, key material and the player of recorded scenarios. Never part of the product.

#![allow(clippy::unwrap_used, clippy::expect_used)]

pub mod conformance;
pub mod ports;
pub mod wire;
