//! What a caller gets whose head does not end in time (RFC 9110 section 15.5.9). hyper answers only what it has read.

use std::fmt::Write;
use std::time::{Duration, SystemTime};

use http::StatusCode;
use keyward_core::pipeline::error_response::json;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::answers::status_text;
use super::scanned_io::ScannedIo;

/// Says so, and closes; nothing else is read on its connection. It takes no longer than the limit, whether the caller
/// reads or not.
#[cold]
pub(crate) async fn tell<T: AsyncRead + AsyncWrite + Unpin>(mut io: ScannedIo<T>, limit: Duration) {
    let told = async {
        io.write_all(&answer()).await?;
        io.shutdown().await
    };
    // The caller may be gone.
    let _ = timeout(limit, told).await;
}

/// The answer, as it goes over the wire.
fn answer() -> Vec<u8> {
    let status = StatusCode::REQUEST_TIMEOUT;
    let answer = json(status, status_text(status), None, None);
    let mut text = format!("HTTP/1.1 {status}\r\n");
    for (name, value) in &answer.headers {
        // Writing to a string cannot fail, and the values are ours.
        let _ = write!(text, "{name}: {}\r\n", value.to_str().unwrap_or_default());
    }
    let (length, date) = (answer.body.len(), httpdate::fmt_http_date(SystemTime::now()));
    let _ = write!(text, "connection: close\r\ncontent-length: {length}\r\ndate: {date}\r\n\r\n");
    [text.as_bytes(), &answer.body].concat()
}
