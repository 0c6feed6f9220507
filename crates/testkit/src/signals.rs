//! Signals in quick succession, from one shell: a process for each would take longer than what it interrupts.

use std::io::{self, Write};
use std::process::{Child, Command, Stdio};

/// Sends signals to one process until dropped.
pub struct Signals {
    shell: Child,
    line: String,
}

impl Signals {
    /// For the process `id`, the signal of this name, such as `HUP`.
    ///
    /// # Errors
    /// When no shell can be started.
    pub fn to(id: u32, name: &str) -> io::Result<Self> {
        let shell = Command::new("sh").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        Ok(Self { shell, line: format!("kill -{name} {id}\n") })
    }

    /// Sends one, soon.
    ///
    /// # Errors
    /// When the shell has gone.
    pub fn send(&mut self) -> io::Result<()> {
        self.shell.stdin.as_mut().ok_or(io::ErrorKind::BrokenPipe)?.write_all(self.line.as_bytes())
    }

    /// Waits until every one has been sent.
    ///
    /// # Errors
    /// When the shell cannot be waited for.
    pub fn finish(mut self) -> io::Result<()> {
        drop(self.shell.stdin.take());
        self.shell.wait().map(drop)
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        // It ends with its input; it may have done so already.
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}
