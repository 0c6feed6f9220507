//! The result of asking a handler: there already, or after waiting.

use crate::ports::LocalFuture;

/// A handler that only reads headers answers `Ready` and needs no boxed future.
pub enum Step<'a, T> {
    /// The answer.
    Ready(T),
    /// The answer will come.
    Pending(LocalFuture<'a, T>),
}

impl<T> Step<'_, T> {
    /// The answer, waiting for it if need be.
    pub async fn finish(self) -> T {
        match self {
            Step::Ready(answer) => answer,
            Step::Pending(future) => future.await,
        }
    }
}
