//! Plays recorded scenarios against a binary and compares with what the reference did.
//!
//! A scenario file (`conformance/scenarios/AREA/NAME.json`) holds what is configured and asked, and what
//! the reference answered (`recorded`). Two members say what Keyward does otherwise: `differs` lists each
//! intended difference (where, what happens instead, and the row of `conformance/differences.toml` that
//! explains it); `pending` names what the scenario needs that is refused as "not supported yet".

pub mod compare;
mod marks;
pub mod player;
pub mod recorder;
