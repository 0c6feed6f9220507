//! Handlers with a clock, keys and side services that a test scripts.

#![allow(clippy::unwrap_used)]

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::{HeaderMap, StatusCode};
use keyward_core::credential::{Absent, NamedSecret, Uses};
use keyward_core::document::Node;
use keyward_core::gate::{Arrival, GatePolicy, GatedRequest, admit};
use keyward_core::jwt::{SigningSet, TokenCache};
use keyward_core::pipeline::denial::Denial;
use keyward_core::pipeline::shared::Shared;
use keyward_core::pipeline::{Authentication, Authenticator, AuthenticatorKind, BindContext, Mutator, MutatorKind};
use keyward_core::ports::{
    CallPolicy, Clock, KeySource, KeySources, LocalFuture, Outside, Random, SecretSource, SideAnswer, SideClient,
    SideError, SideRequest, SigningSource, UnixTime,
};
use keyward_core::rule::pattern::Strategy;
use keyward_core::secret::Secret;
use serde_json::{Value, json};

use crate::authenticators::oauth2_introspection;

/// Milliseconds since 1970 at which every test begins.
pub(crate) const BEGIN: u64 = 1_000_000_000;

/// Nothing of the outside but what these tests script.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) millis: AtomicU64,
    /// Answers to come; the last one is repeated.
    pub(crate) answers: Mutex<VecDeque<(u16, String)>>,
    /// `path body authorization` of each call.
    pub(crate) calls: Mutex<Vec<String>>,
    pub(crate) held: AtomicBool,
    /// Signing keys by their location.
    pub(crate) signing: SigningKeys,
}

impl Clock for World {
    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.millis.load(Ordering::Relaxed))
    }

    fn unix(&self) -> Duration {
        self.monotonic() + Duration::from_millis(BEGIN)
    }
}

impl Random for World {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

impl SecretSource for World {
    fn env(&self, _: &str) -> Option<Secret> {
        None
    }

    fn secret(&self, _: &str) -> Result<NamedSecret, Absent> {
        Err(Absent { cause: "there is none".to_owned(), remedy: None })
    }
}

impl KeySources for World {
    fn open(&self, _: &str) -> Result<Arc<dyn KeySource>, String> {
        Err("no keys".to_owned())
    }

    fn open_signing(&self, url: &str) -> Result<Arc<dyn SigningSource>, String> {
        Ok(Arc::new(Location { keys: self.signing.clone(), url: url.to_owned() }))
    }
}

type SigningKeys = Arc<Mutex<BTreeMap<String, Arc<SigningSet>>>>;

struct Location {
    keys: SigningKeys,
    url: String,
}

impl SigningSource for Location {
    fn current(&self) -> Option<Arc<SigningSet>> {
        self.keys.lock().unwrap().get(&self.url).cloned()
    }

    fn refresh(&self) -> LocalFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

impl SideClient for World {
    fn call<'a>(
        &'a self,
        request: SideRequest,
        policy: &'a CallPolicy,
    ) -> LocalFuture<'a, Result<SideAnswer, SideError>> {
        Box::pin(async move {
            let authorization = request.headers.get("authorization").and_then(|value| value.to_str().ok());
            let body = String::from_utf8_lossy(&request.body).into_owned();
            self.calls.lock().unwrap().push(format!("{} {body} {}", request.url, authorization.unwrap_or_default()));
            std::future::poll_fn(|_| if self.held.load(Ordering::Relaxed) { Poll::Pending } else { Poll::Ready(()) })
                .await;
            let mut answers = self.answers.lock().unwrap();
            let (status, body) =
                if answers.len() > 1 { answers.pop_front().unwrap() } else { answers.front().unwrap().clone() };
            if body.len() > policy.max_body {
                return Err(SideError::TooLong);
            }
            let status = StatusCode::from_u16(status).unwrap();
            Ok(SideAnswer { status, headers: HeaderMap::new(), body: body.into() })
        })
    }
}

/// One rule set in that world.
pub(crate) struct Bench {
    pub(crate) world: Arc<World>,
    shared: Shared,
}

impl Bench {
    pub(crate) fn new(answers: &[(u16, Value)]) -> Self {
        let world = World::default();
        *world.answers.lock().unwrap() = answers.iter().map(|(status, body)| (*status, body.to_string())).collect();
        Self { world: Arc::new(world), shared: Shared::default() }
    }

    pub(crate) fn bind(&self, kind: &dyn AuthenticatorKind, config: &Value) -> Box<dyn Authenticator> {
        self.in_context(|context| kind.bind(&Node::from_json(config, "test"), context).unwrap())
    }

    pub(crate) fn bind_mutator(&self, kind: &dyn MutatorKind, config: &Value) -> Box<dyn Mutator> {
        self.in_context(|context| kind.bind(&Node::from_json(config, "test"), context).unwrap())
    }

    /// What is said of a mutator's settings, without stopping it.
    pub(crate) fn warnings_about(&self, kind: &dyn MutatorKind, config: &Value) -> Vec<String> {
        self.in_context(|context| {
            kind.bind(&Node::from_json(config, "test"), context).unwrap();
            context.warnings.borrow().iter().map(|warning| warning.message.clone()).collect()
        })
    }

    fn in_context<T>(&self, bind: impl FnOnce(&BindContext<'_>) -> T) -> T {
        let world = &self.world;
        let outside = Outside {
            secrets: world.clone(),
            keys: world.clone(),
            tokens: Arc::new(TokenCache::new(1024)),
            side: world.clone(),
            clock: world.clone(),
            random: world.clone(),
        };
        let warnings = RefCell::default();
        let context = BindContext {
            rule_id: "r",
            strategy: Strategy::Glob,
            outside: &outside,
            shared: &self.shared,
            uses: &Uses::default(),
            warnings: &warnings,
        };
        bind(&context)
    }

    pub(crate) fn introspection(&self, over: Value) -> Box<dyn Authenticator> {
        let mut config = json!({"introspection_url": "http://hydra/introspect", "cache": {"enabled": true}});
        config.as_object_mut().unwrap().extend(over.as_object().unwrap().clone());
        self.bind(&oauth2_introspection::Kind, &config)
    }

    pub(crate) fn pass(&self, millis: u64) {
        self.world.millis.fetch_add(millis, Ordering::Relaxed);
    }

    /// The outcome, and how many calls it took.
    pub(crate) fn ask(&self, handler: &dyn Authenticator, authorization: &str) -> (Result<String, u16>, usize) {
        let before = self.world.calls.lock().unwrap().len();
        let request = request(authorization);
        let now = UnixTime(i64::try_from(self.world.unix().as_secs()).unwrap());
        let outcome = ready(handler.authenticate(&request, now).finish());
        (shown(outcome), self.world.calls.lock().unwrap().len() - before)
    }
}

pub(crate) fn request(authorization: &str) -> GatedRequest {
    let request = http::Request::builder().uri("/x").header("host", "proxy.example");
    let request = request.header("authorization", authorization).body(()).unwrap();
    let arrival = Arrival { tls: false, peer: ([127, 0, 0, 1], 1).into(), violation: None };
    admit(&mut request.into_parts().0, &arrival, &GatePolicy::default()).unwrap()
}

pub(crate) fn shown(outcome: Result<Authentication, Denial>) -> Result<String, u16> {
    match outcome {
        Ok(Authentication::Established(session)) => Ok(session.caller.subject().to_owned()),
        Ok(Authentication::NotResponsible) => Ok("not responsible".to_owned()),
        Err(denial) => Err(denial.error.status().as_u16()),
    }
}

pub(crate) fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => panic!("nothing here has to be waited for"),
    }
}
