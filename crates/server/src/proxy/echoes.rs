//! What becomes of an upstream's answer that holds a credential of its request, before anything of it is passed on.

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Poll, ready};

use bytes::BytesMut;
use http::{Response, StatusCode};
use http_body::Body;

use super::answers::{answered, local};
use super::body::ResponseBody;
use super::completion::Completion;
use super::stall::Stall;
use crate::echo::{Action, Echoed, Place, Values, Watch};
use crate::upstream::answer::{Answer, AnswerBody};
use crate::upstream::error::ForwardError;
use crate::upstream::forward::Forwarder;

/// What a look at the head has come to.
pub(super) enum Looked {
    /// It may be passed on; what follows may have to be looked into.
    Passes(Option<Watch>),
    /// It may not.
    Refused,
}

/// Looks at the head, and takes out of it what has to be.
pub(super) fn look(record: &mut Completion, answer: &mut Answer, values: Rc<Values>) -> Looked {
    let policy = record.live().serving.echoes;
    let looked = values.look(answer.headers());
    if looked.holds_value
        && let Some(action) = policy.headers
    {
        record.echoed(Echoed { place: Place::Header, action });
        match action {
            Action::Remove => values.remove_from(answer.headers_mut()),
            Action::Refuse => return Looked::Refused,
        };
    }
    // What follows a change of protocols is not an answer's body.
    let is_over = answer.body().is_end_stream() || answer.status() == StatusCode::SWITCHING_PROTOCOLS;
    Looked::Passes(if is_over { None } else { Watch::new(values, &policy, &looked) })
}

/// What waiting for the beginning of a body has come to.
pub(super) enum Beginning {
    /// Nothing in it keeps the answer from being passed on.
    Known,
    /// Something does.
    Refused,
    /// It did not come.
    Broken(ForwardError),
}

/// Reads the beginning of a body that may have to be refused, as far as it is looked into.
pub(super) async fn begin(record: &mut Completion, body: &mut AnswerBody, watch: &mut Watch) -> Beginning {
    let mut stall = Stall::new(record.live().serving.bodies.answer_pause);
    let (mut data, mut trailers) = (BytesMut::new(), None);
    while data.len() < watch.examined() && trailers.is_none() && !body.is_end_stream() {
        let frame = poll_fn(|cx| match Pin::new(&mut *body).poll_frame(cx) {
            Poll::Pending => {
                ready!(stall.poll(cx));
                Poll::Ready(Err(ForwardError::Timeout("for the upstream's body")))
            }
            Poll::Ready(frame) => {
                stall.reset();
                let broken = |error: std::io::Error| ForwardError::Exchange(error.to_string());
                Poll::Ready(frame.transpose().map_err(broken))
            }
        });
        match frame.await {
            Ok(Some(frame)) => match frame.into_data() {
                Ok(part) => data.extend_from_slice(&part),
                Err(frame) => trailers = frame.into_trailers().ok(),
            },
            Ok(None) => break,
            Err(error) => return Beginning::Broken(error),
        }
    }
    let is_over = trailers.is_some() || body.is_end_stream();
    let begun = watch.begin(data, trailers, is_over);
    if let Some(found) = watch.take_found() {
        record.echoed(found);
    }
    match begun {
        Ok(()) => Beginning::Known,
        Err(_) => Beginning::Refused,
    }
}

/// The answer holds a credential, and is not passed on. Nor is anything else of that connection.
#[cold]
pub(super) fn refused(record: Box<Completion>, forwarder: &Forwarder) -> Response<ResponseBody> {
    if let Some(origin) = record.upstream_origin() {
        forwarder.pool().forget_http2(origin);
    }
    answered(record, local(StatusCode::BAD_GATEWAY, "The answer of the upstream was refused"))
}
