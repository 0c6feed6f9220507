//! Access rules: as written, as compiled, and how one is found for a request.

pub mod pattern;
