//! A collector that can be slow, go away and come back, and shows every byte that it got.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use keyward_testkit::ports::{ReservedPort, reserve};
use keyward_testkit::process::PATIENCE;
use serde_json::Value;
use socket2::SockRef;
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::frames::Frame;

const CHUNK: usize = 64 * 1024;
const PAUSE: Duration = Duration::from_millis(5);

/// A port, and the collector that listens there, or not.
pub(crate) struct Collector {
    port: ReservedPort,
    tls: Option<Arc<ServerConfig>>,
    /// What the system holds of what was not read, as asked for; Linux takes twice that.
    holds: Option<usize>,
    shared: Arc<Shared>,
    /// Ends what listens.
    listening: Option<Arc<AtomicBool>>,
}

#[derive(Default)]
struct Shared {
    /// The bytes of each connection.
    connections: Mutex<Vec<Vec<u8>>>,
    paused: AtomicBool,
    /// How many bytes are read at a time, with pauses; 0 is any number, without.
    few: AtomicUsize,
    /// How many bytes are to be said.
    say: AtomicUsize,
    /// How many bytes of a connection are read before it ends; 0 is any number.
    most: AtomicUsize,
    epochs: Mutex<Epochs>,
}

/// Connections of earlier epochs than the present one are to end.
#[derive(Default)]
struct Epochs {
    present: usize,
    /// Those of connections that are open.
    open: Vec<usize>,
}

impl Collector {
    /// One that is away.
    pub(crate) fn away() -> Self {
        Self { port: reserve(), tls: None, holds: None, shared: Arc::default(), listening: None }
    }

    /// One that listens.
    pub(crate) fn start() -> Self {
        let mut collector = Self::away();
        collector.come();
        collector
    }

    /// One that speaks TLS.
    pub(crate) fn start_tls(config: Arc<ServerConfig>) -> Self {
        let mut collector = Self::away();
        collector.tls = Some(config);
        collector.come();
        collector
    }

    /// Has the system hold so little, and never more, of what is sent over connections that come from now on.
    pub(crate) fn holding(mut self, bytes: usize) -> Self {
        self.leave();
        self.holds = Some(bytes);
        self.come();
        self
    }

    /// The settings of a sink that sends records here.
    pub(crate) fn sink(&self, name: &str) -> String {
        let scheme = if self.tls.is_some() { "tls" } else { "tcp" };
        format!("sink: {name}, url: '{scheme}://localhost:{}'", self.port.number())
    }

    /// Listens.
    pub(crate) fn come(&mut self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port.number())).unwrap();
        listener.set_nonblocking(true).unwrap();
        if let Some(bytes) = self.holds {
            // Connections have what the listener has.
            SockRef::from(&listener).set_recv_buffer_size(bytes).unwrap();
        }
        let listening = Arc::new(AtomicBool::new(true));
        self.listening = Some(listening.clone());
        let (shared, tls) = (self.shared.clone(), self.tls.clone());
        thread::spawn(move || {
            while listening.load(Ordering::Relaxed) {
                let Ok((stream, _)) = listener.accept() else {
                    thread::sleep(PAUSE);
                    continue;
                };
                let (shared, tls) = (shared.clone(), tls.clone());
                let epoch = shared.begin();
                thread::spawn(move || {
                    shared.read(epoch, stream, tls);
                    shared.end(epoch);
                });
            }
        });
    }

    /// Listens no more, and ends what is open: in good order if everything was read, else with a reset.
    pub(crate) fn leave(&mut self) {
        if let Some(listening) = self.listening.take() {
            listening.store(false, Ordering::Relaxed);
        }
        self.end_connections();
        eventually(|| TcpListener::bind(("127.0.0.1", self.port.number())).is_ok());
    }

    /// Ends what is open, and goes on listening.
    pub(crate) fn end_connections(&self) {
        let epoch = self.shared.next_epoch();
        eventually(|| self.shared.epochs.lock().unwrap().open.iter().all(|open| *open >= epoch));
    }

    /// Reads nothing, or reads again.
    pub(crate) fn pause(&self, paused: bool) {
        self.shared.paused.store(paused, Ordering::Relaxed);
    }

    /// Reads so many bytes at a time, with pauses; 0 is any number, without.
    pub(crate) fn dribble(&self, bytes: usize) {
        self.shared.few.store(bytes, Ordering::Relaxed);
    }

    /// Says so many bytes over the connection that there is, also while nothing is read.
    pub(crate) fn say(&self, bytes: usize) {
        self.shared.say.store(bytes, Ordering::Relaxed);
        eventually(|| self.shared.say.load(Ordering::Relaxed) == 0);
    }

    /// Ends each connection, from now on, when as many bytes of it were read and the last of them is not that of a record; 0 is any
    /// number.
    pub(crate) fn vanish_after(&self, bytes: usize) {
        self.shared.most.store(bytes, Ordering::Relaxed);
    }

    /// The bytes of each connection so far.
    pub(crate) fn bytes(&self) -> Vec<Vec<u8>> {
        self.shared.connections.lock().unwrap().clone()
    }

    /// The records of all connections, as a sink of this name sends them.
    pub(crate) fn records(&self, sink: &str) -> Vec<Value> {
        match sink {
            "syslog" => self.frames().into_iter().map(|frame| frame.record).collect(),
            _ => self.lines(),
        }
    }

    /// The records of lines, of all connections; a connection that was cut off may end within one.
    pub(crate) fn lines(&self) -> Vec<Value> {
        let mut records = Vec::new();
        for bytes in self.bytes() {
            let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            let lines = bytes[..whole].split_inclusive(|byte| *byte == b'\n');
            records.extend(lines.map(|line| serde_json::from_slice::<Value>(line).unwrap()));
        }
        records
    }

    /// The messages of all connections; a connection that was cut off may end within one.
    pub(crate) fn frames(&self) -> Vec<Frame> {
        self.bytes().iter().flat_map(|bytes| Frame::read_all(bytes)).collect()
    }
}

/// Waits until something is so.
fn eventually(is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < 6 * PATIENCE);
        thread::sleep(PAUSE);
    }
}

impl Shared {
    fn begin(&self) -> usize {
        let mut epochs = self.epochs.lock().unwrap();
        let present = epochs.present;
        epochs.open.push(present);
        present
    }

    fn end(&self, epoch: usize) {
        let mut epochs = self.epochs.lock().unwrap();
        let place = epochs.open.iter().position(|open| *open == epoch).unwrap();
        epochs.open.swap_remove(place);
    }

    fn next_epoch(&self) -> usize {
        let mut epochs = self.epochs.lock().unwrap();
        epochs.present += 1;
        epochs.present
    }

    fn read(&self, epoch: usize, stream: TcpStream, tls: Option<Arc<ServerConfig>>) {
        let place = {
            let mut connections = self.connections.lock().unwrap();
            connections.push(Vec::new());
            connections.len() - 1
        };
        stream.set_read_timeout(Some(PAUSE)).unwrap();
        match tls {
            Some(config) => {
                let connection = ServerConnection::new(config).unwrap();
                self.read_all(epoch, place, StreamOwned::new(connection, stream));
            }
            None => self.read_all(epoch, place, stream),
        }
    }

    /// How many bytes are to be read now, unless it is to vanish.
    fn room(&self, place: usize) -> Option<usize> {
        let most = self.most.load(Ordering::Relaxed);
        let connections = self.connections.lock().unwrap();
        let bytes = &connections[place];
        match most.checked_sub(bytes.len()) {
            _ if most == 0 => Some(match self.few.load(Ordering::Relaxed) {
                0 => CHUNK,
                few => few,
            }),
            Some(left @ 1..) => Some(left),
            _ if matches!(bytes.last(), Some(b'}' | b'\n')) => Some(1),
            _ => None,
        }
    }

    fn read_all(&self, epoch: usize, place: usize, mut stream: impl Read + Write) {
        let mut buffer = vec![0; CHUNK];
        while self.epochs.lock().unwrap().present == epoch {
            let say = self.say.load(Ordering::Relaxed);
            if say > 0 {
                stream.write_all(&vec![b'.'; say]).unwrap();
                self.say.store(0, Ordering::Relaxed);
            }
            if self.paused.load(Ordering::Relaxed) {
                thread::sleep(PAUSE);
                continue;
            }
            let Some(room) = self.room(place) else { return };
            if self.few.load(Ordering::Relaxed) > 0 {
                thread::sleep(PAUSE);
            }
            match stream.read(&mut buffer[..room.min(CHUNK)]) {
                Ok(0) => return,
                Ok(count) => self.connections.lock().unwrap()[place].extend_from_slice(&buffer[..count]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(_) => return,
            }
        }
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        if let Some(listening) = &self.listening {
            listening.store(false, Ordering::Relaxed);
        }
        self.shared.next_epoch();
    }
}
