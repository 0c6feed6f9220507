//! Free TCP ports for servers that a test starts, no port twice at a time on one machine.

use std::net::{TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Mutex, PoisonError};

/// Below the range from which systems give outgoing connections their ports, and above 24448, which occurs in
/// the times of recorded tokens.
const FIRST: u16 = 24_500;
const COUNT: u16 = 7_500;

/// A TCP port that no other test gets, in this process or another, until this is dropped. Nothing listens on it: that
/// is for the server under test. The UDP port of the same number, which nothing else here uses, stands for it, so that
/// the system gives it back however a test ends.
pub struct ReservedPort {
    number: u16,
    _guard: UdpSocket,
}

impl ReservedPort {
    /// The port, if nobody has it.
    fn claim(number: u16) -> Option<Self> {
        let guard = UdpSocket::bind(("127.0.0.1", number)).ok()?;
        TcpListener::bind(("127.0.0.1", number)).ok()?;
        Some(Self { number, _guard: guard })
    }

    /// Its number.
    pub fn number(&self) -> u16 {
        self.number
    }
}

/// A port that is free.
///
/// # Panics
/// When there is none.
pub fn reserve() -> ReservedPort {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Processes start at different places, so that they seldom have to look for long.
    let start = u16::try_from(std::process::id() * 97 % u32::from(COUNT)).unwrap();
    (0..COUNT)
        .find_map(|_| {
            let offset = NEXT.fetch_add(1, Ordering::Relaxed);
            ReservedPort::claim(FIRST + (start + offset % COUNT) % COUNT)
        })
        .expect("every port for tests is in use")
}

/// A port that stays this process's.
pub fn free_port() -> u16 {
    static KEPT: Mutex<Vec<ReservedPort>> = Mutex::new(Vec::new());
    let port = reserve();
    let number = port.number();
    KEPT.lock().unwrap_or_else(PoisonError::into_inner).push(port);
    number
}

/// A listening socket on such a port, for a server in the test itself: it is never closed in between,
/// when a child process just being started could hold it.
pub fn listener() -> TcpListener {
    loop {
        // While the socket listens nobody can claim the port.
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", reserve().number())) {
            return listener;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_one_tests_at_a_time() {
        let port = reserve();
        assert!(ReservedPort::claim(port.number()).is_none());
        let number = port.number();
        drop(port);
        assert!(ReservedPort::claim(number).is_some());
        let listener = listener();
        assert!(ReservedPort::claim(listener.local_addr().unwrap().port()).is_none());
        assert!(ReservedPort::claim(free_port()).is_none());
    }
}
