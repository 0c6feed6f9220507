//! The decision: one rule, one request, one outcome.
//!
//! Authenticators in order until one is responsible, then every authorizer, then every mutator
//! (pipeline spec 1.5). Whatever goes wrong is a [`Denial`]; nothing else can make a [`Grant`].

use std::borrow::Cow;

use crate::gate::GatedRequest;
use crate::pipeline::Authentication;
use crate::pipeline::denial::{Denial, ErrorKind, Reason};
use crate::pipeline::grant::Grant;
use crate::pipeline::observe::{Observer, Outcome, StepKind, Unobserved};
use crate::pipeline::step::Step;
use crate::ports::{BodySource, UnixTime};
use crate::rule::pattern::MatchError;
use crate::rule::rule_set::literal_authority;
use crate::rule::{Plan, Rule};
use crate::session::Session;

/// [`Step::finish`] in place: an answer that is there already does not pass through another future.
macro_rules! answer_to {
    ($step:expr) => {
        match $step {
            Step::Ready(answer) => answer,
            Step::Pending(future) => future.await,
        }
    };
}

/// Runs a rule. Polls to completion without any runtime as long as no handler has to wait.
pub fn decide(
    rule: &Rule,
    request: &mut GatedRequest,
    body: &mut dyn BodySource,
    now: UnixTime,
) -> impl Future<Output = Result<Grant, Denial>> {
    decide_observed(rule, request, body, now, Unobserved)
}

/// [`decide`], with every step shown to somebody.
pub async fn decide_observed<O: Observer>(
    rule: &Rule,
    request: &mut GatedRequest,
    body: &mut dyn BodySource,
    now: UnixTime,
    mut observer: O,
) -> Result<Grant, Denial> {
    let plan = rule.plan.as_ref().map_err(|problem| {
        let denial = Denial::internal(Reason::RuleBroken, problem.to_string());
        match &problem.caller_text {
            Some(text) => denial.told(text.clone()),
            None => denial,
        }
    })?;
    let allows_encoded_slashes = plan.upstream.as_ref().is_some_and(|upstream| upstream.allow_encoded_slashes);
    if request.has_encoded_slash() && !allows_encoded_slashes {
        return Err(Denial::new(ErrorKind::BadRequest, Reason::RequestRefused)
            .detail("the path holds an encoded slash; `upstream.allow_encoded_slashes` of the rule is off"));
    }
    let mut session = authenticate(plan, request, now, &mut observer).await?;
    if plan.reads_body {
        request.set_body(body.read().await.map_err(|denial| denial.of(session.caller.clone()))?);
    }
    let request = &*request;
    if plan.reads_captures {
        session.captures = captures(rule, request)?;
    }
    if let Err(mut denial) = authorize_and_mutate(plan, request, &mut session, now, &mut observer).await {
        denial.caller.get_or_insert(session.caller);
        return Err(denial);
    }
    Ok(Grant::new(session))
}

async fn authenticate<O: Observer>(
    plan: &Plan,
    request: &GatedRequest,
    now: UnixTime,
    observer: &mut O,
) -> Result<Session, Denial> {
    for bound in &plan.authenticators {
        observer.begins();
        let answer = answer_to!(bound.handler.authenticate(request, now));
        let mut step = |outcome: Outcome<'_>| observer.step(StepKind::Authenticator, bound.id, outcome);
        match answer {
            Ok(Authentication::Established(session)) => {
                step(Outcome::Passed(&session));
                return Ok(session);
            }
            Ok(Authentication::NotResponsible) => step(Outcome::NotResponsible),
            Err(denial) => {
                let denial = denial.by(bound.id);
                step(Outcome::Denied(&denial));
                return Err(denial);
            }
        }
    }
    Err(Denial::unauthorized(Reason::CredentialMissing))
}

async fn authorize_and_mutate<O: Observer>(
    plan: &Plan,
    request: &GatedRequest,
    session: &mut Session,
    now: UnixTime,
    observer: &mut O,
) -> Result<(), Denial> {
    for bound in &plan.authorizers {
        observer.begins();
        let allowed = answer_to!(bound.handler.authorize(request, session, now));
        observed(StepKind::Authorizer, bound.id, allowed, session, observer)?;
    }
    for bound in &plan.mutators {
        observer.begins();
        let mutated = answer_to!(bound.handler.mutate(request, session, now));
        observed(StepKind::Mutator, bound.id, mutated, session, observer)?;
    }
    Ok(())
}

fn observed<O: Observer>(
    kind: StepKind,
    id: &'static str,
    done: Result<(), Denial>,
    session: &Session,
    observer: &mut O,
) -> Result<(), Denial> {
    let done = done.map_err(|denial| denial.by(id));
    observer.step(kind, id, done.as_ref().map_or_else(Outcome::Denied, |()| Outcome::Passed(session)));
    done
}

fn captures(rule: &Rule, request: &GatedRequest) -> Result<Vec<String>, Denial> {
    let Some(pattern) = &rule.pattern else { return Ok(Vec::new()) };
    let failed = |error: MatchError| Denial::internal(Reason::PatternFailed, error.to_string());
    // A request that came under another name of this proxy was matched under the rule's.
    let url = match literal_authority(pattern.literal_prefix()) {
        Some((_, authority)) if authority != request.authority() => {
            Cow::Owned(format!("{}://{authority}{}", request.scheme().as_str(), request.path()))
        }
        _ => Cow::Borrowed(request.url()),
    };
    let groups = pattern.captures(&url).map_err(failed)?;
    // Rule authors expect what the reference gives them: text, not percent-encoding. The gate has
    // refused control characters and invalid UTF-8, so decoding cannot bring them back.
    Ok(groups
        .into_iter()
        .map(|group: String| percent_encoding::percent_decode_str(&group).decode_utf8_lossy().into_owned())
        .collect())
}
