//! HTTP/1.1 on one connection: hyper while requests come, and hardly any memory while none do.
//!
//! hyper keeps buffers for a connection that has nothing to say. One that has been quiet for a moment is taken from
//! it, and given back with the first byte that comes.

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::aside::Aside;
use super::connection::{Connection, ConnectionOptions};
use super::scanned_io::{Readable, ScannedIo};
use super::service::Service;
use super::{drain, late_head};

/// Between two looks whether a connection is quiet. Who asks again sooner pays nothing for what others save.
const LOOK: Duration = Duration::from_secs(2);
/// Until the next look of one that could have rested, but for others.
const SOON: Duration = Duration::from_millis(500);

/// Since when nothing has been asked for.
#[derive(Clone, Copy)]
struct Silence {
    /// Requests that came before it.
    after: u64,
    since: Instant,
}

/// Why hyper is to let go of a connection.
#[derive(Debug, PartialEq, Eq)]
enum Quiet {
    /// Nothing is under way: it can be taken apart.
    AtRest,
    /// It ends as soon as it can.
    Over,
    /// The drain has begun.
    Drains,
}

/// What hyper leaves of a connection.
enum Left<T> {
    /// All of it: nothing is under way.
    AtRest(ScannedIo<T>),
    /// A head that did not end in time.
    LateHead(ScannedIo<T>),
    /// Nothing.
    Nothing,
}

/// Serves a connection to its end. `header_timeout` is what is left of the limit for the first head.
pub(super) async fn serve<T: AsyncRead + AsyncWrite + Readable + Unpin + Send + 'static>(
    stream: T,
    connection: Rc<Connection>,
    options: &ConnectionOptions,
    header_timeout: Duration,
    service: Rc<Service>,
    mut shutdown: watch::Receiver<bool>,
) {
    let verdict = connection.verdict.clone();
    let mut io = ScannedIo::new(stream, verdict, header_timeout, options.write_timeout);
    let silence = Cell::new(Silence { after: 0, since: Instant::now() });
    loop {
        // Boxed, so that its room is given back while the connection rests.
        let conversation = Box::pin(converse(io, &connection, options, service.clone(), shutdown.clone(), &silence));
        io = match conversation.await {
            Left::AtRest(io) => io,
            Left::LateHead(io) => {
                service.late(&connection);
                late_head::tell(io, options.write_timeout).await;
                break;
            }
            Left::Nothing => break,
        };
        io.rest();
        let comes = tokio::select! {
            biased;
            _ = poll_fn(|cx| io.poll_readable(cx)) => true,
            () = drain::is_over(&mut shutdown) => false,
            () = sleep_until(silence.get().since + options.idle_timeout) => false,
        };
        if !comes {
            // The peer may be gone already, or read nothing.
            let _ = timeout(options.write_timeout, io.shutdown()).await;
            break;
        }
    }
    if let Some(tunnel) = connection.tunnel.take() {
        let _ = tunnel.await;
    }
}

/// Lets hyper serve until the connection ends, or has nothing under way.
async fn converse<T: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    io: ScannedIo<T>,
    connection: &Rc<Connection>,
    options: &ConnectionOptions,
    service: Rc<Service>,
    mut shutdown: watch::Receiver<bool>,
    silence: &Cell<Silence>,
) -> Left<T> {
    let own = connection.clone();
    let handler = service.clone();
    let handler = service_fn(move |request| handler.clone().serve(request, own.clone()));
    let mut builder = http1::Builder::new();
    builder.header_read_timeout(None).max_buf_size(64 * 1024).half_close(false).writev(false);
    let mut served = builder.serve_connection(TokioIo::new(io), handler).with_upgrades();
    let records = service.clone();
    let mut quiet = Aside::new(Box::pin(async move {
        tokio::select! {
            _ = shutdown.wait_for(|begun| *begun) => Quiet::Drains,
            quiet = grows_quiet(connection, &service, options.idle_timeout, silence) => quiet,
        }
    }));
    let outcome = tokio::select! {
        biased;
        outcome = &mut served => outcome,
        quiet = &mut quiet => match quiet {
            Quiet::AtRest => {
                return match served.into_parts() {
                    // Never otherwise: every byte that came belongs to a request that was answered.
                    Some(parts) if parts.read_buf.is_empty() => Left::AtRest(parts.io.into_inner()),
                    _ => Left::Nothing,
                };
            }
            Quiet::Over => {
                Pin::new(&mut served).graceful_shutdown();
                (&mut served).await
            }
            Quiet::Drains => {
                let is_busy = || connection.active.get() > 0;
                Box::pin(drain::to_the_end(&mut served, is_busy, |served| served.graceful_shutdown())).await
            }
        },
    };
    if let Err(error) = outcome {
        records.unread(connection, &error);
        if let Some(parts) = served.into_parts()
            && parts.io.inner().is_late()
        {
            return Left::LateHead(parts.io.into_inner());
        }
    }
    Left::Nothing
}

/// Looks now and then, so that no request pays for a timer. Resolves at the second look between which nothing was
/// asked for, when nothing is under way; otherwise when that has lasted for the limit, give or take a look. A head
/// that has begun has a limit of its own, at which the caller is told.
async fn grows_quiet(connection: &Connection, service: &Service, limit: Duration, silence: &Cell<Silence>) -> Quiet {
    let usual = LOOK.min(limit / 4);
    let mut pause = usual;
    loop {
        sleep(pause).await;
        pause = usual;
        let (requests, Silence { after, since }) = (connection.requests.get(), silence.get());
        if connection.active.get() > 0 || requests != after {
            silence.set(Silence { after: requests, since: Instant::now() });
        } else if since.elapsed() >= limit && !connection.verdict.is_inside_head() {
            return Quiet::Over;
        } else if connection.verdict.is_at_rest_after(requests) {
            if service.lets_rest() {
                return Quiet::AtRest;
            }
            pause = usual.min(SOON);
        }
    }
}
