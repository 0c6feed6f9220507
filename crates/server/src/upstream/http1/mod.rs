//! HTTP/1.1 to upstreams: one exchange at a time over one connection, driven by whoever waits for it.
//!
//! There is no task and no channel between a request and its connection, so that a request costs no more than its bytes.
//! What is read is read strictly (RFC 9112): what two readers could take for two different things is an error, and
//! nothing that follows an answer is ever taken for the next one.

mod awaiting;
mod beside;
mod body;
pub mod connection;
mod decoder;
mod head;
mod sending;

pub use awaiting::{Awaiting, Failure, Unsent, Written};
pub use body::AnswerBody;
pub use head::{Head, Malformed};
pub(super) use sending::put_head;

#[cfg(test)]
mod tests;
