//! The decision: one rule, one request, one outcome.
//!
//! Authenticators in order until one is responsible, then every authorizer, then every mutator
//! (pipeline spec 1.5). Whatever goes wrong is a [`Denial`]; nothing else can make a [`Grant`].

use crate::gate::GatedRequest;
use crate::pipeline::Authentication;
use crate::pipeline::denial::{Denial, ErrorKind, Reason};
use crate::pipeline::grant::Grant;
use crate::ports::{BodySource, UnixTime};
use crate::rule::{Plan, Rule};
use crate::session::Session;

/// Runs a rule. Polls to completion without any runtime as long as no handler has to wait.
pub async fn decide(
    rule: &Rule,
    request: &mut GatedRequest,
    body: &mut dyn BodySource,
    now: UnixTime,
) -> Result<Grant, Denial> {
    let plan = rule.plan.as_ref().map_err(|problem| {
        let denial = Denial::internal(Reason::RuleBroken, problem.to_string());
        match problem.caller_text {
            Some(text) => denial.told(text),
            None => denial,
        }
    })?;
    let allows_encoded_slashes = plan.upstream.as_ref().is_some_and(|upstream| upstream.allow_encoded_slashes);
    if request.has_encoded_slash() && !allows_encoded_slashes {
        return Err(Denial::new(ErrorKind::BadRequest, Reason::RequestRefused)
            .detail("the path holds an encoded slash; `upstream.allow_encoded_slashes` of the rule is off"));
    }
    let mut session = authenticate(plan, request, now).await?;
    if plan.reads_body {
        request.set_body(body.read().await.map_err(|denial| denial.of(session.caller.clone()))?);
    }
    let request = &*request;
    if plan.reads_captures {
        session.captures = captures(rule, request)?;
    }
    if let Err(mut denial) = authorize_and_mutate(plan, request, &mut session, now).await {
        denial.caller.get_or_insert(session.caller);
        return Err(denial);
    }
    Ok(Grant::new(session))
}

async fn authenticate(plan: &Plan, request: &GatedRequest, now: UnixTime) -> Result<Session, Denial> {
    for bound in &plan.authenticators {
        match bound.handler.authenticate(request, now).finish().await {
            Ok(Authentication::Established(session)) => return Ok(session),
            Ok(Authentication::NotResponsible) => {}
            Err(denial) => return Err(denial.by(bound.id)),
        }
    }
    Err(Denial::unauthorized(Reason::CredentialMissing))
}

async fn authorize_and_mutate(
    plan: &Plan,
    request: &GatedRequest,
    session: &mut Session,
    now: UnixTime,
) -> Result<(), Denial> {
    for bound in &plan.authorizers {
        bound.handler.authorize(request, session, now).finish().await.map_err(|denial| denial.by(bound.id))?;
    }
    for bound in &plan.mutators {
        bound.handler.mutate(request, session, now).finish().await.map_err(|denial| denial.by(bound.id))?;
    }
    Ok(())
}

fn captures(rule: &Rule, request: &GatedRequest) -> Result<Vec<String>, Denial> {
    let Some(pattern) = &rule.pattern else { return Ok(Vec::new()) };
    let groups =
        pattern.captures(request.url()).map_err(|error| Denial::internal(Reason::PatternFailed, error.to_string()))?;
    // Rule authors expect what the reference gives them: text, not percent-encoding. The gate has
    // refused control characters and invalid UTF-8, so decoding cannot bring them back.
    Ok(groups
        .into_iter()
        .map(|group: String| percent_encoding::percent_decode_str(&group).decode_utf8_lossy().into_owned())
        .collect())
}
