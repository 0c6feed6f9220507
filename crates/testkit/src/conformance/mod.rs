//! Plays recorded scenarios against a binary and compares with what the reference did.
//!
//! A scenario file (`conformance/scenarios/AREA/NAME.json`) holds what is configured and asked, what the
//! reference answered (`recorded`), and under `differs` each intended difference: where, what Keyward
//! does instead, and the row of `conformance/differences.toml` that explains it.

pub mod compare;
pub mod player;
pub mod recorder;
