//! A request body that a handler may ask to see: held in memory then, and forwarded from there.

use bytes::Bytes;
use keyward_core::pipeline::denial::{Denial, ErrorKind, Reason};
use keyward_core::ports::{BodySource, LocalFuture};

use super::body::RequestBody;

/// The body of one request, before it is known whether a handler reads it.
pub struct HeldBody {
    arriving: RequestBody,
    limit: u64,
}

impl HeldBody {
    /// A body of which at most `limit` bytes are held.
    pub fn new(arriving: RequestBody, limit: u64) -> Self {
        Self { arriving, limit }
    }

    /// What is sent on: what was held, or what arrives.
    pub fn into_request_body(self) -> RequestBody {
        self.arriving
    }
}

impl BodySource for HeldBody {
    fn read(&mut self) -> LocalFuture<'_, Result<Bytes, Denial>> {
        Box::pin(async move {
            let arriving = std::mem::replace(&mut self.arriving, RequestBody::Empty);
            match arriving.hold(self.limit).await {
                Ok(bytes) => {
                    self.arriving = RequestBody::held(bytes.clone());
                    Ok(bytes)
                }
                Err(fault) => Err(Denial::new(ErrorKind::BadRequest, Reason::RequestRefused).detail(fault.reason())),
            }
        })
    }
}
