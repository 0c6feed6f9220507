//! The thread that compiles rules, and frees those that are replaced. Thousands of them take a while, for which neither
//! the API nor requests should wait: the thread gives way to both.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use keyward_core::diagnostic::Diagnostic;
use keyward_core::ports::Outside;
use tokio::sync::oneshot;

use crate::config::settings::Settings;
use crate::courtesy::Courtesy;
use crate::repository::documents::Documents;
use crate::serving::Live;
use crate::snapshot::{Built, Snapshot};

/// How much less of a busy core the thread gets (setpriority(2)).
const NICENESS: i32 = 10;
/// For so long it lets everything else go first.
const PATIENCE: Duration = Duration::from_secs(1);
/// Rules are replaced only after others were compiled, so that no more than a few jobs can wait.
const QUEUE: usize = 4;
/// How often the thread looks whether the last request under replaced rules has ended.
const LOOK: Duration = Duration::from_millis(100);

/// What a snapshot is made of.
pub(super) struct Work {
    pub(super) settings: Arc<Settings>,
    pub(super) documents: Documents,
    pub(super) own_port: u16,
    pub(super) outside: Outside,
    pub(super) generation: u64,
}

enum Job {
    Compile(Box<Work>, oneshot::Sender<Result<Built, Diagnostic>>),
    Free(Arc<Live>),
}

/// The thread's other end. It ends when this is dropped.
pub struct RuleThread(SyncSender<Job>);

impl RuleThread {
    /// Starts it.
    pub fn start() -> Result<Self, Diagnostic> {
        let (sender, jobs) = sync_channel(QUEUE);
        let thread = std::thread::Builder::new().name("keyward-rules".to_owned());
        let started = thread.spawn(move || {
            give_way();
            work_on(&jobs);
        });
        match started {
            Ok(_) => Ok(Self(sender)),
            Err(error) => Err(Diagnostic::error(format!("the thread that compiles rules cannot be started: {error}"))),
        }
    }

    /// As [`Snapshot::build`].
    pub(super) async fn compile(&self, work: Work) -> Result<Built, Diagnostic> {
        let broken = |problem| Diagnostic::error(format!("the rules could not be compiled: {problem}"));
        let (sender, built) = oneshot::channel();
        self.0.try_send(Job::Compile(Box::new(work), sender)).map_err(|_| broken("the thread that does it is busy"))?;
        built.await.map_err(|_| broken("the thread that does it panicked"))?
    }

    /// Frees what is not in force any more as soon as nothing uses it. Otherwise a core would, between two requests.
    pub(super) fn free(&self, replaced: Arc<Live>) {
        // Where the thread has no time for it, whoever used it last frees it.
        let _ = self.0.try_send(Job::Free(replaced));
    }
}

fn work_on(jobs: &Receiver<Job>) {
    let mut replaced: Vec<Arc<Live>> = Vec::new();
    let mut looked = Instant::now();
    loop {
        let wait = if replaced.is_empty() { Duration::MAX } else { LOOK };
        match jobs.recv_timeout(wait) {
            Ok(Job::Compile(work, outcome)) => {
                // After a panic nothing is told, which tells it.
                if let Ok(built) = catch_unwind(AssertUnwindSafe(|| work.done())) {
                    // Who waits no longer is about to end.
                    let _ = outcome.send(built);
                }
            }
            Ok(Job::Free(live)) => replaced.push(live),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        // Not only when there is nothing else to do: there may always be something.
        if looked.elapsed() >= LOOK {
            replaced = replaced.into_iter().filter_map(freed).collect();
            looked = Instant::now();
        }
    }
}

/// Gives back what is still used, and frees the rules of what is not, one by one.
fn freed(live: Arc<Live>) -> Option<Arc<Live>> {
    let live = match Arc::try_unwrap(live) {
        Ok(live) => live,
        Err(used) => return Some(used),
    };
    let courtesy = Courtesy::lasting(PATIENCE);
    for rule in live.snapshot.rules.into_rules() {
        drop(rule);
        courtesy.give_way();
    }
    None
}

impl Work {
    fn done(self) -> Result<Built, Diagnostic> {
        Snapshot::build(
            &self.settings,
            &self.documents,
            self.own_port,
            &self.outside,
            self.generation,
            &Courtesy::lasting(PATIENCE),
        )
    }
}

/// On Linux a priority is a thread's own.
fn give_way() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::debug!(%error, "rules are compiled at the priority of everything else");
    }
}
