//! One HTTP/2 connection, of any port, from its preface to its goodbye.

mod bare;
mod frames;
mod watched_io;

use std::cell::Cell;
use std::convert::Infallible;
use std::error::Error;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use http::header::CONTENT_LENGTH;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::rt::bounds::Http2ServerConnExec;
use hyper::server::conn::http2;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

use self::watched_io::WatchedIo;
use crate::metrics::faults::Fault;
use crate::proxy::stall::Stall;

/// How long a connection without requests may take to acknowledge its end.
const GOODBYE: Duration = Duration::from_secs(5);

/// How busy a connection is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Busy {
    /// Requests handed over so far.
    pub(crate) requests: u64,
    /// Exchanges that have not ended.
    pub(crate) active: u32,
}

thread_local! {
    /// Whether the stream whose task was polled last waits for its caller; nothing when it has not told.
    static WAITS_FOR_CALLER: Cell<Option<bool>> = const { Cell::new(None) };
}

/// Told by what is polled within a stream's task: it has handed over what the caller has to take before it is asked for
/// more, or it waits for something else.
pub(crate) fn waits_for_caller(waits: bool) {
    WAITS_FOR_CALLER.set(Some(waits));
}

/// Spawns the tasks of streams on the current local runtime, and ends those whose caller leaves unread what it is sent:
/// HTTP/2's windows let it do so for as long as it likes, on a connection that is alive.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StreamExecutor {
    unread: Duration,
}

impl<F: Future<Output = ()> + 'static> hyper::rt::Executor<F> for StreamExecutor {
    fn execute(&self, task: F) {
        let mut unread = Stall::new(self.unread);
        tokio::task::spawn_local(async move {
            let mut task = pin!(task);
            let mut waits = false;
            poll_fn(|cx| {
                WAITS_FOR_CALLER.set(None);
                if task.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(());
                }
                if let Some(told) = WAITS_FOR_CALLER.get() {
                    waits = told;
                    unread.reset();
                }
                if waits { unread.poll(cx) } else { Poll::Pending }
            })
            .await;
        });
    }
}

/// What a connection may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// From the beginning of a field block to its end.
    pub(crate) header: Duration,
    /// Without requests.
    pub(crate) idle: Duration,
    /// Until the caller takes what it is sent.
    pub(crate) write: Duration,
    /// The largest field section that is read, as RFC 9113 section 6.5.2 counts: the h2 crate answers 431 beyond that, and
    /// ends the connection beyond four times as much.
    pub(crate) field_section: u32,
}

/// Serves until the peer leaves, a limit ends it, or the drain begins and the exchanges under way have ended. What the
/// peer does wrong is told.
pub(crate) async fn serve<T, S, B>(
    stream: T,
    service: S,
    busy: impl Fn() -> Busy,
    limits: Limits,
    tell: impl Fn(Fault) + Unpin,
    mut shutdown: watch::Receiver<bool>,
) where
    T: AsyncRead + AsyncWrite + Unpin + 'static,
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    B: Body + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
    StreamExecutor: Http2ServerConnExec<S::Future, B>,
{
    let mut builder = http2::Builder::new(StreamExecutor { unread: limits.write });
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(limits.idle)
        .max_concurrent_streams(100)
        .initial_stream_window_size(64 * 1024)
        .initial_connection_window_size(1024 * 1024)
        .max_header_list_size(limits.field_section)
        .max_local_error_reset_streams(256);
    let stream = WatchedIo::new(stream, limits.header, tell);
    let served = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(served);
    tokio::select! {
        biased;
        _ = served.as_mut() => return,
        _ = shutdown.wait_for(|begun| *begun) => {}
        () = idle(&busy, limits.idle) => {}
    }
    served.as_mut().graceful_shutdown();
    tokio::select! {
        biased;
        _ = served => {}
        () = idle(&busy, GOODBYE) => {}
    }
}

/// What answers a HEAD request: the body stays behind, and its length is told. hyper sees to that for HTTP/1.1
/// only, and a peer takes a body here for an error (RFC 9113 section 8.1.1).
pub(crate) fn without_body<B: Body>(response: Response<B>, nothing: B) -> Response<B> {
    let (mut head, body) = response.into_parts();
    if let Some(length) = body.size_hint().exact().filter(|length| *length > 0) {
        head.headers.entry(CONTENT_LENGTH).or_insert(length.into());
    }
    Response::from_parts(head, nothing)
}

/// Resolves when nothing has happened on a connection for the limit, give or take a quarter. Looks now and
/// then, so that no request pays for a timer.
pub(crate) async fn idle(busy: impl Fn() -> Busy, limit: Duration) {
    let (mut seen, mut quiet) = (0, 0);
    while quiet < 4 {
        tokio::time::sleep(limit / 4).await;
        let Busy { requests, active } = busy();
        quiet = if requests == seen && active == 0 { quiet + 1 } else { 0 };
        seen = requests;
    }
}
