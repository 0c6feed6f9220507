//! How many files and sockets the process may have open, and how many of them callers may take up. Somebody has to be able
//! to look after a server that has too many callers, so some are kept for the other ports and for files.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::settings::proxy::ProxySettings;

/// Kept for what is not a caller's: files, the other ports, key sets, side services.
const KEPT: u64 = 64;
/// And for each core: its listening socket and what it waits with.
const KEPT_PER_CORE: u64 = 4;

/// How many connections and requests there are descriptors for. A request may need one for the way to its upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enough {
    /// Connections at a time.
    pub connections: u64,
    /// Requests in flight at a time.
    pub requests: u64,
}

impl Enough {
    /// What this process can have of what its settings allow.
    pub fn for_settings(settings: &ProxySettings) -> Self {
        let wanted = Self::wanted(settings);
        let limit = getrlimit(Resource::Nofile).current;
        limit.map_or(wanted, |limit| Self::of(limit, settings.workers as u64, wanted))
    }

    fn wanted(settings: &ProxySettings) -> Self {
        Self { connections: settings.max_connections as u64, requests: settings.max_requests }
    }

    fn of(limit: u64, cores: u64, wanted: Self) -> Self {
        let free = limit.saturating_sub(KEPT + cores * KEPT_PER_CORE);
        // More connections are idle than not.
        let connections = wanted.connections.min(free * 2 / 3).max(1);
        let requests = wanted.requests.min(free.saturating_sub(connections)).max(1);
        Self { connections, requests }
    }
}

/// Says in the log where that is less than what is wanted. No warning: most servers never need that many.
pub fn tell(settings: &ProxySettings) {
    let enough = Enough::for_settings(settings);
    if enough != Enough::wanted(settings) {
        tracing::info!(
            connections = enough.connections,
            requests = enough.requests,
            hint = "raise the limit on open files, such as with `ulimit -n` or systemd's `LimitNOFILE`, or lower `serve.proxy.limits`",
            "the process may open too few files for `serve.proxy.limits`, so it takes on less"
        );
    }
}

/// Takes as many as the process may be given: many systems begin with few.
pub fn raise() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // What cannot be had is done without.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_and_requests_leave_some_for_the_rest() {
        let enough = |connections, requests| Enough { connections, requests };
        let wanted = enough(10_000, 10_000);
        for (limit, cores, expected) in [
            (1_048_576, 64, wanted),
            (20_096, 8, wanted),
            (20_000, 2, enough(10_000, 9928)),
            (1024, 2, enough(634, 318)),
            (128, 2, enough(37, 19)),
            (20, 2, enough(1, 1)),
        ] {
            let found = Enough::of(limit, cores, wanted);
            assert_eq!(found, expected, "{limit}");
            assert!(limit < KEPT || found.connections + found.requests + KEPT <= limit, "{limit}");
        }
        assert_eq!(Enough::of(1024, 2, enough(100, 50)), enough(100, 50));
    }
}
