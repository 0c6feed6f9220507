//! A client over TLS that keeps its connection, and shows which certificate it was given.

use std::io::{self, BufReader, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::wire::{self, Message};

/// A connection whose handshake is done.
pub struct TlsClient(BufReader<StreamOwned<ClientConnection, TcpStream>>);

impl TlsClient {
    /// Connects to a port on 127.0.0.1 and checks that the server is `localhost`.
    pub fn connect(port: u16, config: &Arc<ClientConfig>, timeout: Duration) -> io::Result<Self> {
        let mut socket = TcpStream::connect(("127.0.0.1", port))?;
        socket.set_read_timeout(Some(timeout))?;
        let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
        let mut connection = ClientConnection::new(config.clone(), name).map_err(io::Error::other)?;
        while connection.is_handshaking() {
            connection.complete_io(&mut socket)?;
        }
        Ok(Self(BufReader::new(StreamOwned::new(connection, socket))))
    }

    /// The server's certificate, in DER.
    pub fn certificate(&self) -> Vec<u8> {
        let chain = self.0.get_ref().conn.peer_certificates().unwrap_or_default();
        chain.first().map(|certificate| certificate.to_vec()).unwrap_or_default()
    }

    /// The protocol that was agreed on.
    pub fn protocol(&self) -> Option<&[u8]> {
        self.0.get_ref().conn.alpn_protocol()
    }

    /// Sends a request without a body and reads its answer; the connection stays.
    pub fn get(&mut self, target: &str, host: &str) -> io::Result<Message> {
        self.get_with(target, host, &[])
    }

    /// The same with more fields.
    pub fn get_with(&mut self, target: &str, host: &str, fields: &[&str]) -> io::Result<Message> {
        let fields: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
        let stream = self.0.get_mut();
        stream.write_all(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n").as_bytes())?;
        stream.flush()?;
        wire::read_response(&mut self.0, false)
    }
}
