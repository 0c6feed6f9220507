//! How a denial is answered: the first error handler that is responsible (pipeline spec 7.1).

use crate::pipeline::RequestFacts;
use crate::pipeline::denial::{Denial, ErrorKind};
use crate::pipeline::error_response::{self, ErrorResponse};
use crate::rule::Rule;
use crate::rule::compile::BoundErrorHandler;

/// Asks the rule's handlers in order, then the fallback's. When none is responsible the denial is
/// answered as plainly as can be, with its own status and nothing else.
pub fn answer(
    rule: Option<&Rule>,
    fallback: &[BoundErrorHandler],
    denial: &Denial,
    request: &RequestFacts<'_>,
) -> ErrorResponse {
    responsible(rule, fallback, denial, request)
        .map_or_else(|| unanswered(denial.error), |bound| bound.handler.respond(denial, request))
}

/// The handler that answers a denial, if there is one.
pub fn responsible<'h>(
    rule: Option<&'h Rule>,
    fallback: &'h [BoundErrorHandler],
    denial: &Denial,
    request: &RequestFacts<'_>,
) -> Option<&'h BoundErrorHandler> {
    let own = rule.map_or(&[][..], |rule| &rule.errors);
    own.iter().chain(fallback).find(|bound| bound.when.holds(denial, request))
}

fn unanswered(error: ErrorKind) -> ErrorResponse {
    error_response::json(error.status(), error.generic_message(), None, None)
}
