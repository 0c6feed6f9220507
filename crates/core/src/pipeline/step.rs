//! The result of asking a handler: there already, or after waiting.

use std::future::poll_fn;
use std::task::Poll;

use crate::ports::LocalFuture;

/// A handler that only reads headers answers `Ready` and needs no boxed future.
pub enum Step<'a, T> {
    /// The answer.
    Ready(T),
    /// The answer will come.
    Pending(LocalFuture<'a, T>),
}

impl<'a, T: 'a> Step<'a, T> {
    /// An answer that took as long to find as the rest of a request takes: whoever is ready as well goes first.
    /// Requests that are decided one after the other go on together then, so that those whom they wake, upstreams and
    /// callers, find more than one at a time.
    pub fn after_others(answer: T) -> Self {
        Step::Pending(Box::pin(async move {
            give_way().await;
            answer
        }))
    }

    /// The answer, waiting for it if need be.
    pub async fn finish(self) -> T {
        match self {
            Step::Ready(answer) => answer,
            Step::Pending(future) => future.await,
        }
    }
}

/// Lets whatever else is ready be looked at first, once.
async fn give_way() {
    let mut gave_way = false;
    poll_fn(|context| {
        if gave_way {
            return Poll::Ready(());
        }
        gave_way = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Wake};

    use super::*;

    #[derive(Default)]
    struct Calls(AtomicUsize);

    impl Wake for Calls {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn an_answer_after_others_asks_at_once_to_be_looked_at_again_and_is_there_then() {
        let calls = Arc::new(Calls::default());
        let waker = Arc::clone(&calls).into();
        let mut context = Context::from_waker(&waker);
        let Step::Pending(mut answer) = Step::after_others(7) else { panic!("it is there already") };
        assert_eq!(answer.as_mut().poll(&mut context), Poll::Pending);
        assert_eq!(calls.0.load(Ordering::Relaxed), 1);
        assert_eq!(answer.as_mut().poll(&mut context), Poll::Ready(7));
        assert_eq!(calls.0.load(Ordering::Relaxed), 1);
    }
}
