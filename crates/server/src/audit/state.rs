//! What the cores and the writer share: counters, the health of the sink, the policy, the sink that is to
//! come, and emptied buffers.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::sink::{Prepared, Sink};

/// Emptied buffers that are kept, and the largest of them.
const MAX_SPARE: usize = 8;
const MAX_SPARE_CAPACITY: usize = 256 * 1024;

/// The audit log's state, shared by all cores.
#[derive(Default)]
pub struct AuditState {
    failing: AtomicBool,
    written: AtomicU64,
    lost: AtomicU64,
    /// Nothing is recorded.
    off: AtomicBool,
    blocks: AtomicBool,
    /// The sink that the writer is to take up.
    next: Mutex<Option<Box<dyn Sink>>>,
    /// Emptied buffers, to be filled again.
    spare: Mutex<Vec<Vec<u8>>>,
}

impl AuditState {
    pub(super) fn new(off: bool, blocks: bool) -> Self {
        Self { off: off.into(), blocks: blocks.into(), ..Self::default() }
    }

    /// Records written.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Records lost.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Whether the sink fails at the moment.
    pub fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }

    /// From now on records go there. What waits is written there too, also when the old sink fails.
    pub fn switch(&self, to: Prepared) {
        let Prepared { sink, off, blocks } = to;
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = Some(sink);
        self.blocks.store(blocks, Ordering::Relaxed);
        self.off.store(off, Ordering::Relaxed);
    }

    pub(super) fn is_off(&self) -> bool {
        self.off.load(Ordering::Relaxed)
    }

    pub(super) fn blocks(&self) -> bool {
        self.blocks.load(Ordering::Relaxed)
    }

    pub(super) fn count_written(&self, records: u64) {
        self.written.fetch_add(records, Ordering::Relaxed);
    }

    pub(super) fn count_lost(&self, records: u64) {
        self.lost.fetch_add(records, Ordering::Relaxed);
    }

    /// Says how the sink is; whether it was failing before.
    pub(super) fn set_failing(&self, failing: bool) -> bool {
        self.failing.swap(failing, Ordering::Relaxed)
    }

    /// The sink to take up, once.
    pub(super) fn next(&self) -> Option<Box<dyn Sink>> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// An empty buffer that can hold a batch like the last one.
    pub(super) fn buffer(&self, capacity: usize) -> Vec<u8> {
        let spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
        spare.unwrap_or_else(|| Vec::with_capacity(capacity))
    }

    pub(super) fn take_back(&self, mut buffer: Vec<u8>) {
        buffer.clear();
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < MAX_SPARE && buffer.capacity() <= MAX_SPARE_CAPACITY {
            spare.push(buffer);
        }
    }
}
