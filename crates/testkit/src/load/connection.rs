//! One caller's connection: HTTP/1.1, as little of it as telling answers apart takes.

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// What is looked at of an answer.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) has_retry_after: bool,
}

/// Open until the server closes it; then opened anew for the next request.
pub(super) struct Connection(Option<BufReader<TcpStream>>);

impl Connection {
    pub(super) async fn open(port: u16) -> io::Result<Self> {
        Ok(Self(Some(connect(port).await?)))
    }

    /// Sends a request and reads its answer to the end.
    pub(super) async fn ask(&mut self, port: u16, request: &str) -> io::Result<Answer> {
        // What is in the middle of an exchange is of no use to the next one.
        let mut stream = match self.0.take() {
            Some(stream) => stream,
            None => connect(port).await?,
        };
        // A server that turns a connection away may have closed it before this; what it has said comes first.
        let sent = stream.get_mut().write_all(request.as_bytes()).await;
        let (answer, stays) = match (read(&mut stream).await, sent) {
            (Ok(read), _) => read,
            (Err(error), Ok(())) | (Err(_), Err(error)) => return Err(error),
        };
        if stays {
            self.0 = Some(stream);
        }
        Ok(answer)
    }
}

async fn connect(port: u16) -> io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.set_nodelay(true)?;
    Ok(BufReader::new(stream))
}

/// An answer, and whether the connection can be used again.
async fn read(stream: &mut BufReader<TcpStream>) -> io::Result<(Answer, bool)> {
    let mut line = String::new();
    read_line(stream, &mut line).await?;
    let status = line.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
    let mut answer = Answer { status, has_retry_after: false };
    let (mut length, mut stays) = (0, true);
    loop {
        read_line(stream, &mut line).await?;
        let Some((name, value)) = line.split_once(':') else { break };
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().map_err(io::Error::other)?,
            "retry-after" => answer.has_retry_after = true,
            "connection" => stays = !value.eq_ignore_ascii_case("close"),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok((answer, stays))
}

async fn read_line(stream: &mut BufReader<TcpStream>, line: &mut String) -> io::Result<()> {
    line.clear();
    match stream.read_line(line).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}
