//! Access rules: as written ([`model`]), as compiled ([`compile`]), and how one is found for a request
//! ([`rule_set`]).

pub mod alike;
mod base_path;
mod binding;
pub mod compile;
pub mod handlers;
pub mod index;
mod matches;
mod migrate;
pub mod model;
pub mod pattern;
pub mod rule_set;
mod shown;
mod spelling;
pub mod upstream;

use std::sync::Arc;

use http::HeaderName;
use http::header::AUTHORIZATION;

use crate::diagnostic::Diagnostic;
use crate::pipeline::observe::StepKind;
use crate::pipeline::{Authenticator, Authorizer, CredentialLocation, Mutator};
use crate::ports::SigningSource;
use crate::rule::compile::BoundErrorHandler;
use crate::rule::pattern::Pattern;
use crate::rule::shown::Shown;
use crate::rule::upstream::Upstream;

/// The mutator that changes nothing.
const NOOP: &str = "noop";

/// A compiled rule. A rule that could not be compiled still matches, and denies.
pub struct Rule {
    pub(crate) number: u32,
    pub(crate) id: Arc<str>,
    pub(crate) methods: Box<[http::Method]>,
    pub(crate) pattern: Option<Pattern>,
    pub(crate) plan: Result<Plan, Diagnostic>,
    pub(crate) errors: Vec<BoundErrorHandler>,
    /// The rules API shows it.
    pub(crate) is_listed: bool,
    pub(crate) shown: Shown,
}

/// What a sound rule does. There may be many thousands: slices hold no room to grow, and rules share what is the
/// same for several.
pub(crate) struct Plan {
    pub(crate) authenticators: Box<[Bound<dyn Authenticator>]>,
    pub(crate) authorizers: Box<[Bound<dyn Authorizer>]>,
    pub(crate) mutators: Box<[Bound<dyn Mutator>]>,
    pub(crate) upstream: Option<Upstream>,
    pub(crate) reads_captures: bool,
    pub(crate) reads_body: bool,
    pub(crate) credential_locations: Arc<[CredentialLocation]>,
    pub(crate) written_headers: Arc<[HeaderName]>,
    /// What the audit record names as injected.
    pub(crate) injected: Option<Arc<str>>,
    /// One of its secrets may go to some hosts only.
    pub(crate) is_bound: bool,
}

/// A handler bound to a rule, with the name the rule gave it. Rules that write the same share it.
pub(crate) struct Bound<T: ?Sized> {
    pub(crate) id: &'static str,
    pub(crate) handler: Arc<T>,
}

impl Rule {
    /// Its place in the rule set: the index of per-rule counters.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The rule's `id`; free text, maybe empty, maybe not unique.
    pub fn id(&self) -> &Arc<str> {
        &self.id
    }

    /// Why it denies everything, if it does.
    pub fn broken(&self) -> Option<&Diagnostic> {
        self.plan.as_ref().err()
    }

    /// Whether it is for RPC alone, and no HTTP request matches it (serving spec 5.1).
    pub fn is_rpc(&self) -> bool {
        self.pattern.is_none() && self.plan.is_ok()
    }

    /// Its upstream; none for a rule that only serves the decision API.
    pub fn upstream(&self) -> Option<&Upstream> {
        self.plan.as_ref().ok().and_then(|plan| plan.upstream.as_ref())
    }

    /// Every place one of its authenticators can read a credential from.
    pub fn credential_locations(&self) -> &[CredentialLocation] {
        self.plan.as_ref().map_or(&[], |plan| &plan.credential_locations)
    }

    /// Whether one of its handlers reads the request's body.
    pub fn reads_body(&self) -> bool {
        self.plan.as_ref().is_ok_and(|plan| plan.reads_body)
    }

    /// The keys its mutators sign with.
    pub fn signing_sources(&self) -> impl Iterator<Item = &Arc<dyn SigningSource>> {
        let mutators = self.plan.as_ref().map_or(&[][..], |plan| &plan.mutators);
        mutators.iter().filter_map(|bound| bound.handler.signing_source())
    }

    /// Headers its mutators write.
    pub fn written_headers(&self) -> &[HeaderName] {
        self.plan.as_ref().map_or(&[], |plan| &plan.written_headers)
    }

    /// The credentials it injects, for the audit record: secrets as `NAME@VERSION`, variables as `env:NAME`; others
    /// by the header that they stand in. With commas between.
    pub fn injected(&self) -> Option<&str> {
        self.plan.as_ref().ok().and_then(|plan| plan.injected.as_deref())
    }

    /// Whether it uses a secret that may go to some hosts only, and not to who asks the decision API.
    pub fn uses_bound_secret(&self) -> bool {
        self.plan.as_ref().is_ok_and(|plan| plan.is_bound)
    }

    /// Whether the rules API shows it, as the reference does: broken rules too, where only Keyward finds them broken.
    pub fn is_listed(&self) -> bool {
        self.is_listed
    }

    /// Whether a credential that it checks is removed, and no mutator writes another in its place.
    pub fn removes_credential(&self) -> bool {
        let forwards = self.upstream().is_none_or(|upstream| upstream.forward_caller_credential);
        let is_lost = |location: &CredentialLocation| match location {
            CredentialLocation::Bearer => !self.written_headers().contains(&AUTHORIZATION),
            CredentialLocation::Header(name) => !self.written_headers().contains(name),
            CredentialLocation::Cookie(_) | CredentialLocation::QueryParameter(_) => true,
        };
        !forwards && self.credential_locations().iter().any(is_lost)
    }

    /// Whether nothing is set on the request to its upstream.
    pub fn sets_nothing(&self) -> bool {
        self.plan.as_ref().is_ok_and(|plan| {
            !plan.authorizers.iter().any(|bound| bound.handler.sets_headers())
                && plan.mutators.iter().all(|bound| bound.id == NOOP)
        })
    }

    /// The rule as the rules API shows it, with secrets redacted (serving spec 5.1): one JSON object.
    pub fn document(&self) -> String {
        self.shown.document()
    }

    /// What it matches; none when that could not be compiled.
    pub fn pattern(&self) -> Option<&Pattern> {
        self.pattern.as_ref()
    }

    /// The port that its URL names, where host and port are written out.
    pub fn written_port(&self) -> Option<u16> {
        rule_set::written_port(self.pattern.as_ref()?.literal_prefix())
    }

    /// Its methods, as written.
    pub fn methods(&self) -> &[http::Method] {
        &self.methods
    }

    /// What a request goes through, in order; nothing for a rule that could not be compiled.
    pub fn steps(&self) -> impl Iterator<Item = (StepKind, &'static str)> {
        self.plan.iter().flat_map(|plan| {
            let authenticators = plan.authenticators.iter().map(|bound| (StepKind::Authenticator, bound.id));
            let authorizers = plan.authorizers.iter().map(|bound| (StepKind::Authorizer, bound.id));
            let mutators = plan.mutators.iter().map(|bound| (StepKind::Mutator, bound.id));
            authenticators.chain(authorizers).chain(mutators)
        })
    }

    /// Whether its method list names `method`, in any case.
    pub fn allows_method(&self, method: &http::Method) -> bool {
        self.methods.iter().any(|allowed| allowed.as_str().eq_ignore_ascii_case(method.as_str()))
    }
}
