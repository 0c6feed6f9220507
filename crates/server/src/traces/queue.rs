//! What waits to be exported, up to a limit: beyond it the newest is dropped and counted.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use super::trace::Ended;

/// Requests that may wait. Each takes a few hundred bytes, and at most some 4 KiB.
const MAX_WAITING: usize = 2048;
/// So many go out at a time, and who adds the last of them says so.
pub(super) const BATCH: usize = 256;

/// The queue between the cores and the exporter.
#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<Vec<Ended>>,
    due: Notify,
    closing: Notify,
    is_closing: AtomicBool,
}

impl Queue {
    /// Adds a request; whether there was room for it.
    pub(super) fn add(&self, ended: Ended) -> bool {
        // Nobody panics while holding this lock.
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= MAX_WAITING {
            return false;
        }
        waiting.push(ended);
        let is_batch = waiting.len() == BATCH;
        drop(waiting);
        if is_batch {
            self.due.notify_one();
        }
        true
    }

    /// The oldest that wait, at most a batch.
    pub(super) fn take(&self) -> Vec<Ended> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let count = waiting.len().min(BATCH);
        waiting.drain(..count).collect()
    }

    /// Resolves when a batch waits.
    pub(super) async fn due(&self) {
        self.due.notified().await;
    }

    /// Resolves when nothing more is to be waited for; only the exporter asks.
    pub(super) async fn closing(&self) {
        if !self.is_closing() {
            self.closing.notified().await;
        }
    }

    /// From now on nothing is waited for.
    pub(super) fn close(&self) {
        self.is_closing.store(true, Ordering::Release);
        self.closing.notify_one();
    }

    pub(super) fn is_closing(&self) -> bool {
        self.is_closing.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_is_given_back_and_batches_are_bounded() {
        let queue = Queue::default();
        assert_eq!((0..MAX_WAITING).filter(|_| queue.add(Ended::default())).count(), MAX_WAITING);
        assert!(!queue.add(Ended::default()));
        assert_eq!(queue.take().len(), BATCH);
        assert!(queue.add(Ended::default()));
        let sizes: Vec<usize> = std::iter::from_fn(|| Some(queue.take().len()).filter(|size| *size > 0)).collect();
        assert_eq!(sizes.iter().sum::<usize>(), MAX_WAITING - BATCH + 1);
        assert!(sizes.iter().all(|size| *size <= BATCH), "{sizes:?}");
    }

    #[tokio::test]
    async fn a_batch_and_the_end_wake_who_waits() {
        let queue = Queue::default();
        for _ in 0..BATCH {
            assert!(queue.add(Ended::default()));
        }
        queue.due().await;
        queue.close();
        queue.closing().await;
        queue.closing().await;
        assert!(queue.is_closing());
    }
}
