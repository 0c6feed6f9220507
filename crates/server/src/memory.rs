//! Keeps what this process has in memory, secrets among it, from getting out of it through the kernel.

use keyward_core::diagnostic::Diagnostic;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The most that a core dump may hold, in bytes. Linux writes none to a file that has no room for a page. Where it pipes
/// dumps to a program it passes over any limit, even none at all, but this: see `coredump_pipe` in its `fs/coredump.c`.
const CORE_BYTES: u64 = if cfg!(target_os = "linux") { 1 } else { 0 };

/// From now on nothing leaves a core dump. For the beginning of a process, before it reads anything.
///
/// # Errors
/// A warning when the system does not allow it.
pub fn without_core_dumps() -> Result<(), Diagnostic> {
    // Who may have less cannot have that much either.
    let most = getrlimit(Resource::Core).maximum.map_or(CORE_BYTES, |most| most.min(CORE_BYTES));
    let limit = Rlimit { current: Some(most), maximum: Some(most) };
    setrlimit(Resource::Core, limit).map_err(|error| {
        Diagnostic::warning(format!("core dumps cannot be turned off: {error}"))
            .hint("turn them off where the process is started: a dump would hold secrets")
    })
}

/// From now on no other process of the same user may trace this one, or read its memory, environment or open files.
///
/// # Errors
/// When the system cannot do that.
#[cfg(target_os = "linux")]
pub fn without_tracing() -> Result<(), Diagnostic> {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(|error| Diagnostic::error(format!("`secrets.traceable: false` cannot be had: {error}")))
}

/// As above, where there is no such thing.
#[cfg(not(target_os = "linux"))]
pub fn without_tracing() -> Result<(), Diagnostic> {
    Err(Diagnostic::error("`secrets.traceable: false` cannot be had: it is for Linux only"))
}
