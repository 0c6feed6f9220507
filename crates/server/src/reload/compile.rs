//! Compiles rules on a thread of their own: thousands of them take a while, for which neither the API nor, since the
//! thread gives way, requests should wait.

use std::sync::Arc;

use keyward_core::diagnostic::Diagnostic;
use keyward_core::ports::Outside;
use tokio::sync::oneshot;

use crate::config::settings::Settings;
use crate::repository::documents::Documents;
use crate::snapshot::{Built, Snapshot};

/// How much less of a busy core the thread gets (setpriority(2)).
const NICENESS: i32 = 10;

/// What a snapshot is made of.
pub(super) struct Work {
    pub(super) settings: Arc<Settings>,
    pub(super) documents: Documents,
    pub(super) own_port: u16,
    pub(super) outside: Outside,
    pub(super) generation: u64,
}

impl Work {
    /// As [`Snapshot::build`].
    pub(super) async fn done(self) -> Result<Built, Diagnostic> {
        let (sender, built) = oneshot::channel();
        let work = move || {
            give_way();
            // Who waits no longer is about to end.
            let _ = sender.send(self.here());
        };
        let thread = std::thread::Builder::new().name("keyward-rules".to_owned()).spawn(work);
        let broken = |problem: &str| Diagnostic::error(format!("the rules could not be compiled: {problem}"));
        thread.map_err(|error| broken(&error.to_string()))?;
        built.await.map_err(|_| broken("the thread that does it panicked"))?
    }

    fn here(self) -> Result<Built, Diagnostic> {
        Snapshot::build(&self.settings, &self.documents, self.own_port, &self.outside, self.generation)
    }
}

/// On Linux a priority is a thread's own.
fn give_way() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::debug!(%error, "rules are compiled at the priority of everything else");
    }
}
