//! Takes records off the cores in batches and writes them, never making a core wait for a disk.
//!
//! Policy `block`: while records cannot be written, requests are refused before anything is forwarded; what
//! was forwarded before keeps its record, what is refused is recorded as long as there is room.
//! Policy `drop`: requests go on; lost records are counted, and a gap record says how many when writing
//! works again.
//!
//! Sink and policy may change while it runs: the new sink is opened first, and what is under way goes there.

use std::cell::{Cell, RefCell};
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use keyward_core::diagnostic::{Diagnostic, Origin};

use super::record::AuditRecord;
use crate::config::settings::audit::{AuditSettings, AuditSink};

/// Records in a batch before it is handed over.
const BATCH_RECORDS: usize = 128;
/// Batches that may wait for the writer.
const QUEUE: usize = 64;
/// Emptied buffers that are kept, and the largest of them.
const MAX_SPARE: usize = 8;
const MAX_SPARE_CAPACITY: usize = 256 * 1024;
/// What one core holds back while the queue is full.
const MAX_HELD: usize = 1024 * 1024;
/// How long the writer waits before it tries a failed sink again.
const RETRY: Duration = Duration::from_millis(200);
/// How long a core that ends waits for room in the queue, and the process for the writer.
const LAST_ROOM: Duration = Duration::from_secs(2);
const LAST_WRITES: Duration = Duration::from_secs(5);

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
    next: Mutex<Option<Sink>>,
    /// Emptied buffers, to be filled again.
    spare: Mutex<Vec<Vec<u8>>>,
}

type Sink = Box<dyn Write + Send>;

impl AuditState {
    /// Records written.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Records lost.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    fn is_off(&self) -> bool {
        self.off.load(Ordering::Relaxed)
    }

    fn blocks(&self) -> bool {
        self.blocks.load(Ordering::Relaxed)
    }

    /// An empty buffer that can hold a batch like the last one.
    fn buffer(&self, capacity: usize) -> Vec<u8> {
        let spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
        spare.unwrap_or_else(|| Vec::with_capacity(capacity))
    }

    fn take_back(&self, mut buffer: Vec<u8>) {
        buffer.clear();
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < MAX_SPARE && buffer.capacity() <= MAX_SPARE_CAPACITY {
            spare.push(buffer);
        }
    }

    fn next(&self) -> Option<Sink> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whether the sink fails at the moment.
    pub fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }
}

/// The running writer.
pub struct AuditLog {
    state: Arc<AuditState>,
    sender: SyncSender<Batch>,
    thread: JoinHandle<()>,
}

/// A sink that is open, and a policy: what a change of settings comes to.
pub struct Prepared {
    sink: Sink,
    off: bool,
    blocks: bool,
}

impl Prepared {
    /// Opens the sink; a file is opened anew also when it is the same, so that it can be moved away and
    /// begun again.
    pub fn new(settings: &AuditSettings) -> Result<Self, Diagnostic> {
        let sink: Sink = match &settings.sink {
            AuditSink::Off => Box::new(io::sink()),
            AuditSink::Stdout => Box::new(io::stdout()),
            AuditSink::File(path) => {
                let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path);
                Box::new(file.map_err(|error| {
                    Diagnostic::error(format!("`audit.path`: the file cannot be opened: {error}"))
                        .at(&Origin::whole(path.display().to_string()))
                        .hint("make its directory, and let this user write there")
                })?)
            }
        };
        Ok(Self { sink, off: matches!(settings.sink, AuditSink::Off), blocks: settings.blocks })
    }
}

struct Batch {
    bytes: Vec<u8>,
    records: u64,
}

/// One core's end.
pub struct AuditHandle {
    state: Arc<AuditState>,
    sender: SyncSender<Batch>,
    held: RefCell<Vec<u8>>,
    records: Cell<u64>,
}

impl AuditLog {
    /// Opens the sink and starts the writer. A sink that cannot be opened is an error: nothing starts
    /// without its audit log.
    pub fn start(settings: &AuditSettings) -> Result<Self, Diagnostic> {
        let Prepared { sink, off, blocks } = Prepared::new(settings)?;
        let state = Arc::new(AuditState { off: off.into(), blocks: blocks.into(), ..AuditState::default() });
        let (sender, receiver) = sync_channel(QUEUE);
        let shared = state.clone();
        let thread = std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || Writer { sink, state: shared, reported_lost: 0, torn: false }.run(&receiver))
            .map_err(|error| Diagnostic::error(format!("the audit thread cannot be started: {error}")))?;
        Ok(Self { state, sender, thread })
    }

    /// An end for one core.
    pub fn handle(&self) -> AuditHandle {
        AuditHandle {
            state: self.state.clone(),
            sender: self.sender.clone(),
            held: RefCell::default(),
            records: Cell::new(0),
        }
    }

    /// Counters and health.
    pub fn state(&self) -> &Arc<AuditState> {
        &self.state
    }

    /// Waits until everything handed over is written, or a sink that fails has had its time; every handle
    /// must be gone.
    pub fn finish(self) {
        let Self { thread, sender, .. } = self;
        drop(sender);
        let begun = Instant::now();
        while !thread.is_finished() {
            if begun.elapsed() >= LAST_WRITES {
                return tracing::error!("the last audit records could not be written");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl AuditState {
    /// From now on records go there. What waits is written there too, also when the old sink fails.
    pub fn switch(&self, to: Prepared) {
        let Prepared { sink, off, blocks } = to;
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = Some(sink);
        self.blocks.store(blocks, Ordering::Relaxed);
        self.off.store(off, Ordering::Relaxed);
    }
}

impl AuditHandle {
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
            self.state.lost.fetch_add(1, Ordering::Relaxed);
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
                self.state.lost.fetch_add(batch.records, Ordering::Relaxed);
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
        self.state.lost.fetch_add(self.records.get(), Ordering::Relaxed);
    }
}

struct Writer {
    sink: Sink,
    state: Arc<AuditState>,
    reported_lost: u64,
    /// The last line was given up in its middle.
    torn: bool,
}

impl Writer {
    fn run(mut self, receiver: &Receiver<Batch>) {
        loop {
            match receiver.recv_timeout(Duration::from_secs(1)) {
                Ok(batch) => {
                    self.write(&batch);
                    self.state.take_back(batch.bytes);
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.take_up_next();
                    self.report_gap();
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.take_up_next();
        self.report_gap();
        let _ = self.sink.flush();
    }

    /// Goes over to the sink that is to come next, if there is one.
    fn take_up_next(&mut self) -> bool {
        let Some(next) = self.state.next() else { return false };
        let _ = self.sink.flush();
        self.sink = next;
        self.torn = false;
        true
    }

    /// Writes a batch whole. Under `block` it is tried until it is written; under `drop` what is left is
    /// lost after the first failure.
    fn write(&mut self, batch: &Batch) {
        self.take_up_next();
        self.report_gap();
        let done = self.push(&batch.bytes, self.state.blocks());
        let lines = if done == batch.bytes.len() {
            batch.records
        } else {
            batch.bytes[..done].iter().filter(|byte| **byte == b'\n').count() as u64
        };
        self.state.written.fetch_add(lines, Ordering::Relaxed);
        self.state.lost.fetch_add(batch.records.saturating_sub(lines), Ordering::Relaxed);
    }

    fn report_gap(&mut self) {
        let lost = self.state.lost();
        if lost == self.reported_lost {
            return;
        }
        let start = if self.torn { "\n" } else { "" };
        let line = format!("{start}{{\"audit\":\"gap\",\"lost\":{}}}\n", lost - self.reported_lost);
        if self.push(line.as_bytes(), false) == line.len() {
            self.reported_lost = lost;
        }
    }

    /// Writes bytes, waiting for a sink that fails if that is wanted. How many went out.
    fn push(&mut self, bytes: &[u8], waits: bool) -> usize {
        let mut done = 0;
        while done < bytes.len() {
            match self.sink.write(&bytes[done..]) {
                Ok(count) if count > 0 => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                failed => {
                    if !self.state.failing.swap(true, Ordering::Relaxed) {
                        let cause = failed.err().map_or("nothing was written".to_owned(), |error| error.to_string());
                        tracing::error!(cause, "audit records cannot be written");
                    }
                    if self.take_up_next() {
                        // The new sink gets the line from its beginning.
                        done = bytes[..done].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
                        continue;
                    }
                    if !waits {
                        break;
                    }
                    std::thread::sleep(RETRY);
                }
            }
        }
        if let Some(last) = done.checked_sub(1) {
            self.torn = bytes[last] != b'\n';
        }
        if done == bytes.len() {
            let _ = self.sink.flush();
            if self.state.failing.swap(false, Ordering::Relaxed) {
                tracing::info!("audit records are written again");
            }
        }
        done
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn settings(path: &std::path::Path, blocks: bool) -> AuditSettings {
        AuditSettings { sink: AuditSink::File(path.to_owned()), blocks }
    }

    #[test]
    fn every_record_is_in_the_file_after_shutdown_and_only_the_owner_reads_it() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.log");
        let log = AuditLog::start(&settings(&path, true)).unwrap();
        let handles: Vec<AuditHandle> = (0..2).map(|_| log.handle()).collect();
        for n in 0..1000_u16 {
            handles[usize::from(n % 2)].write(&AuditRecord { status: n, ..AuditRecord::default() });
        }
        drop(handles);
        log.finish();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 1000);
        assert!(text.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_full_disk_blocks_under_block_and_counts_under_drop() {
        for blocks in [true, false] {
            let log = AuditLog::start(&settings(std::path::Path::new("/dev/full"), blocks)).unwrap();
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
        let log = AuditLog::start(&settings(std::path::Path::new("/dev/full"), true)).unwrap();
        let handle = log.handle();
        let path = "x".repeat(1024);
        let refused = AuditRecord { path: &path, outcome: "denied", ..AuditRecord::default() };
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

    /// A sink with little room, as a disk that fills up and is cleared again.
    #[derive(Clone, Default)]
    struct Small(Arc<std::sync::Mutex<(Vec<u8>, usize)>>);

    impl Write for Small {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut inner = self.0.lock().unwrap();
            let count = bytes.len().min(inner.1 - inner.0.len());
            inner.0.extend_from_slice(&bytes[..count]);
            if count == 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(count) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_that_was_given_up_in_its_middle_spoils_no_other() {
        let sink = Small::default();
        let state = Arc::new(AuditState::default());
        let mut writer = Writer { sink: Box::new(sink.clone()), state: state.clone(), reported_lost: 0, torn: false };
        let batch = Batch { bytes: b"{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n".to_vec(), records: 3 };
        for room in [11, 11, 14, 1000] {
            sink.0.lock().unwrap().1 = room;
            writer.write(&batch);
        }
        let text = String::from_utf8(sink.0.lock().unwrap().0.clone()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let whole = lines.iter().filter(|line| line.starts_with("{\"a\"") && line.ends_with('}')).count();
        assert_eq!((state.written(), state.lost()), (4, 8), "{text}");
        assert_eq!(whole, 4, "{text}");
        assert!(text.contains("\n{\"audit\":\"gap\",\"lost\":8}\n"), "{text}");
    }

    #[test]
    fn a_change_of_sink_loses_no_record_and_rescues_what_a_full_disk_holds_up() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.log");
        let log = AuditLog::start(&settings(std::path::Path::new("/dev/full"), true)).unwrap();
        let handle = log.handle();
        for n in 0..10 {
            handle.write(&AuditRecord { status: n, ..AuditRecord::default() });
        }
        handle.flush();
        log.state().switch(Prepared::new(&settings(&path, false)).unwrap());
        handle.write(&AuditRecord { status: 10, ..AuditRecord::default() });
        let off = AuditSettings { sink: AuditSink::Off, blocks: true };
        handle.flush();
        let begun = Instant::now();
        while log.state().written() < 11 && begun.elapsed() < Duration::from_secs(5) {
            std::thread::sleep(Duration::from_millis(5));
        }
        log.state().switch(Prepared::new(&off).unwrap());
        handle.write(&AuditRecord { status: 11, ..AuditRecord::default() });
        drop(handle);
        assert_eq!((log.state().written(), log.state().lost()), (11, 0));
        log.finish();
        let text = std::fs::read_to_string(&path).unwrap();
        let statuses: Vec<u64> = text
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["status"].as_u64().unwrap())
            .collect();
        assert_eq!(statuses, (0..11).collect::<Vec<u64>>());
    }

    #[test]
    fn a_sink_that_cannot_be_opened_stops_the_start() {
        assert!(AuditLog::start(&settings(std::path::Path::new("/nonexistent/audit.log"), true)).is_err());
    }
}
