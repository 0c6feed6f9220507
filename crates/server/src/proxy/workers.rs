//! The cores that serve: each with a runtime, a listening socket, a pool and a service of its own.

use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use keyward_core::diagnostic::Diagnostic;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::completion::Sinks;
use super::connection;
use super::listener::BACKLOG;
use super::overload::CoreLoad;
use super::pace::Pace;
use super::service::Service;
use super::turned_away::TurnedAway;
use crate::audit::handle::AuditHandle;
use crate::audit::ids::RequestIds;
use crate::echo::EchoLog;
use crate::metrics::Metrics;
use crate::metrics::shed::Shed;
use crate::metrics::worker::WorkerMetrics;
use crate::serving::Live;

/// How often a core hands over what it has gathered.
const UPKEEP: Duration = Duration::from_millis(50);
/// Every how manieth upkeep the pools are swept.
const SWEEP_EVERY: u32 = 20;
/// After a failed accept: out of descriptors, others must close first.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Between two times of saying so.
const ACCEPT_TOLD: Duration = Duration::from_secs(10);

/// What every core gets.
#[derive(Clone)]
pub struct WorkerSetup {
    /// What is in force.
    pub live: Arc<ArcSwap<Live>>,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// True once the listening sockets listen.
    pub open_for_callers: watch::Receiver<bool>,
    /// True once the drain begins.
    pub shutdown: watch::Receiver<bool>,
    /// Open connections of all cores.
    pub open: Arc<AtomicUsize>,
}

/// Starts one core on its listening socket. The thread ends when the drain has ended.
pub fn start(
    setup: WorkerSetup,
    number: usize,
    listener: TcpListener,
    audit: AuditHandle,
) -> Result<JoinHandle<()>, Diagnostic> {
    let refuse = |error: std::io::Error| Diagnostic::error(format!("a core cannot be started: {error}"));
    let (built, outcome) = std::sync::mpsc::sync_channel(1);
    let thread = std::thread::Builder::new().name(format!("core-{number}")).spawn(move || {
        // The runtime cannot leave the thread it is made on.
        let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
        match runtime {
            Ok(runtime) => {
                // Nobody waits for the outcome only when the start was given up.
                let _ = built.send(Ok(()));
                runtime.block_on(run(setup, listener, audit));
            }
            Err(error) => {
                let _ = built.send(Err(error));
            }
        }
    });
    let thread = thread.map_err(refuse)?;
    outcome.recv().unwrap_or_else(|_| Err(std::io::Error::other("its thread ended"))).map_err(refuse)?;
    Ok(thread)
}

async fn run(setup: WorkerSetup, listener: TcpListener, audit: AuditHandle) {
    let (mut open, mut shutdown) = (setup.open_for_callers.clone(), setup.shutdown.clone());
    tokio::select! {
        biased;
        _ = shutdown.wait_for(|begun| *begun) => return,
        opened = open.wait_for(|open| *open) => if opened.is_err() { return },
    }
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "a listening socket cannot be used"),
    };
    let sinks = Rc::new(Sinks {
        audit,
        metrics: WorkerMetrics::new(setup.metrics.clone()),
        request_ids: RequestIds::new(),
        load: CoreLoad::default(),
        echoes: EchoLog::default(),
        pace: Pace::default(),
    });
    let service = Rc::new(Service::new(setup.live.clone(), sinks.clone()));
    let upkeep = tokio::task::spawn_local(upkeep(service.clone(), sinks.clone(), setup.live.clone()));
    let (mut connections, mut turned_away) = (JoinSet::new(), TurnedAway::default());
    let mut told = None::<Instant>;
    let mut admit = |connections: &mut JoinSet<()>, stream: TcpStream, peer| {
        let (options, most) = {
            let live = setup.live.load();
            (live.serving.connections.clone(), live.serving.max_connections)
        };
        let Some(counted) = Counted::admit(&setup, &sinks.load, most) else {
            return turned_away.tell(stream, options.tls.is_some());
        };
        let (service, shutdown) = (service.clone(), setup.shutdown.clone());
        connections.spawn_local(async move {
            connection::serve(stream, peer, &options, service, shutdown).await;
            drop(counted);
        });
    };
    loop {
        let accepted = tokio::select! {
            biased;
            _ = shutdown.wait_for(|begun| *begun) => break,
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
        };
        match accepted {
            Ok((stream, peer)) => admit(&mut connections, stream, peer),
            Err(error) => {
                if told.is_none_or(|told| told.elapsed() >= ACCEPT_TOLD) {
                    tracing::warn!(%error, "connections cannot be accepted");
                    told = Some(Instant::now());
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    waiting(listener).for_each(|(stream, peer)| admit(&mut connections, stream, peer));
    let drained = async { while connections.join_next().await.is_some() {} };
    let patience = setup.live.load().serving.shutdown_timeout;
    if tokio::time::timeout(patience, drained).await.is_err() {
        tracing::warn!(connections = connections.len(), "the drain took too long; connections are cut off");
        connections.shutdown().await;
    }
    upkeep.abort();
}

/// Those who have been let wait, before the socket closes: whose connection stands knows of no drain.
fn waiting(listener: tokio::net::TcpListener) -> impl Iterator<Item = (TcpStream, SocketAddr)> {
    let listener = listener.into_std();
    std::iter::from_fn(move || {
        let (stream, peer) = listener.as_ref().ok()?.accept().ok()?;
        stream.set_nonblocking(true).ok()?;
        Some((TcpStream::from_std(stream).ok()?, peer))
    })
    .take(BACKLOG.into())
}

async fn upkeep(service: Rc<Service>, sinks: Rc<Sinks>, live: Arc<ArcSwap<Live>>) {
    let mut rounds = 0_u32;
    loop {
        let due = Instant::now() + UPKEEP;
        tokio::time::sleep_until(due.into()).await;
        let now = Instant::now();
        sinks.load.tick(now, now.duration_since(due), live.load().serving.max_queue_time);
        service.keep_up();
        sinks.keep_up(now);
        rounds = rounds.wrapping_add(1);
        if rounds.is_multiple_of(SWEEP_EVERY) {
            service.sweep();
        }
    }
}

/// A connection's place under the limit.
struct Counted {
    open: Arc<AtomicUsize>,
    metrics: Arc<Metrics>,
}

impl Counted {
    fn admit(setup: &WorkerSetup, load: &CoreLoad, most: usize) -> Option<Self> {
        let counted = Self { open: setup.open.clone(), metrics: setup.metrics.clone() };
        counted.metrics.connections.inc();
        let shed = if counted.open.fetch_add(1, Ordering::Relaxed) >= most {
            Shed::ConnectionOpen
        } else if load.sheds_connection() {
            Shed::ConnectionQueue
        } else {
            return Some(counted);
        };
        setup.metrics.shed.count(shed);
        None
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
        self.metrics.connections.dec();
    }
}
