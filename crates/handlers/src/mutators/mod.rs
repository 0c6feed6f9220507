//! The table of mutators.

pub mod cookie;
pub mod header;
pub mod noop;

use keyward_core::pipeline::MutatorKind;

/// Every mutator.
pub const ALL: &[&dyn MutatorKind] = &[&cookie::Kind, &header::Kind, &noop::Kind];

/// Known to the reference, refused by name until they exist.
pub const PLANNED: &[&str] = &["hydrator", "id_token"];
