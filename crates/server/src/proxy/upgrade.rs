//! After a 101 on both sides: bytes both ways until either side ends.

use std::time::Instant;

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

use tokio::task::JoinHandle;

use super::completion::Completion;
use crate::upstream::http1::connection::Connection;

/// Joins the two connections once both have switched. The record is written when it is over.
pub fn tunnel(client: OnUpgrade, mut upstream: Box<Connection>, mut completion: Box<Completion>) -> JoinHandle<()> {
    tokio::task::spawn_local(async move {
        let Ok(client) = client.await else { return };
        let copied = tokio::io::copy_bidirectional(&mut TokioIo::new(client), &mut upstream).await;
        if let Ok((bytes_in, bytes_out)) = copied {
            completion.add_bytes_in(bytes_in);
            completion.add_bytes_out(bytes_out);
        }
        completion.complete(Instant::now());
    })
}
