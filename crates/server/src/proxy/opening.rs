//! When the proxy's port opens: as soon as every document behind a URL has been had once. Until then the system refuses
//! connections, so that callers and load balancers go to a server that has all rules.

use std::cell::RefCell;
use std::net::{SocketAddr, TcpListener};

use keyward_core::diagnostic::Diagnostic;
use tokio::sync::watch;

use super::listener::listen;
use crate::snapshot::Snapshot;

/// The sockets until they listen.
pub struct Opening {
    key: &'static str,
    address: SocketAddr,
    /// Other ends of what the cores have: gone once they listen, since a port closes with the last one.
    sockets: RefCell<Vec<TcpListener>>,
    open: watch::Sender<bool>,
}

impl Opening {
    /// Of the sockets of all cores, which are bound to this address.
    pub fn new(key: &'static str, address: SocketAddr, sockets: &[TcpListener]) -> Result<Self, Diagnostic> {
        let copies: Result<Vec<_>, _> = sockets.iter().map(TcpListener::try_clone).collect();
        let refused = |error| Diagnostic::error(format!("`{key}`: its sockets cannot be used: {error}"));
        Ok(Self { key, address, sockets: RefCell::new(copies.map_err(refused)?), open: watch::Sender::new(false) })
    }

    /// True once they listen.
    pub fn state(&self) -> watch::Receiver<bool> {
        self.open.subscribe()
    }

    /// Lets them listen, unless they do, or rules are missing.
    pub fn follow(&self, snapshot: &Snapshot) -> Result<(), Diagnostic> {
        if snapshot.is_unfetched || *self.open.borrow() {
            return Ok(());
        }
        let sockets = self.sockets.take();
        let cores = sockets.len();
        if let Err(problem) = sockets.iter().try_for_each(|socket| listen(socket, self.key)) {
            self.sockets.replace(sockets);
            return Err(problem);
        }
        self.open.send_replace(true);
        tracing::info!(proxy = %self.address, cores, "serving");
        Ok(())
    }
}
