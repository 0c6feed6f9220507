//! Plays recorded scenarios against a binary and compares with what the reference did.
//!
//! A scenario file (`conformance/scenarios/AREA/NAME.json`) holds what is configured and asked, and what
//! the reference answered (`recorded`). `differs` says what Keyward does otherwise: where, what happens instead,
//! and the row of `conformance/differences.toml` that explains it.

pub mod compare;
mod marks;
pub mod player;
pub mod recorder;
