//! A future beside a busy one: it is polled when it was woken, not whenever its neighbour is.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// Costs a look at a flag where `select!` would poll the future with every event of the connection.
pub(super) struct Aside<F> {
    future: F,
    call: Arc<Call>,
    waker: Waker,
}

/// Whether the future wants to be polled, and who has to be told.
struct Call {
    wanted: AtomicBool,
    outer: Mutex<Option<Waker>>,
}

impl Wake for Call {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wanted.store(true, Ordering::Release);
        let outer = self.outer.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(outer) = outer {
            outer.wake();
        }
    }
}

impl<F: Future + Unpin> Aside<F> {
    /// Takes a future; it must always be polled by the same task.
    pub(super) fn new(future: F) -> Self {
        let call = Arc::new(Call { wanted: AtomicBool::new(true), outer: Mutex::new(None) });
        Self { future, waker: call.clone().into(), call }
    }
}

impl<F: Future + Unpin> Future for Aside<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.get_mut();
        if !this.call.wanted.load(Ordering::Acquire) {
            return Poll::Pending;
        }
        // Before the future is polled, so that a call that comes meanwhile is not lost.
        *this.call.outer.lock().unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
        this.call.wanted.store(false, Ordering::Release);
        Pin::new(&mut this.future).poll(&mut Context::from_waker(&this.waker))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::poll_fn;
    use std::rc::Rc;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn a_future_aside_is_polled_when_it_was_woken_and_only_then() {
        let (end, mut ended) = oneshot::channel();
        let polls = Rc::new(Cell::new(0));
        let counted = polls.clone();
        let mut aside = Aside::new(poll_fn(move |cx| {
            counted.set(counted.get() + 1);
            Pin::new(&mut ended).poll(cx)
        }));
        for _ in 0..1000 {
            let poll = poll_fn(|cx| Poll::Ready(Pin::new(&mut aside).poll(cx))).await;
            assert!(poll.is_pending());
        }
        tokio::spawn(async move { end.send(7) });
        assert_eq!((aside.await, polls.get()), (Ok(7), 2));
    }
}
