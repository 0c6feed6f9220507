//! A panic in one request answers 500; the process and every other request live.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::Poll;

/// Runs a future to its end; `None` when it panics. Boxed, so that whoever holds the result moves a
/// pointer and not the whole state of an exchange.
pub fn caught<F: Future + ?Sized>(mut future: Pin<Box<F>>) -> impl Future<Output = Option<F::Output>> + Unpin {
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
        assert_eq!(caught(Box::pin(async { 1 })).await, Some(1));
        let panicking = async {
            tokio::task::yield_now().await;
            panic!("in a test");
        };
        assert_eq!(
            caught(Box::pin(async {
                let () = panicking.await;
            }))
            .await,
            None
        );
        assert_eq!(caught(Box::pin(async { 2 })).await, Some(2));
    }
}
