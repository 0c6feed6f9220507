//! The table of mutators.

pub mod cookie;
pub mod header;
pub mod hydrator;
pub mod id_token;
pub mod noop;

use keyward_core::pipeline::MutatorKind;

/// Every mutator.
pub const ALL: &[&dyn MutatorKind] = &[&cookie::Kind, &header::Kind, &hydrator::Kind, &id_token::Kind, &noop::Kind];
