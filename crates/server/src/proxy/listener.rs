//! Listening sockets. Every core has its own on the same port (`SO_REUSEPORT`), so that accepting needs
//! no coordination.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use keyward_core::diagnostic::Diagnostic;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::config::settings::listeners::ListenerSettings;

/// Connections that may wait to be accepted.
pub(super) const BACKLOG: u16 = 1024;

/// The address to bind.
pub fn address(settings: &ListenerSettings) -> Result<SocketAddr, Diagnostic> {
    let host = settings.host.trim_matches(['[', ']']);
    let ip = match host {
        // All interfaces, both families, as the reference does.
        "" => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        "localhost" => IpAddr::from([127, 0, 0, 1]),
        host => host.parse().map_err(|_| {
            Diagnostic::error(format!("`{}.host`: `{host}` is not an address", settings.key))
                .hint("write an IP address, or leave it empty to listen on all")
        })?,
    };
    Ok(SocketAddr::new(ip, settings.port))
}

/// Binds and listens.
pub fn open(settings: &ListenerSettings) -> Result<std::net::TcpListener, Diagnostic> {
    let socket = bind(address(settings)?, settings.key, false)?;
    listen(&socket, settings.key)?;
    Ok(socket)
}

/// Binds, and does not listen yet: until then connections are refused. `shared` lets several sockets of this process have
/// one port.
pub fn bind(address: SocketAddr, key: &str, shared: bool) -> Result<std::net::TcpListener, Diagnostic> {
    bound(address, shared).map_err(|error| refused(&error, key, &address))
}

/// Lets connections in.
pub fn listen(socket: &std::net::TcpListener, key: &str) -> Result<(), Diagnostic> {
    let address = socket.local_addr().map_or_else(|_| "its address".to_owned(), |address| address.to_string());
    SockRef::from(socket).listen(BACKLOG.into()).map_err(|error| refused(&error, key, &address))
}

fn refused(error: &io::Error, key: &str, address: &dyn std::fmt::Display) -> Diagnostic {
    let hint = match error.kind() {
        io::ErrorKind::AddrInUse => "another process listens there; choose another port",
        io::ErrorKind::PermissionDenied => "ports below 1024 need a privilege; choose a higher one",
        _ => "check `host` and `port`",
    };
    Diagnostic::error(format!("`{key}`: cannot listen on {address}: {error}")).hint(hint)
}

fn bound(address: SocketAddr, shared: bool) -> io::Result<std::net::TcpListener> {
    let attempt = |address: SocketAddr| -> io::Result<std::net::TcpListener> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        if address.is_ipv6() && address.ip().is_unspecified() {
            socket.set_only_v6(false)?;
        }
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(shared)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        Ok(std::net::TcpListener::from(socket))
    };
    match attempt(address) {
        // A machine without IPv6 still has "all interfaces".
        Err(error)
            if address.is_ipv6() && address.ip().is_unspecified() && error.kind() != io::ErrorKind::AddrInUse =>
        {
            attempt(SocketAddr::from(([0, 0, 0, 0], address.port())))
        }
        bound => bound,
    }
}
