//! One request from its head to the answer's: the walk through gate, rules, decision and upstream. It
//! holds no policy of its own.

use std::cell::Cell;
use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::header::CONNECTION;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body::Body;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use keyward_core::gate::{Arrival, GatedRequest, admit};
use keyward_core::pipeline::decide::decide_observed;
use keyward_core::pipeline::denial::{Denial, ErrorKind};
use keyward_core::pipeline::grant::Grant;
use keyward_core::ports::{LocalFuture, UnixTime};
use keyward_core::rule::Rule;

use super::answers::{local, preflight_answer, shed};
use super::body::{BodyFault, RequestBody, RequestTally, ResponseBody, UpstreamBody};
use super::completion::{Asked, Completion, Sinks};
use super::connection::Connection;
use super::echoes::{self, Beginning, Looked};
use super::held_body::HeldBody;
use super::in_force::{Follower, InForce};
use super::panics::{caught, survived};
use super::stall::Stall;
use super::upgrade::tunnel;
use crate::cors;
use crate::echo::{Values, Watch};
use crate::http2::{waits_for_caller, without_body};
use crate::serving::Live;
use crate::upstream::answer::{Answer, AnswerBody};
use crate::upstream::exchange::Exchange;

/// Says under which version of the rules an answer was given, where that is asked for.
pub const RULES_VERSION: HeaderName = HeaderName::from_static("x-keyward-rules-version");

/// So many connections are put to rest between two upkeeps. The allocator gives freed memory back after 10 ms, and every
/// millisecond's worth of further freeing puts that off: where thousands rest at once, nothing would come back.
const RESTS: u32 = 32;

/// One core's service.
pub struct Service {
    follower: Follower,
    pub(super) sinks: Rc<Sinks>,
    /// What requests without a body have in common.
    no_body: Rc<RequestTally>,
    /// Connections put to rest since the last upkeep.
    rested: Cell<u32>,
}

/// Limits on bodies.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimits {
    /// The longest pause in a request's body.
    pub request_pause: Duration,
    /// The longest pause in an answer's.
    pub answer_pause: Duration,
    /// The longest request body, in bytes.
    pub request_bytes: Option<u64>,
}

/// A request that matched a rule, and what has to be remembered until its answer.
struct Matched {
    record: Box<Completion>,
    request: GatedRequest,
    rule: Arc<Rule>,
    body: HeldBody,
    client_upgrade: Option<OnUpgrade>,
}

/// A request on its way to the upstream.
struct Sending<'f> {
    record: Box<Completion>,
    client_upgrade: Option<OnUpgrade>,
    begun: Instant,
    answer: Exchange<'f>,
    /// What must not come back.
    values: Option<Rc<Values>>,
}

impl Service {
    /// A service over what is in force, whatever that is when a request arrives.
    pub fn new(live: Arc<ArcSwap<Live>>, sinks: Rc<Sinks>) -> Self {
        sinks.metrics.begin(live.load().snapshot.generation);
        Self {
            follower: Follower::new(live),
            sinks,
            no_body: Rc::new(RequestTally::of_nothing()),
            rested: Cell::new(0),
        }
    }

    /// Regular upkeep: hands audit records over, and lets go of what is no longer in force.
    pub fn keep_up(&self) {
        self.sinks.audit.flush();
        self.current();
        self.rested.set(0);
    }

    /// Whether one more connection may be put to rest now.
    pub fn lets_rest(&self) -> bool {
        let rested = self.rested.get();
        self.rested.set(rested.saturating_add(1));
        rested < RESTS
    }

    /// Regular upkeep: drops upstream connections that have been idle too long.
    pub fn sweep(&self) {
        self.current().forwarder.pool().sweep();
    }

    /// Serves one request. Never fails: whatever goes wrong has an answer.
    ///
    /// What needs no waiting is done before there is a future, which would have to keep room for it.
    pub fn serve(
        self: Rc<Self>,
        request: Request<Incoming>,
        connection: Rc<Connection>,
    ) -> impl Future<Output = Result<Response<ResponseBody>, Infallible>> {
        let is_http1 = request.version() < Version::HTTP_2;
        let is_head = request.method() == Method::HEAD;
        let in_force = self.current();
        let rules_version = in_force.live.snapshot.version_header.clone();
        let mut verdict = None;
        let arrived = caught(|| {
            let policy = in_force.live.serving.proxy_cors.as_ref();
            verdict = policy.map(|policy| Box::new(policy.judge(request.method(), request.headers())));
            let preflight = matches!(verdict.as_deref(), Some(cors::Verdict::Preflight(_)));
            self.arrive(request, connection, in_force, preflight)
        });
        async move {
            let response = match arrived {
                Some(Ok(exchange)) => survived(exchange).await,
                Some(Err(response)) => Some(*response),
                None => None,
            };
            let mut response = response.unwrap_or_else(|| self.panicked());
            if let Some(cors::Verdict::Preflight(fields) | cors::Verdict::Actual(fields)) = verdict.map(|v| *v) {
                cors::apply(fields, response.headers_mut());
            }
            if let Some(version) = rules_version {
                response.headers_mut().insert(RULES_VERSION, version);
            }
            if !is_http1 {
                response.headers_mut().remove(CONNECTION);
                if is_head && matches!(response.body(), ResponseBody::Full(_)) {
                    response = without_body(response, ResponseBody::full(Bytes::new()));
                }
                waits_for_caller(true);
            }
            Ok(response)
        }
    }

    #[cold]
    fn panicked(&self) -> Response<ResponseBody> {
        self.sinks.metrics.shared().panics.inc();
        local(ErrorKind::Internal.status(), ErrorKind::Internal.generic_message())
    }

    /// From the head to the rule, and what comes after that as a future. It is large, so it is boxed where it is made:
    /// handed on otherwise, it is copied.
    fn arrive(
        self: &Rc<Self>,
        request: Request<Incoming>,
        connection: Rc<Connection>,
        in_force: Rc<InForce>,
        preflight: bool,
    ) -> Result<LocalFuture<'static, Response<ResponseBody>>, Box<Response<ResponseBody>>> {
        let number = connection.requests.replace(connection.requests.get() + 1);
        let (snapshot, limits) = (&in_force.live.snapshot, in_force.live.serving.bodies);
        let (mut head, body) = request.into_parts();
        let arrival = Arrival { tls: connection.tls, peer: connection.peer, violation: connection.verdict.on(number) };
        let (sinks, method) = (self.sinks.clone(), head.method.clone());
        let tally = if body.is_end_stream() { self.no_body.clone() } else { Rc::default() };
        let mut record = Completion::begin(sinks, in_force.clone(), connection, method, &head.headers, tally);
        let request = match admit(&mut head, &arrival, &snapshot.gate) {
            Ok(request) => request,
            Err(reason) => return Err(self.refuse(record, reason, &head).into()),
        };
        record.asked = Asked::Canonical(request.target().clone());
        let dropped = request.underscores_dropped();
        if dropped > 0 {
            let (request_id, trace_id) = record.name().shown();
            tracing::debug!(request_id, trace_id, dropped, "headers with `_` in their names were dropped");
        }
        if self.sinks.sheds(&record) {
            return Err(shed(record).into());
        }
        if preflight {
            return Err(preflight_answer(record).into());
        }
        let rule = match snapshot.rules.find(&request) {
            Ok(rule) => rule.clone(),
            Err(denial) => return Err(self.deny(record, None, &denial, &request).into()),
        };
        record.rule = Some(rule.number());
        // Where hyper keeps what `hyper::upgrade::on` hands out.
        let client_upgrade = request.upgrade().and_then(|_| head.extensions.remove::<OnUpgrade>());
        let body = RequestBody::new(body, record.tally.clone(), limits.request_pause, limits.request_bytes);
        let body = HeldBody::new(body, snapshot.max_held_body_bytes);
        Ok(self.clone().exchange(Matched { record, request, rule, body, client_upgrade }, in_force))
    }

    /// From the rule to the answer's head. Boxed here, and not an `async fn`, which would keep its arguments twice.
    fn exchange(
        self: Rc<Self>,
        mut matched: Matched,
        in_force: Rc<InForce>,
    ) -> LocalFuture<'static, Response<ResponseBody>> {
        Box::pin(async move {
            let now = unix(matched.record.arrived_at());
            let Matched { record, request, rule, body, .. } = &mut matched;
            let decided = decide_observed(rule, request, body, now, record.steps()).await;
            let Sending { mut record, client_upgrade, begun, answer, values } =
                match self.send(matched, decided, &in_force) {
                    Ok(sending) => sending,
                    Err(response) => return response,
                };
            let outcome = answer.await;
            record.upstream_duration = Some(begun.elapsed());
            let mut answer = match outcome {
                Ok(answer) => answer,
                Err(error) => return self.upstream_failed(record, &error),
            };
            record.answered_with(answer.status());
            let Some(values) = values else { return self.relay(record, answer, client_upgrade, None) };
            let watch = match echoes::look(&mut record, &mut answer, values) {
                Looked::Passes(watch) => watch,
                Looked::Refused => return echoes::refused(record, &in_force.forwarder),
            };
            match watch {
                Some(watch) if watch.holds() => {
                    self.begin(Box::new((record, answer, watch)), client_upgrade, in_force).await
                }
                watch => self.relay(record, answer, client_upgrade, watch),
            }
        })
    }

    /// From an answer's head to as much of its body as has to be known before it is passed on. Apart, so that nothing of
    /// it takes room in the exchanges that need not wait for that.
    #[cold]
    fn begin(
        self: Rc<Self>,
        begun: Box<(Box<Completion>, Box<Answer>, Watch)>,
        client_upgrade: Option<OnUpgrade>,
        in_force: Rc<InForce>,
    ) -> LocalFuture<'static, Response<ResponseBody>> {
        Box::pin(async move {
            let (mut record, mut answer, mut watch) = *begun;
            match echoes::begin(&mut record, answer.body_mut(), &mut watch).await {
                Beginning::Known => self.relay(record, answer, client_upgrade, Some(watch)),
                Beginning::Refused => echoes::refused(record, &in_force.forwarder),
                Beginning::Broken(error) => self.upstream_failed(record, &error),
            }
        })
    }

    /// From the decision to the upstream. Nothing of it is kept while waiting.
    fn send<'f>(
        &self,
        matched: Matched,
        decided: Result<Grant, Denial>,
        in_force: &'f InForce,
    ) -> Result<Sending<'f>, Response<ResponseBody>> {
        let Matched { mut record, request, rule, body, client_upgrade } = matched;
        let grant = match decided {
            Ok(grant) => grant,
            Err(denial) => {
                if let Some(fault) = record.tally.fault.get() {
                    record.caller = denial.caller.clone();
                    return Err(fault.refuse(record));
                }
                return Err(self.deny(record, Some(&rule), &denial, &request));
            }
        };
        record.caller = Some(grant.caller().clone());
        let body = body.into_request_body();
        if body.announces_too_much() {
            return Err(BodyFault::TooLong.refuse(record));
        }
        let mut credentialed = match grant.credential(request, &rule) {
            Ok(credentialed) => credentialed,
            Err(refused) => return Err(self.deny(record, Some(&rule), &refused.0, &refused.1)),
        };
        record.is_forwarded = true;
        let begun = Instant::now();
        if let Some(trace) = &mut record.trace {
            trace.forward(&mut credentialed, begun);
        }
        let looks = in_force.live.serving.echoes.looks();
        let values = if looks { in_force.echoes.of(rule.number(), credentialed.injected()) } else { None };
        Ok(Sending {
            record,
            client_upgrade,
            begun,
            answer: in_force.forwarder.send(credentialed, body, begun),
            values,
        })
    }

    /// What a request is served under, from its beginning to its end.
    pub(super) fn current(&self) -> Rc<InForce> {
        self.follower.current(|live| self.sinks.metrics.begin(live.snapshot.generation))
    }

    #[expect(clippy::boxed_local, reason = "unpacked here, it is copied once less")]
    fn relay(
        &self,
        record: Box<Completion>,
        answer: Box<Answer>,
        client_upgrade: Option<OnUpgrade>,
        watch: Option<Watch>,
    ) -> Response<ResponseBody> {
        if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            let stall = Stall::new(record.live().serving.bodies.answer_pause);
            return answer.map(|incoming| ResponseBody::upstream(record, UpstreamBody { incoming, stall, watch }));
        }
        let (mut head, body) = answer.into_parts();
        head.headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        if let (Some(client), AnswerBody::Http1(body, _)) = (client_upgrade, body)
            && let Some(upstream) = body.into_switched()
        {
            let connection = record.connection().clone();
            connection.verdict.stop_scanning();
            connection.tunnel.set(Some(tunnel(client, upstream, record)));
        }
        Response::from_parts(head, ResponseBody::full(Bytes::new()))
    }
}

fn unix(time: SystemTime) -> UnixTime {
    let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    UnixTime(i64::try_from(seconds).unwrap_or(i64::MAX))
}
