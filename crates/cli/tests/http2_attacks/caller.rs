//! A caller that writes what it likes, and sees every frame that comes back.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

pub(crate) use keyward_testkit::http2_frames::PREFACE;
use keyward_testkit::process::PATIENCE;
use tokio_rustls::rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::frames::{ACK, Frame, GOAWAY, HEADERS, PING, RST_STREAM, SETTINGS, frame, settings};

/// `SETTINGS_HEADER_TABLE_SIZE`.
const TABLE_SIZE: u16 = 1;

/// What a request comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// An answer.
    Status(u16),
    /// The end of the stream alone, with an error code.
    Reset(u32),
    /// The end of the connection, with an error code.
    GoAway(u32),
    /// The end of the connection without a word.
    Ended,
}

trait Transport: Read + Write + Send {}
impl<T: Read + Write + Send> Transport for T {}

pub(crate) struct Caller {
    transport: Box<dyn Transport>,
    /// The error that the server said goodbye with.
    pub(crate) goodbye: Option<u32>,
}

impl Caller {
    /// Connects, and says what every caller says first.
    pub(crate) fn connect(port: u16, tls: Option<&Arc<ClientConfig>>) -> Self {
        Self::connect_with(port, tls, &[])
    }

    /// The same with settings of its own.
    pub(crate) fn connect_with(port: u16, tls: Option<&Arc<ClientConfig>>, own: &[(u16, u32)]) -> Self {
        let socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        socket.set_nodelay(true).unwrap();
        let transport: Box<dyn Transport> = match tls {
            None => Box::new(socket),
            Some(config) => {
                let name = "localhost".to_owned().try_into().unwrap();
                Box::new(StreamOwned::new(ClientConnection::new(config.clone(), name).unwrap(), socket))
            }
        };
        let mut caller = Self { transport, goodbye: None };
        let mut values = vec![(TABLE_SIZE, 0)];
        values.extend(own);
        caller.send(&[PREFACE, &settings(&values)].concat()).unwrap();
        caller
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.transport.write_all(bytes)?;
        self.transport.flush()
    }

    /// The next frame that is not about settings or pings, which are acknowledged; nothing at the end.
    pub(crate) fn read(&mut self) -> Option<Frame> {
        loop {
            let frame = match Frame::read(&mut self.transport) {
                Ok(frame) => frame,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    panic!("nothing came in time")
                }
                Err(_) => return None,
            };
            if matches!(frame.kind, SETTINGS | PING) && !frame.has(ACK) {
                // Who has gone away needs no acknowledgement.
                let _ = self.send(&super::frames::frame(frame.kind, ACK, 0, if_ping(&frame)));
            } else if frame.kind != SETTINGS {
                if frame.kind == GOAWAY && frame.number(4) != 0 {
                    self.goodbye = Some(frame.number(4));
                }
                return Some(frame);
            }
        }
    }

    /// What becomes of a stream.
    pub(crate) fn outcome(&mut self, stream: u32) -> Outcome {
        loop {
            let Some(frame) = self.read() else { return Outcome::Ended };
            match frame.kind {
                HEADERS if frame.stream == stream && frame.status() >= 200 => return Outcome::Status(frame.status()),
                RST_STREAM if frame.stream == stream => return Outcome::Reset(frame.number(0)),
                GOAWAY if frame.number(4) != 0 => return Outcome::GoAway(frame.number(4)),
                _ => {}
            }
        }
    }

    /// Waits until everything sent so far has been read, or the connection has ended: false then.
    pub(crate) fn settle(&mut self) -> bool {
        if self.send(&frame(PING, 0, 0, b"settled?")).is_err() {
            return false;
        }
        while let Some(frame) = self.read() {
            if frame.kind == PING && frame.payload == b"settled?" {
                return true;
            }
        }
        false
    }
}

fn if_ping(frame: &Frame) -> &[u8] {
    if frame.kind == PING { &frame.payload } else { &[] }
}
