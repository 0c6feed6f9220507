//! The end of connections for which there is no room: a word in the version of HTTP that is spoken, and a close that does not
//! destroy it.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// What the caller gets.
const HTTP1: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
/// The same for HTTP/2: settings, which have to come first, and a goodbye without having looked at anything (RFC 9113
/// section 6.8).
const HTTP2: &[u8] = b"\0\0\0\x04\0\0\0\0\0\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\0";
/// How the preface of HTTP/2 begins, as no request of HTTP/1.1 does.
const PREFACE: &[u8] = b"PRI * HTTP/2";
/// How long the first bytes are waited for, and the caller's end.
const GLANCE: Duration = Duration::from_millis(100);
/// So many connections have that time at once; others get the answer of HTTP/1.1 right away, and the end.
const MOST: usize = 64;

/// Those of one core.
#[derive(Default)]
pub(super) struct TurnedAway(JoinSet<()>);

impl TurnedAway {
    /// Says no, and closes. Over TLS nothing can be said, so the caller only sees the end.
    pub(super) fn tell(&mut self, stream: TcpStream, tls: bool) {
        if tls {
            return;
        }
        while self.0.try_join_next().is_some() {}
        if self.0.len() < MOST {
            self.0.spawn_local(tell(stream));
        } else {
            // The peer may be gone already.
            let _ = stream.try_write(HTTP1);
        }
    }
}

async fn tell(mut stream: TcpStream) {
    let mut first = [0; PREFACE.len()];
    let seen = timeout(GLANCE, stream.peek(&mut first)).await;
    let speaks_http2 = matches!(seen, Ok(Ok(count @ 3..)) if PREFACE.starts_with(&first[..count]));
    // Who is gone, or takes nothing, misses it.
    let said = async {
        stream.write_all(if speaks_http2 { HTTP2 } else { HTTP1 }).await?;
        stream.shutdown().await?;
        tokio::io::copy(&mut (&mut stream).take(64 * 1024), &mut tokio::io::sink()).await
    };
    let _ = timeout(GLANCE, said).await;
}
