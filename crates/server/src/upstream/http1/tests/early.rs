//! Answers that begin before their requests have ended.

use std::future::poll_fn;
use std::pin::Pin;

use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderValue, Method};
use http_body::Body;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::task::{JoinHandle, LocalSet, spawn_local};

use super::pair;
use crate::proxy::body::RequestBody;
use crate::upstream::http1::{AnswerBody, Awaiting};

/// More than all buffers of the system on the way.
const LENGTH: usize = 24 * 1024 * 1024;

/// How an exchange stands when the head of its answer has come.
struct Begun {
    answer: AnswerBody,
    /// Counts what it reads of the request.
    upstream_reads: JoinHandle<usize>,
    upstream_writes: JoinHandle<OwnedWriteHalf>,
}

/// Sends a large request, of which the upstream reads so much before it answers with so much.
async fn begin(early: usize, answer: usize) -> Begun {
    let (connection, mut peer): (_, TcpStream) = pair().await;
    let fields = HeaderMap::from_iter([(CONTENT_LENGTH, HeaderValue::from(LENGTH))]);
    let head = format!("POST /p HTTP/1.1\r\ncontent-length: {LENGTH}\r\n\r\n");
    let body = RequestBody::held(vec![b'x'; LENGTH].into());
    let mut awaiting = Awaiting::begin(connection, &Method::POST, "/p", &fields, body);
    let upstream = spawn_local(async move {
        peer.read_exact(&mut vec![0; head.len() + early]).await.unwrap();
        peer.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {answer}\r\n\r\n").as_bytes()).await.unwrap();
        let (reader, mut writer) = peer.into_split();
        let upstream_reads = spawn_local(count(reader, early));
        let upstream_writes = spawn_local(async move {
            // Who is not listened to any more may not be able to.
            let _ = writer.write_all(&vec![b'y'; answer]).await;
            writer
        });
        (upstream_reads, upstream_writes)
    });
    let head = poll_fn(|cx| awaiting.poll(&mut HeaderMap::new(), cx)).await.unwrap();
    let answer = awaiting.into_body(head.decoder(&Method::POST).unwrap(), true);
    let (upstream_reads, upstream_writes) = upstream.await.unwrap();
    Begun { answer, upstream_reads, upstream_writes }
}

/// Reads the request's body to its end, or the connection's.
async fn count(mut reader: OwnedReadHalf, early: usize) -> usize {
    let (mut total, mut buffer) = (early, vec![0; 256 * 1024]);
    while total < LENGTH {
        match reader.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(count) => total += count,
        }
    }
    total
}

async fn length(answer: &mut AnswerBody) -> usize {
    let mut length = 0;
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut *answer).poll_frame(cx)).await {
        length += frame.unwrap().into_data().unwrap().len();
    }
    length
}

#[tokio::test]
async fn a_request_is_sent_to_its_end_while_nobody_reads_its_answer() {
    LocalSet::new()
        .run_until(async {
            for early in [1, LENGTH / 2] {
                let Begun { mut answer, upstream_reads, upstream_writes } = begin(early, LENGTH).await;
                assert_eq!(upstream_reads.await.unwrap(), LENGTH);
                assert_eq!((length(&mut answer).await, answer.is_end_stream()), (LENGTH, true));
                let _writer = upstream_writes.await.unwrap();
                assert!(answer.take_rested().is_some(), "the connection can be used again");
            }
        })
        .await;
}

#[tokio::test]
async fn a_request_is_sent_to_its_end_after_its_answer_has_ended() {
    LocalSet::new()
        .run_until(async {
            for answered in [0, 10] {
                let Begun { mut answer, upstream_reads, upstream_writes } = begin(1, answered).await;
                let _writer = upstream_writes.await.unwrap();
                assert_eq!((length(&mut answer).await, answer.is_end_stream()), (answered, true));
                assert!(answer.take_rested().is_none(), "the connection is still busy");
                assert_eq!(upstream_reads.await.unwrap(), LENGTH);
            }
        })
        .await;
}

#[tokio::test]
async fn an_exchange_whose_answer_nobody_wants_ends() {
    LocalSet::new()
        .run_until(async {
            let Begun { answer, upstream_reads, upstream_writes } = begin(1, LENGTH).await;
            drop(answer);
            assert!(upstream_reads.await.unwrap() < LENGTH);
            drop(upstream_writes.await.unwrap());
        })
        .await;
}
