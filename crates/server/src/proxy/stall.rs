//! Limits pauses: a timer that exists only while something waits.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Sleep;

/// Ready once waiting has taken longer than the limit. Costs nothing while data flows.
pub struct Stall {
    limit: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Stall {
    /// A limit on one pause.
    pub fn new(limit: Duration) -> Self {
        Self { limit, sleep: None }
    }

    /// Data came: the next pause starts anew.
    pub fn reset(&mut self) {
        self.sleep = None;
    }

    /// Call while waiting.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(self.limit))).as_mut().poll(cx)
    }
}
