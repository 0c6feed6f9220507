//! What TLS holds back between two exchanges.

use std::future::poll_fn;
use std::pin::Pin;

use http::{HeaderMap, Method};
use http_body::Body;
use keyward_testkit::pki::Authority;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::proxy::body::RequestBody;
use crate::upstream::connect::UpstreamStream;
use crate::upstream::http1::Awaiting;
use crate::upstream::http1::connection::Connection;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\n\r\n";

/// Whether a connection rests after an answer with so long a body, when so much follows the answer in the same record.
async fn rests(length: usize, surplus: usize) -> bool {
    let authority = Authority::new();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let own = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (peer, _) = listener.accept().await.unwrap();
    let connector = TlsConnector::from(authority.client(&[b"http/1.1"]));
    let acceptor = TlsAcceptor::from(authority.server(&["localhost"], &[b"http/1.1"]));
    let name = ServerName::try_from("localhost").unwrap();
    let (own, peer) = tokio::join!(connector.connect(name, own), acceptor.accept(peer));
    let (own, mut peer) = (own.unwrap(), peer.unwrap());
    let serve = async {
        peer.read_exact(&mut [0; REQUEST.len()]).await.unwrap();
        let mut record = format!("HTTP/1.1 200 OK\r\nContent-Length: {length:04}\r\n\r\n").into_bytes();
        record.resize(record.len() + length + surplus, b'x');
        assert!(record.len() <= 16 * 1024, "one record");
        peer.write_all(&record).await.unwrap();
        peer.flush().await.unwrap();
        peer
    };
    let ask = async {
        let connection = Box::new(Connection::new(UpstreamStream::Tls(Box::new(own))));
        let mut awaiting = Awaiting::begin(connection, &Method::GET, "/", &HeaderMap::new(), RequestBody::Empty);
        let head = poll_fn(|cx| awaiting.poll(&mut HeaderMap::new(), cx)).await.unwrap();
        let mut answer = awaiting.into_body(head.decoder(&Method::GET).unwrap(), true);
        while !answer.is_end_stream() {
            poll_fn(|cx| Pin::new(&mut answer).poll_frame(cx)).await.unwrap().unwrap();
        }
        answer.take_rested().is_some()
    };
    let (_peer, rests) = tokio::join!(serve, ask);
    rests
}

#[tokio::test]
async fn what_was_decrypted_and_not_read_does_not_begin_the_next_answer() {
    // Among these lengths are those with which an answer ends where a read does.
    for length in (0..64).chain(7 * 1024 - 64..7 * 1024) {
        assert!(!rests(length, 5).await, "{length}");
    }
    assert!(rests(7 * 1024, 0).await);
}
