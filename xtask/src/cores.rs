//! A server under test gets a core of its own, where there are several.

use std::thread::available_parallelism;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Cores that this process may run on.
pub(crate) fn count() -> usize {
    available_parallelism().map_or(1, std::num::NonZero::get)
}

/// The cores of this process, apart: one for the server, the others for whoever measures.
pub(crate) struct Cores {
    server: CpuSet,
    others: CpuSet,
}

impl Cores {
    /// Nothing where there is one only, or it cannot be told.
    pub(crate) fn apart() -> Option<Self> {
        if count() < 2 {
            return None;
        }
        let mut others = sched_getaffinity(None).ok()?;
        let first = (0..CpuSet::MAX_CPU).find(|core| others.is_set(*core))?;
        let mut server = CpuSet::new();
        server.set(first);
        others.unset(first);
        Some(Self { server, others })
    }

    /// From now on this thread, and what it starts, runs where the server does.
    pub(crate) fn for_server(&self) -> Result<(), String> {
        pin(&self.server)
    }

    /// From now on this thread, and what it starts, runs on the others.
    pub(crate) fn for_others(&self) -> Result<(), String> {
        pin(&self.others)
    }
}

fn pin(cores: &CpuSet) -> Result<(), String> {
    sched_setaffinity(None, cores).map_err(|error| format!("cores cannot be kept apart: {error}"))
}
