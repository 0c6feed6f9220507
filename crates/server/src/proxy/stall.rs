//! Limits pauses: a timer that exists only while something waits, and is not touched by every byte.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// Ready once waiting has taken longer than the limit. While data flows it costs a look at the clock; the
/// timer is moved only when it fires, so that a busy connection has one timer operation per limit.
pub struct Stall {
    limit: Duration,
    since: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Stall {
    /// A limit on one pause.
    pub fn new(limit: Duration) -> Self {
        Self { limit, since: None, sleep: None }
    }

    /// Data came: the next pause starts anew.
    pub fn reset(&mut self) {
        self.since = None;
    }

    /// Waiting begins at a time that is known already.
    pub fn begin(&mut self, at: std::time::Instant) {
        self.since = Some(at.into());
    }

    /// Whether a pause has begun.
    pub fn runs(&self) -> bool {
        self.since.is_some()
    }

    /// Lets go of the timer until the next pause.
    pub fn rest(&mut self) {
        self.since = None;
        self.sleep = None;
    }

    /// Call while waiting.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let deadline = *self.since.get_or_insert_with(Instant::now) + self.limit;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        while sleep.as_mut().poll(cx).is_ready() {
            // It may have been set for an earlier pause.
            if Instant::now() >= deadline {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}
