//! How many files and connections this process, and each that it starts, may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises it as far as goes without being an administrator.
pub(crate) fn raise() -> Result<(), String> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
        .map_err(|error| format!("the limit of open files cannot be raised: {error}"))
}

/// Whether a process may have so many.
pub(crate) fn suffice_for(count: u32) -> bool {
    getrlimit(Resource::Nofile).current.is_none_or(|limit| limit >= count.into())
}
