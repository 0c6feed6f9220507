//! An upstream that holds every request until it is told to answer.

use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::sync::{Arc, Condvar, Mutex};

use keyward_testkit::process::PATIENCE;
use keyward_testkit::{scripted, wire};

/// Shut at first.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<(Mutex<State>, Condvar)>);

/// What went through.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct State {
    is_open: bool,
    /// Requests that wait.
    pub(crate) waiting: usize,
    /// The most at a time.
    pub(crate) most: usize,
    /// Requests so far.
    pub(crate) seen: usize,
}

impl Gate {
    /// Starts the upstream.
    pub(crate) fn upstream(&self) -> u16 {
        let gate = self.clone();
        scripted::upstream(move |stream| gate.serve(stream))
    }

    /// From now on requests are answered at once, or are not.
    pub(crate) fn set_open(&self, is_open: bool) {
        self.0.0.lock().unwrap().is_open = is_open;
        self.0.1.notify_all();
    }

    /// Waits until so many requests wait.
    pub(crate) fn until_waiting(&self, count: usize) -> State {
        let (state, timeout) =
            self.0.1.wait_timeout_while(self.0.0.lock().unwrap(), PATIENCE, |state| state.waiting < count).unwrap();
        assert!(!timeout.timed_out(), "{count} requests did not come: {state:?}");
        *state
    }

    pub(crate) fn state(&self) -> State {
        *self.0.0.lock().unwrap()
    }

    fn serve(&self, mut stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        while let Ok(Some(_)) = wire::read_request(&mut reader) {
            let (state, changed) = &*self.0;
            let mut now = state.lock().unwrap();
            now.seen += 1;
            now.waiting += 1;
            now.most = now.most.max(now.waiting);
            changed.notify_all();
            now = changed.wait_while(now, |state| !state.is_open).unwrap();
            now.waiting -= 1;
            drop(now);
            if stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone").is_err() {
                return;
            }
        }
    }
}
