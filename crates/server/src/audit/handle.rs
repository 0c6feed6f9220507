//! One core's end of the audit log: gathers records into batches, and never waits for a disk while it serves.
//!
//! Policy `block`: while records cannot be written, requests are refused before anything is forwarded; what
//! was forwarded before keeps its record, what is refused is recorded as long as there is room.
//! Policy `drop`: requests go on, and lost records are counted.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::{Duration, Instant};

use super::record::AuditRecord;
use super::state::AuditState;

/// Records in a batch before it is handed over.
const BATCH_RECORDS: usize = 128;
/// What one core holds back while the queue is full.
const MAX_HELD: usize = 1024 * 1024;
/// How long a core that ends waits for room in the queue.
const LAST_ROOM: Duration = Duration::from_secs(2);

/// Encoded records, one a line.
pub(super) struct Batch {
    pub(super) bytes: Vec<u8>,
    pub(super) records: u64,
}

/// One core's end.
pub struct AuditHandle {
    state: Arc<AuditState>,
    sender: SyncSender<Batch>,
    held: RefCell<Vec<u8>>,
    records: Cell<u64>,
}

impl AuditHandle {
    pub(super) fn new(state: Arc<AuditState>, sender: SyncSender<Batch>) -> Self {
        Self { state, sender, held: RefCell::default(), records: Cell::new(0) }
    }

    /// Whether a request may go on: under `block`, not while its record could not be kept.
    pub fn admits(&self) -> bool {
        !self.state.blocks() || self.state.is_off() || (!self.state.is_failing() && self.held.borrow().len() < MAX_HELD)
    }

    /// Takes a record.
    pub fn write(&self, record: &AuditRecord<'_>) {
        if self.state.is_off() {
            return;
        }
        let mut held = self.held.borrow_mut();
        // Under `block` nothing is let through any more, so only what is on its way can still come.
        if held.len() >= MAX_HELD && !(self.state.blocks() && record.was_let_through()) {
            self.state.count_lost(1);
            return;
        }
        record.encode(&mut held);
        self.records.set(self.records.get() + 1);
        drop(held);
        if self.records.get() >= BATCH_RECORDS as u64 {
            self.flush();
        }
    }

    /// Hands over what is held; call every 50 ms.
    pub fn flush(&self) {
        if self.records.get() == 0 {
            return;
        }
        let capacity = self.held.borrow().len();
        let bytes = self.held.replace(self.state.buffer(capacity));
        match self.sender.try_send(Batch { bytes, records: self.records.get() }) {
            Ok(()) => self.records.set(0),
            Err(TrySendError::Full(batch)) => self.state.take_back(self.held.replace(batch.bytes)),
            Err(TrySendError::Disconnected(batch)) => {
                self.state.count_lost(batch.records);
                self.records.set(0);
            }
        }
    }
}

impl Drop for AuditHandle {
    /// The last records of a core: these may wait for room, for a while.
    fn drop(&mut self) {
        let begun = Instant::now();
        self.flush();
        while self.records.get() > 0 && begun.elapsed() < LAST_ROOM {
            std::thread::sleep(Duration::from_millis(5));
            self.flush();
        }
        self.state.count_lost(self.records.get());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::Path;

    use super::super::sink::tests::{file, outbound};
    use super::super::writer::{AuditLog, QUEUE};
    use super::*;

    fn full_disk(blocks: bool) -> AuditLog {
        AuditLog::start(&file(Path::new("/dev/full"), blocks), &outbound()).unwrap()
    }

    #[test]
    fn a_full_disk_blocks_under_block_and_counts_under_drop() {
        for blocks in [true, false] {
            let log = full_disk(blocks);
            let handle = log.handle();
            handle.write(&AuditRecord::default());
            handle.flush();
            let begun = Instant::now();
            while !log.state().is_failing() && begun.elapsed() < Duration::from_secs(5) {
                std::thread::sleep(Duration::from_millis(5));
            }
            assert!(log.state().is_failing());
            assert_eq!(handle.admits(), !blocks);
            if !blocks {
                while log.state().lost() == 0 && begun.elapsed() < Duration::from_secs(5) {
                    std::thread::sleep(Duration::from_millis(5));
                }
                assert_eq!(log.state().lost(), 1);
            }
        }
    }

    /// However long the disk is full: what was forwarded keeps its record, refusals take bounded room.
    #[test]
    fn a_full_disk_takes_bounded_memory_and_keeps_what_was_let_through() {
        let log = full_disk(true);
        let handle = log.handle();
        let path = "x".repeat(1024);
        let refused = AuditRecord { method: "GET", path: &path, outcome: "denied", ..AuditRecord::default() };
        let most = u64::try_from((QUEUE + 2) * (BATCH_RECORDS + 1)).unwrap() + 2 * MAX_HELD as u64 / 1024;
        for _ in 0..2 * most {
            handle.write(&refused);
        }
        assert!(!handle.admits());
        assert!(handle.held.borrow().len() <= MAX_HELD + 2048);
        let (lost, held) = (log.state().lost(), handle.records.get());
        assert!(lost >= most);
        handle.write(&AuditRecord { outcome: "allowed", ..AuditRecord::default() });
        assert_eq!((log.state().lost(), handle.records.get()), (lost, held + 1));
    }
}
