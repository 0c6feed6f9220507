//! An upstream that speaks HTTP/2 over TLS, and says what reaches it.

use std::sync::mpsc::{Receiver, channel};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use keyward_testkit::http2_upstream::http2_upstream;
use keyward_testkit::pki::Authority;

/// A request: its target, fields, and body.
pub(crate) type Seen = (String, http::HeaderMap, Vec<u8>);

/// Starts one that is called `api.example`; its port, and what it sees.
pub(crate) fn http2(authority: &Authority) -> (u16, Receiver<Seen>) {
    let (sender, seen) = channel();
    let port = http2_upstream(authority, move |request| {
        let sender = sender.clone();
        async move {
            let (head, body) = request.into_parts();
            if let Ok(body) = body.collect().await {
                let body = body.to_bytes().to_vec();
                // Nobody listens once the test has ended.
                let _ = sender.send((head.uri.to_string(), head.headers, body));
            }
            http::Response::new(Full::new(Bytes::from("seen")))
        }
    });
    (port, seen)
}
