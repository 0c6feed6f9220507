//! An answer is the same in whatever pieces it comes, over a real connection; what was not whole is an error; and what
//! is passed on has no field of the upstream's own hop.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::HeaderMap;
use http_body_util::BodyExt;
use keyward_core::gate::GatePolicy;
use keyward_core::rule::rule_set::RuleSet;
use keyward_server::proxy::body::RequestBody;
use keyward_server::upstream::addresses::AddressPolicy;
use keyward_server::upstream::forward::{Forwarder, UpstreamTls};
use keyward_server::upstream::pool::Pool;
use keyward_server::upstream::resolve::Resolver;
use keyward_server::upstream::tls::{client_config, http1_only, install_provider};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::task::{LocalSet, yield_now};

use crate::head::Arrived;
use crate::world::{credentialed, sound};

/// Much longer than an exchange takes.
const PATIENCE: Duration = Duration::from_secs(20);
const MAX_BYTES: usize = 16 * 1024;
/// Fields that end at one hop (RFC 9110 section 7.6.1).
const HOP_BY_HOP: [&str; 6] =
    ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "proxy-authenticate"];

/// What stays the same from one case to the next, for each thread.
struct Stage {
    runtime: Runtime,
    listener: TcpListener,
    rules: RuleSet,
    tls: UpstreamTls,
}

impl Stage {
    fn new() -> Self {
        static PROVIDER: LazyLock<()> = LazyLock::new(install_provider);
        LazyLock::force(&PROVIDER);
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let rules = sound(&format!(
            r#"
- id: everything
  match: {{url: "<**>", methods: [GET, HEAD]}}
  authenticators: [{{handler: noop}}]
  authorizer: {{handler: allow}}
  mutators: [{{handler: noop}}]
  upstream: {{url: "http://{}"}}
"#,
            listener.local_addr().unwrap()
        ));
        let any = client_config(&[], &[b"h2", b"http/1.1"]).unwrap();
        Self { runtime, listener, rules, tls: UpstreamTls { http1: http1_only(&any), any } }
    }
}

/// What somebody got.
#[derive(Debug, PartialEq, Eq)]
struct Taken {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
    trailers: Option<HeaderMap>,
}

pub(crate) fn check(data: &[u8]) {
    thread_local! {
        static STAGE: RefCell<Option<Stage>> = const { RefCell::new(None) };
    }
    if data.len() > MAX_BYTES {
        return;
    }
    STAGE.with_borrow_mut(|stage| {
        let stage = stage.get_or_insert_with(Stage::new);
        for method in ["GET", "HEAD"] {
            let whole = played(stage, method, &[data]);
            let cut = usize::from(data.first().copied().unwrap_or_default()) % data.len().max(1);
            let (first, second) = data.split_at(cut);
            let in_pieces = played(stage, method, &[first, second]);
            assert_eq!(in_pieces, whole, "{method}: cut at {cut}: {}", data.escape_ascii());
            let Some(taken) = whole else { continue };
            for (name, value) in &taken.headers {
                assert!(!HOP_BY_HOP.contains(&name.as_str()), "{name} went on");
                assert!(!value.as_bytes().iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)), "{name}: {value:?}");
            }
            let lengths: Vec<_> = taken.headers.get_all("content-length").iter().collect();
            assert!(lengths.len() <= 1, "{lengths:?}");
            if let ([length], "GET", false) = (&lengths[..], method, matches!(taken.status, 204 | 304)) {
                assert_eq!(length.to_str().unwrap().parse(), Ok(taken.body.len()), "{}", data.escape_ascii());
            }
            assert!(method == "GET" || taken.body.is_empty());
        }
    });
}

/// What is made of an upstream that writes these pieces and ends the connection; nothing when that was no answer.
fn played(stage: &Stage, method: &str, pieces: &[&[u8]]) -> Option<Taken> {
    let head = format!("{method} / HTTP/1.1\r\nHost: h\r\n\r\n");
    let request = Arrived::read(head.as_bytes()).unwrap().admit(&GatePolicy::default()).unwrap();
    let request = credentialed(&stage.rules, request).map_err(|denial| denial.error).unwrap();
    let upstream = async {
        let (mut stream, _) = stage.listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut seen = Vec::new();
        while !seen.ends_with(b"\r\n\r\n") {
            assert_ne!(stream.read_buf(&mut seen).await.unwrap(), 0, "the request is not whole");
        }
        for piece in pieces {
            // Who is not content leaves.
            if stream.write_all(piece).await.is_err() {
                break;
            }
            yield_now().await;
            yield_now().await;
        }
        // Its reader makes of the bytes what it can before they end.
        for _ in 0..16 {
            yield_now().await;
        }
        let _ = stream.shutdown().await;
        stream
    };
    let client = async {
        let pool = Rc::new(Pool::new(Duration::ZERO));
        let resolver = Rc::new(Resolver::new(Vec::new(), AddressPolicy::default()));
        let forwarder = Forwarder::new(pool, resolver, stage.tls.clone(), PATIENCE, PATIENCE);
        let answer = forwarder.send(request, RequestBody::Empty, Instant::now()).await.ok()?;
        let (head, body) = answer.into_parts();
        let body = body.collect().await.ok()?;
        let trailers = body.trailers().filter(|trailers| !trailers.is_empty()).cloned();
        Some(Taken { status: head.status.as_u16(), headers: head.headers, body: body.to_bytes(), trailers })
    };
    let exchange = async {
        let (taken, stream) = tokio::join!(client, upstream);
        // Leaves no connection behind that the system would remember for a minute.
        stream.set_zero_linger().unwrap();
        taken
    };
    let limited = async { tokio::time::timeout(PATIENCE, exchange).await.expect("an exchange does not end") };
    stage.runtime.block_on(LocalSet::new().run_until(limited))
}
