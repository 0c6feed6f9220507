//! Callers that keep a connection and hardly say anything on it, as those do who mean to use up a server.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, ClientConnection, StreamOwned};

/// What a slow caller is slow with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slow {
    /// A head that never ends.
    Head,
    /// A body that never ends.
    Body,
    /// Nothing is asked for at all.
    Silence,
}

/// All of them.
pub const KINDS: [Slow; 3] = [Slow::Head, Slow::Body, Slow::Silence];

/// One that has connected.
pub struct SlowCaller {
    transport: Box<dyn Transport>,
    slow: Slow,
}

trait Transport: Read + Write + Send {}
impl<T: Read + Write + Send> Transport for T {}

impl SlowCaller {
    /// Connects to a port on 127.0.0.1, where `localhost` is served if TLS is spoken, and begins.
    pub fn connect(port: u16, tls: Option<&Arc<ClientConfig>>, slow: Slow, patience: Duration) -> io::Result<Self> {
        let socket = TcpStream::connect(("127.0.0.1", port))?;
        socket.set_read_timeout(Some(patience))?;
        socket.set_write_timeout(Some(patience))?;
        socket.set_nodelay(true)?;
        let mut transport: Box<dyn Transport> = match tls {
            None => Box::new(socket),
            Some(config) => {
                let name = "localhost".to_owned().try_into().map_err(io::Error::other)?;
                let connection = ClientConnection::new(config.clone(), name).map_err(io::Error::other)?;
                let mut stream = StreamOwned::new(connection, socket);
                while stream.conn.is_handshaking() {
                    stream.conn.complete_io(&mut stream.sock)?;
                }
                Box::new(stream)
            }
        };
        let begins: &[u8] = match slow {
            Slow::Head => b"GET /x HTTP/1.1\r\nHost: h\r\nX-Slow: ",
            Slow::Body => b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n",
            Slow::Silence => b"",
        };
        transport.write_all(begins)?;
        transport.flush()?;
        Ok(Self { transport, slow })
    }

    /// One octet more, of what is slow.
    pub fn drip(&mut self) -> io::Result<()> {
        if self.slow == Slow::Silence {
            return Ok(());
        }
        self.say(b"x")
    }

    /// More than an octet, whatever is slow.
    pub fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.transport.write_all(bytes)?;
        self.transport.flush()
    }

    /// Waits for the end of the connection: what was said before it, or nothing when it does not come.
    pub fn end(mut self) -> Option<Vec<u8>> {
        let mut said = Vec::new();
        match self.transport.read_to_end(&mut said) {
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => None,
            // A reset is an end too.
            _ => Some(said),
        }
    }
}
