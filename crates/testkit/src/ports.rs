//! Free TCP ports for servers that a test starts.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the range from which systems give outgoing connections their ports, and above 24448, which occurs in
/// the times of recorded tokens.
const FIRST: u16 = 24_500;
const COUNT: u16 = 7_500;

/// A port that was free a moment ago. No port is given out twice by a process, and processes start at
/// different places, so that parallel tests don't collide.
pub fn free_port() -> u16 {
    listener().local_addr().unwrap().port()
}

/// A listening socket on such a port, for a server in the test itself: it is never closed in between,
/// when a child process just being started could hold it.
pub fn listener() -> TcpListener {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() * 97 % u32::from(COUNT)).unwrap();
    loop {
        let offset = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = FIRST + (start + offset % COUNT) % COUNT;
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)) {
            return listener;
        }
    }
}
