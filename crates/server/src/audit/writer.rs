//! The thread that writes: takes batches off the cores and puts them where they belong.
//!
//! Under `block` a batch is tried until it is written. Under `drop` what a failing sink does not take is lost,
//! and a gap record says how many when writing works again.
//!
//! Sink and policy may change while it runs: the new sink is opened first, and what is under way goes there.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use keyward_core::diagnostic::Diagnostic;

use super::handle::{AuditHandle, Batch};
use super::sink::{Prepared, Sink};
use super::state::AuditState;
use crate::config::settings::audit::AuditSettings;
use crate::redaction;
use crate::upstream::outbound::Outbound;

/// Batches that may wait for the writer.
pub(super) const QUEUE: usize = 64;
/// How long the writer waits before it tries a failed sink again.
const RETRY: Duration = Duration::from_millis(200);
/// How long the process waits for the writer at its end.
const LAST_WRITES: Duration = Duration::from_secs(5);

/// The running writer.
pub struct AuditLog {
    state: Arc<AuditState>,
    sender: SyncSender<Batch>,
    thread: JoinHandle<()>,
}

impl AuditLog {
    /// Opens the sink and starts the writer. A sink that cannot be opened is an error: nothing starts
    /// without its audit log.
    pub fn start(settings: &AuditSettings, outbound: &Outbound) -> Result<Self, Diagnostic> {
        let Prepared { sink, off, blocks } = Prepared::new(settings, outbound)?;
        let state = Arc::new(AuditState::new(off, blocks));
        let (sender, receiver) = sync_channel(QUEUE);
        let shared = state.clone();
        let thread = std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || Writer::new(sink, shared).run(&receiver))
            .map_err(|error| Diagnostic::error(format!("the audit thread cannot be started: {error}")))?;
        Ok(Self { state, sender, thread })
    }

    /// An end for one core.
    pub fn handle(&self) -> AuditHandle {
        AuditHandle::new(self.state.clone(), self.sender.clone())
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

struct Writer {
    sink: Box<dyn Sink>,
    state: Arc<AuditState>,
    reported_lost: u64,
    /// What is reported at the moment: such a line may have gone out in part.
    reporting: Option<u64>,
    /// The last line was given up in its middle.
    torn: bool,
}

impl Writer {
    fn new(sink: Box<dyn Sink>, state: Arc<AuditState>) -> Self {
        Self { sink, state, reported_lost: 0, reporting: None, torn: false }
    }

    fn run(mut self, receiver: &Receiver<Batch>) {
        self.tend();
        loop {
            match receiver.recv_timeout(Duration::from_secs(1)) {
                Ok(batch) => {
                    self.write(&batch);
                    self.state.take_back(batch.bytes);
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.tend();
                    self.report_gap();
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.take_up_next();
        self.report_gap();
        let _ = self.sink.flush();
    }

    /// Lets the sink do what is due, so that one that fails is known before there is something to write.
    fn tend(&mut self) {
        let is_new = self.take_up_next();
        match self.sink.tend() {
            Some(Ok(())) => self.succeeded(),
            Some(Err(error)) => self.failed(&error.to_string()),
            // What was wrong with the one before is over.
            None if is_new => self.succeeded(),
            None => {}
        }
    }

    fn succeeded(&self) {
        if self.state.set_failing(false) {
            tracing::info!("audit records are written again");
        }
    }

    fn failed(&self, cause: &str) {
        if !self.state.set_failing(true) {
            tracing::error!(cause, "audit records cannot be written");
        }
    }

    /// Goes over to the sink that is to come next, if there is one.
    fn take_up_next(&mut self) -> bool {
        let Some(next) = self.state.next() else { return false };
        let _ = self.sink.flush();
        self.take_up(next);
        true
    }

    fn take_up(&mut self, next: Box<dyn Sink>) {
        self.sink = next;
        self.torn = false;
    }

    /// Writes a batch whole, without the values of secrets: a path, say, can hold what its caller should not have. Under `block` it is tried until it is written; under `drop` what is left is
    /// lost after the first failure.
    fn write(&mut self, batch: &Batch) {
        self.take_up_next();
        self.report_gap();
        let shown = redaction::known().json(&batch.bytes);
        let done = self.push(&shown, self.state.blocks());
        let lines = if done == shown.len() {
            batch.records
        } else {
            shown[..done].iter().filter(|byte| **byte == b'\n').count() as u64
        };
        self.state.count_written(lines);
        self.state.count_lost(batch.records.saturating_sub(lines));
    }

    /// Tells what was lost since that was told last. A line that was given up is told first, as it was, since a collector that has got
    /// a part of it may still get the whole; then what was lost meanwhile.
    fn report_gap(&mut self) {
        for _ in 0..2 {
            let lost = self.reporting.unwrap_or_else(|| self.state.lost());
            if lost == self.reported_lost {
                return;
            }
            self.reporting = Some(lost);
            let start = if self.torn { "\n" } else { "" };
            let line = format!("{start}{{\"audit\":\"gap\",\"lost\":{}}}\n", lost - self.reported_lost);
            if self.push(line.as_bytes(), false) < line.len() {
                return;
            }
            self.reported_lost = lost;
            self.reporting = None;
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
                    self.failed(&failed.err().map_or("nothing was written".to_owned(), |error| error.to_string()));
                    if let Some(next) = self.state.next() {
                        self.take_up(next);
                        // The new sink gets the line from its beginning; the old one has had its time to bring it to an end.
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
            self.succeeded();
        }
        done
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write;

    use super::*;
    use crate::audit::record::AuditRecord;
    use crate::audit::sink::tests::{file as settings, outbound};
    use crate::config::settings::audit::AuditSink;

    #[test]
    fn every_record_is_in_the_file_after_shutdown_and_only_the_owner_reads_it() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.log");
        let log = AuditLog::start(&settings(&path, true), &outbound()).unwrap();
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

    impl Sink for Small {}

    #[test]
    fn a_line_that_was_given_up_in_its_middle_spoils_no_other() {
        let sink = Small::default();
        let state = Arc::new(AuditState::default());
        let mut writer = Writer::new(Box::new(sink.clone()), state.clone());
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
        let gaps = "\n{\"audit\":\"gap\",\"lost\":2}\n{\"audit\":\"gap\",\"lost\":6}\n{\"a\":1}\n";
        assert!(text.contains(gaps), "{text}");
    }

    /// Shows what it was given; takes it or not.
    #[derive(Clone, Default)]
    struct Shown(Arc<std::sync::Mutex<(String, bool)>>);

    impl Write for Shown {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut inner = self.0.lock().unwrap();
            inner.0.push_str(std::str::from_utf8(bytes).unwrap());
            if inner.1 { Ok(bytes.len()) } else { Err(io::ErrorKind::TimedOut.into()) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Sink for Shown {}

    /// A collector may have got the first half of such a line, and gets the second later.
    #[test]
    fn a_gap_that_was_not_told_is_told_as_it_was_and_what_is_lost_meanwhile_after_it() {
        let sink = Shown::default();
        let state = Arc::new(AuditState::default());
        let mut writer = Writer::new(Box::new(sink.clone()), state.clone());
        let rows: [(u64, bool, &[u64]); 4] = [(3, false, &[3]), (2, true, &[3, 2]), (0, true, &[]), (4, true, &[4])];
        for (lost, takes, told) in rows {
            state.count_lost(lost);
            *sink.0.lock().unwrap() = (String::new(), takes);
            writer.report_gap();
            let lines: String = told.iter().map(|lost| format!("{{\"audit\":\"gap\",\"lost\":{lost}}}\n")).collect();
            assert_eq!(sink.0.lock().unwrap().0, lines);
        }
    }

    #[test]
    fn a_change_of_sink_loses_no_record_and_rescues_what_a_full_disk_holds_up() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.log");
        let log = AuditLog::start(&settings(std::path::Path::new("/dev/full"), true), &outbound()).unwrap();
        let handle = log.handle();
        for n in 0..10 {
            handle.write(&AuditRecord { status: n, ..AuditRecord::default() });
        }
        handle.flush();
        log.state().switch(Prepared::new(&settings(&path, false), &outbound()).unwrap());
        handle.write(&AuditRecord { status: 10, ..AuditRecord::default() });
        let off = AuditSettings { sink: AuditSink::Off, blocks: true };
        handle.flush();
        let begun = Instant::now();
        while log.state().written() < 11 && begun.elapsed() < Duration::from_secs(5) {
            std::thread::sleep(Duration::from_millis(5));
        }
        log.state().switch(Prepared::new(&off, &outbound()).unwrap());
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

    /// Takes nothing, and counts how often it is asked to hand over what it has.
    #[derive(Clone, Default)]
    struct Full(Arc<std::sync::Mutex<u64>>);

    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::TimedOut.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            *self.0.lock().unwrap() += 1;
            Ok(())
        }
    }

    impl Sink for Full {}

    #[test]
    fn a_record_that_the_next_sink_gets_is_not_brought_to_an_end_in_the_one_that_is_left() {
        let (left, next) = (Full::default(), Shown::default());
        next.0.lock().unwrap().1 = true;
        let state = Arc::new(AuditState::new(false, true));
        let mut writer = Writer::new(Box::new(left.clone()), state.clone());
        let switching = std::thread::spawn({
            let (state, sink) = (state.clone(), next.clone());
            move || {
                while !state.is_failing() {
                    std::thread::sleep(Duration::from_millis(5));
                }
                state.switch(Prepared { sink: Box::new(sink), off: false, blocks: true });
            }
        });
        writer.write(&Batch { bytes: b"{\"a\":1}\n".to_vec(), records: 1 });
        switching.join().unwrap();
        assert_eq!((next.0.lock().unwrap().0.as_str(), *left.0.lock().unwrap()), ("{\"a\":1}\n", 0));
    }

    #[test]
    fn a_sink_that_cannot_be_opened_stops_the_start() {
        assert!(AuditLog::start(&settings(std::path::Path::new("/nonexistent/audit.log"), true), &outbound()).is_err());
    }
}
