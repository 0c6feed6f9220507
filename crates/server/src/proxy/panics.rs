//! A panic in one request answers 500; the process and every other request live.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::Poll;

/// What a function returns; `None` when it panics, and then nothing it had in hand is used again.
pub fn caught<T>(function: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(function)).ok()
}

/// Runs a future to its end; `None` when it panics. Boxed, so that whoever holds the result moves a
/// pointer and not the whole state of an exchange.
pub fn survived<F: Future + ?Sized>(mut future: Pin<Box<F>>) -> impl Future<Output = Option<F::Output>> + Unpin {
    // After a panic the future is dropped and never polled again, so no broken state is seen.
    poll_fn(move |cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(poll) => poll.map(Some),
        Err(_) => Poll::Ready(None),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_ends_its_future_and_nothing_else() {
        assert_eq!(survived(Box::pin(async { 1 })).await, Some(1));
        let panicking = async {
            tokio::task::yield_now().await;
            panic!("in a test");
        };
        assert_eq!(
            survived(Box::pin(async {
                let () = panicking.await;
            }))
            .await,
            None
        );
        assert_eq!(survived(Box::pin(async { 2 })).await, Some(2));
        let panicking = || -> u8 { panic!("in a test") };
        assert_eq!((caught(panicking), caught(|| 3)), (None, Some(3)));
    }
}
