//! Writes copies of what is in force behind the scenes: nobody who puts a document in force waits for a disk.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use keyward_core::secret::shown_url;
use tokio::sync::Notify;

use super::cache::CacheDirectory;
use super::documents::Documents;
use super::remote::Document;
use crate::metrics::Metrics;

/// What is to be kept, and what is. It holds one document per repository at most.
pub struct Keeper {
    directory: RefCell<Option<Arc<CacheDirectory>>>,
    /// What has to be done, by URL.
    pending: RefCell<BTreeMap<String, Task>>,
    /// What is on the disk, or about to be.
    kept: RefCell<BTreeMap<String, Arc<Document>>>,
    /// How the last attempt failed, if it did.
    problem: RefCell<Option<io::ErrorKind>>,
    wake: Notify,
    metrics: Arc<Metrics>,
}

enum Task {
    /// The source says that the copy is current.
    Confirm,
    Write(Arc<Document>),
}

impl Keeper {
    /// One that has nothing to do yet.
    pub fn new(metrics: Arc<Metrics>) -> Rc<Self> {
        Rc::new(Self {
            directory: RefCell::default(),
            pending: RefCell::default(),
            kept: RefCell::default(),
            problem: RefCell::default(),
            wake: Notify::new(),
            metrics,
        })
    }

    /// What this document says is on the disk already.
    pub fn has(&self, url: &str, document: &Arc<Document>) {
        self.pending.borrow_mut().remove(url);
        self.kept.borrow_mut().insert(url.to_owned(), document.clone());
    }

    /// Keeps what is in force from now on in this directory, if in any; what is there already is not written again.
    pub fn keep(&self, documents: &Documents, directory: Option<&Arc<CacheDirectory>>) {
        let mut kept = self.kept.borrow_mut();
        if self.directory.borrow().as_ref() != directory {
            if self.directory.replace(directory.cloned()).is_some() {
                kept.clear();
            }
            *self.problem.borrow_mut() = None;
        }
        let mut pending = self.pending.borrow_mut();
        kept.retain(|url, _| documents.get(url).is_some());
        pending.retain(|url, _| documents.get(url).is_some());
        if directory.is_none() {
            return;
        }
        for (url, document) in documents.all() {
            if !kept.get(url).is_some_and(|kept| Arc::ptr_eq(kept, document)) {
                kept.insert(url.to_owned(), document.clone());
                pending.insert(url.to_owned(), Task::Write(document.clone()));
            }
        }
        self.wake.notify_one();
    }

    /// The source says that what is in force is current. What could not be written is tried again.
    pub fn confirm(&self, url: &str, document: &Arc<Document>) {
        if self.directory.borrow().is_none() {
            return;
        }
        let mut kept = self.kept.borrow_mut();
        let task = match kept.get(url) {
            Some(kept) if Arc::ptr_eq(kept, document) => Task::Confirm,
            _ => Task::Write(document.clone()),
        };
        if let Task::Write(document) = &task {
            kept.insert(url.to_owned(), document.clone());
        }
        self.pending.borrow_mut().entry(url.to_owned()).or_insert(task);
        self.wake.notify_one();
    }

    /// Does what there is to do, for as long as the process lives.
    pub async fn run(self: Rc<Self>) {
        loop {
            self.wake.notified().await;
            loop {
                let next = self.pending.borrow_mut().pop_first();
                let directory = self.directory.borrow().clone();
                let (Some((url, task)), Some(directory)) = (next, directory) else { break };
                let name = url.clone();
                let done = tokio::task::spawn_blocking(move || match task {
                    Task::Confirm => directory.confirm(&name),
                    Task::Write(document) => directory.write(&name, &document),
                });
                self.learn(&url, done.await.unwrap_or_else(|error| Err(io::Error::other(error))));
            }
        }
    }

    /// A disk that is full stays so for long: that is said once.
    fn learn(&self, url: &str, outcome: io::Result<()>) {
        let mut problem = self.problem.borrow_mut();
        match outcome {
            Ok(()) => {
                if problem.take().is_some() {
                    tracing::info!("copies of rules can be written again");
                }
            }
            Err(error) => {
                self.kept.borrow_mut().remove(url);
                self.metrics.repositories.copy_failures.inc();
                if problem.replace(error.kind()) != Some(error.kind()) {
                    let (location, cause) = (shown_url(url), error.to_string());
                    let hint = "check space and permissions of `access_rules.cache_dir`; the next answer of the source writes it again";
                    tracing::error!(%location, cause, hint, "the rules in force could not be copied to disk; an older copy stays");
                }
            }
        }
    }
}
