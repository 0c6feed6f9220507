//! What the rules make of a request, offline: the gate, the rules and the decision of the server itself, with
//! stand-ins for everything outside. `rules explain` shows it, `rules test` compares it.

pub mod keys;
pub mod nearest;
pub mod request;
pub mod side;
pub mod table;
pub mod verdict;
mod world;

pub use world::World;
