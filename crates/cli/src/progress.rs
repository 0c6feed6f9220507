//! Shows on a terminal that work goes on, once it has taken a second.

use std::io::IsTerminal;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::output::complain;

/// Below this nobody needs to be told anything.
const PATIENCE: Duration = Duration::from_secs(1);

/// Work under way; the line on standard error is gone when this is dropped.
pub(crate) struct Progress {
    done: Option<Sender<()>>,
    shown: Option<JoinHandle<()>>,
}

impl Progress {
    /// Says what takes so long, if it does. Nothing is shown where nobody looks.
    pub(crate) fn of(what: &'static str) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self { done: None, shown: None };
        }
        let (done, wait) = channel();
        let begun = Instant::now();
        let shown = std::thread::spawn(move || {
            let mut lines = 0;
            while wait.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                complain(&format!("\r\x1b[2K{what} ({} s)", begun.elapsed().as_secs()));
                lines += 1;
            }
            if lines > 0 {
                complain("\r\x1b[2K");
            }
        });
        Self { done: Some(done), shown: Some(shown) }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.done.take();
        // A thread that only prints has nothing to tell by failing.
        let _ = self.shown.take().map(JoinHandle::join);
    }
}
