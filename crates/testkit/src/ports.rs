//! Free TCP ports for servers that a test starts.

use std::net::TcpListener;

/// A port that was free a moment ago. Ports come from the system, so parallel tests don't collide.
pub fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}
