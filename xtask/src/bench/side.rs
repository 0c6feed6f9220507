//! The side service: an nginx that answers every question at once, and counts its connections and calls.

use std::io::{Read, Write};
use std::net::TcpStream;

use super::process::Server;
use super::setup::Stage;

/// Its locations: sessions and tokens are all good.
const LOCATIONS: &str = "default_type application/json; \
    location = /session { return 200 '{\"subject\":\"bench\"}'; } \
    location = /introspect { return 200 '{\"active\":true,\"sub\":\"bench\",\"scope\":\"jira:read\"}'; } \
    location = /status { stub_status; }";

/// Connections that a round may open: twice those of the load, which is nothing beside its requests.
const MOST_CONNECTIONS: u64 = 2 * super::requests::CONNECTIONS as u64;

/// Running until dropped.
pub(super) struct SideService {
    server: Server,
}

/// What was asked of it, so far or in a round.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SideUse {
    pub(super) connections: u64,
    pub(super) calls: u64,
}

/// What a warm server asks of it.
#[derive(Clone, Copy)]
pub(super) enum Asks {
    Nothing,
    PerRequest,
}

impl SideService {
    pub(super) fn start(stage: &Stage) -> Result<Self, String> {
        Ok(Self { server: stage.side_service(LOCATIONS)? })
    }

    /// Its own account. Each look is one connection and one call of it, see [`SideUse::since`].
    pub(super) fn so_far(&self) -> Result<SideUse, String> {
        let text = self.status().map_err(|error| format!("the side service does not tell its status: {error}"))?;
        // The line of three numbers: accepted, handled, requests.
        let numbers = text.lines().find_map(|line| {
            let numbers: Option<Vec<u64>> = line.split_whitespace().map(|word| word.parse().ok()).collect();
            numbers.filter(|numbers| numbers.len() == 3)
        });
        match numbers.as_deref() {
            Some(&[connections, _, calls]) => Ok(SideUse { connections, calls }),
            _ => Err(format!("the side service's status is not understood:\n{text}")),
        }
    }

    fn status(&self) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.server.port))?;
        stream.write_all(b"GET /status HTTP/1.0\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    }
}

impl SideUse {
    /// What came between two looks, without the second of them.
    pub(super) fn since(self, earlier: Self) -> Self {
        let between = |now: u64, then: u64| now.saturating_sub(then).saturating_sub(1);
        Self { connections: between(self.connections, earlier.connections), calls: between(self.calls, earlier.calls) }
    }
}

impl Asks {
    /// Whether a round was what its row says it is: no connection set up per call, and calls only where
    /// they belong.
    pub(super) fn check(self, used: SideUse, requests: u64) -> Result<(), String> {
        let SideUse { connections, calls } = used;
        if connections > MOST_CONNECTIONS {
            return Err(format!("{connections} connections to the side service were opened for {requests} requests"));
        }
        match self {
            Self::Nothing if calls > MOST_CONNECTIONS => {
                Err(format!("{calls} calls of the side service for {requests} requests, all of which were known"))
            }
            Self::PerRequest if calls < requests => {
                Err(format!("only {calls} calls of the side service for {requests} requests"))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_fails_that_opens_connections_per_call_or_asks_otherwise_than_its_row_says() {
        // What is asked, connections, calls, requests; whether the round counts.
        let rows = [
            (Asks::PerRequest, 0, 1000, 1000, true),
            (Asks::PerRequest, 64, 1032, 1000, true),
            (Asks::PerRequest, 65, 1000, 1000, false),
            (Asks::PerRequest, 0, 999, 1000, false),
            (Asks::Nothing, 0, 0, 1000, true),
            (Asks::Nothing, 0, 1000, 1000, false),
        ];
        for (asks, connections, calls, requests, expected) in rows {
            let outcome = asks.check(SideUse { connections, calls }, requests);
            assert_eq!(outcome.is_ok(), expected, "{outcome:?}");
        }
    }

    #[test]
    fn looking_is_not_counted() {
        let (first, second) = (SideUse { connections: 5, calls: 9 }, SideUse { connections: 8, calls: 20 });
        let between = second.since(first);
        assert_eq!((between.connections, between.calls), (2, 10));
    }
}
