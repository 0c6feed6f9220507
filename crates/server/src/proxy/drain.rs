//! How a connection ends when the drain has begun. A caller learns of that from an answer that says `Connection: close`,
//! or from the end of its connection; what it sent before is served.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

/// How long a connection on which nothing happens stays open. What was on its way when the drain began has come by then.
const GRACE: Duration = Duration::from_secs(1);

/// Waits until the drain has begun, and for what was on its way then.
pub(super) async fn is_over(shutdown: &mut watch::Receiver<bool>) {
    // Nobody who could begin it any more has begun it.
    let _ = shutdown.wait_for(|begun| *begun).await;
    // In a box: every connection would have room for it all the time.
    Box::pin(sleep(GRACE)).await;
}

/// Serves a connection to its end, which `tell` brings about: as soon as there is something to answer, so that the answer
/// says so, or when nothing has come.
pub(super) async fn to_the_end<F: Future + Unpin>(
    served: &mut F,
    is_busy: impl Fn() -> bool,
    tell: impl FnOnce(Pin<&mut F>),
) -> F::Output {
    let (mut grace, mut tell) = (pin!(sleep(GRACE)), Some(tell));
    poll_fn(|cx| {
        if let Poll::Ready(outcome) = Pin::new(&mut *served).poll(cx) {
            return Poll::Ready(outcome);
        }
        match tell.take_if(|_| is_busy() || grace.as_mut().poll(cx).is_ready()) {
            Some(tell) => {
                tell(Pin::new(served));
                Pin::new(&mut *served).poll(cx)
            }
            None => Poll::Pending,
        }
    })
    .await
}
