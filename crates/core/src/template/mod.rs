//! Go `text/template` with Oathkeeper's and common sprig functions, as far as rules use it
//! (pipeline spec 6).
//!
//! Templates are compiled when rules load: functions and their argument counts are checked, `env` and `secret`
//! are resolved, and whatever does not depend on the request is folded into text. What is not supported is
//! refused by name at that point, never at the first request.

mod ast;
mod error;
mod eval;
mod fields;
mod fold;
mod format;
mod function;
mod functions;
mod header;
mod lex;
mod literal;
mod number;
mod parse;
mod runes;
mod session_json;
mod size;
pub(crate) mod url;
mod value;

use std::sync::Arc;

use http::HeaderMap;
use zeroize::Zeroizing;

pub use error::{RenderError, TemplateError};

use crate::credential::Credential;
use crate::gate::GatedRequest;
use crate::members::Members;
use crate::ports::{Clock, Random, SecretSource};
use crate::session::Session;
use fold::Calls;
use function::Surroundings;

/// How many calls of functions that take long a template may have, and how many it may make.
const MAX_EXPENSIVE: usize = 10;

/// A compiled template.
pub struct Template {
    nodes: Vec<ast::Node>,
    definitions: ast::Definitions,
    constant: Option<Zeroizing<String>>,
    facts: ast::Facts,
    size: usize,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

/// What a template can see (pipeline spec 1.6).
pub struct TemplateData<'a> {
    /// `.Subject`
    pub subject: &'a str,
    /// `.Extra`
    pub extra: Option<&'a Members>,
    /// `.Header`
    pub header: &'a HeaderMap,
    /// `.MatchContext.RegexpCaptureGroups`
    pub captures: &'a [String],
    /// `.MatchContext.Method`
    pub method: &'a str,
    /// `.MatchContext.URL.Scheme`
    pub scheme: &'a str,
    /// `.MatchContext.URL.Host`
    pub host: &'a str,
    /// The canonical path, percent-encoded; `.MatchContext.URL.Path` shows it decoded.
    pub path: &'a str,
    /// `.MatchContext.URL.RawQuery`
    pub raw_query: &'a str,
    /// `.MatchContext.URL.ForceQuery`: a question mark with nothing behind it.
    pub force_query: bool,
    /// `.MatchContext.Header`
    pub request_header: &'a HeaderMap,
}

impl<'a> TemplateData<'a> {
    /// The session of a request; its own match context where it has one.
    pub fn new(session: &'a Session, request: &'a GatedRequest) -> Self {
        let subject = session.caller.subject();
        let (extra, header, captures) = (session.extra(), &session.header, &*session.captures);
        if let Some(context) = &session.match_context {
            let url = context.url.as_ref();
            return Self {
                subject,
                extra,
                header,
                captures,
                method: &context.method,
                scheme: url.map_or("", |url| &url.scheme),
                host: url.map_or("", |url| &url.host),
                path: url.map_or("", |url| &url.path),
                raw_query: url.map_or("", |url| &url.raw_query),
                force_query: url.is_some_and(|url| url.force_query),
                request_header: &context.header,
            };
        }
        Self {
            subject,
            extra,
            header,
            captures,
            method: request.method().as_str(),
            scheme: request.scheme().as_str(),
            host: request.authority(),
            path: request.path(),
            raw_query: request.query().unwrap_or_default(),
            force_query: request.query() == Some(""),
            request_header: request.headers(),
        }
    }

    /// Whether there is no URL at all: a request always has a scheme.
    pub(crate) fn has_no_url(&self) -> bool {
        self.scheme.is_empty() && self.host.is_empty() && self.path.is_empty()
    }
}

impl Template {
    /// Parses, checks, resolves `env` and `secret`, and folds constants. A variable or secret that is missing or empty is
    /// an error: an empty credential is never sent.
    pub fn compile(
        text: &str,
        secrets: &dyn SecretSource,
        clock: &Arc<dyn Clock>,
        random: &Arc<dyn Random>,
    ) -> Result<Self, TemplateError> {
        let (mut nodes, mut definitions, facts) = parse::parse(text, secrets)?;
        let around = Surroundings { clock: &**clock, random: &**random };
        if facts.expensive > MAX_EXPENSIVE {
            return Err(TemplateError::new(text, 0, "too many calls of functions that take long"));
        }
        definitions.values_mut().chain([&mut nodes]).for_each(|nodes| fold::fold(nodes, &around));
        let calls = Calls::of(&nodes, &definitions);
        if let Some(name) = calls.expensive
            && facts.reads_request
        {
            let message = format!("`{name}` takes too long to be run for every request");
            let hint = "call it with what does not depend on the request; it then runs once, at load";
            return Err(TemplateError::new(text, 0, message).with_hint(hint));
        }
        let size = size::expected(&nodes);
        let (reads_request, expensive) = (facts.reads_request, calls.expensive.is_some());
        let (clock, random) = (clock.clone(), random.clone());
        let mut template = Self { nodes, definitions, constant: None, facts, size, clock, random };
        // What is expensive runs once, even where it takes random bytes.
        if !reads_request && (!calls.outside || expensive) {
            let mut rendered = Zeroizing::new(String::new());
            template
                .render(&EMPTY.with(), &mut rendered)
                .map_err(|error| TemplateError::new(text, 0, error.to_string()))?;
            template.constant = Some(rendered);
            // Nothing is run again.
            (template.nodes, template.definitions) = Default::default();
        }
        Ok(template)
    }

    /// The text it always renders to, when nothing in it depends on the request.
    pub fn constant(&self) -> Option<&str> {
        self.constant.as_ref().map(|text| text.as_str())
    }

    /// How much it can be expected to write, in bytes: what a buffer for it should hold.
    pub fn expected_size(&self) -> usize {
        self.constant().map_or(self.size, str::len)
    }

    /// Whether it holds a secret (`env`, `secret`).
    pub fn is_sensitive(&self) -> bool {
        !self.facts.credentials.is_empty()
    }

    /// The secrets it holds, each once.
    pub fn credentials(&self) -> &[Credential] {
        &self.facts.credentials
    }

    /// Whether it reads the capture groups of the rule's pattern.
    pub fn reads_captures(&self) -> bool {
        self.facts.reads_captures
    }

    /// Renders against a session, appending to `out`.
    pub fn render(&self, data: &TemplateData<'_>, out: &mut String) -> Result<(), RenderError> {
        match &self.constant {
            Some(text) => {
                out.push_str(text);
                Ok(())
            }
            None => {
                let around = Surroundings { clock: &*self.clock, random: &*self.random };
                eval::render(&self.nodes, &self.definitions, data, &around, self.facts.mutates, out)
            }
        }
    }
}

/// Hides the secrets that a compiled template holds.
impl std::fmt::Debug for Template {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Template").field("facts", &self.facts).finish_non_exhaustive()
    }
}

/// What a constant template is rendered against.
struct Empty(std::sync::LazyLock<HeaderMap>);

static EMPTY: Empty = Empty(std::sync::LazyLock::new(HeaderMap::new));

impl Empty {
    fn with(&'static self) -> TemplateData<'static> {
        TemplateData {
            subject: "",
            extra: None,
            header: &self.0,
            captures: &[],
            method: "",
            scheme: "",
            host: "",
            path: "",
            raw_query: "",
            force_query: false,
            request_header: &self.0,
        }
    }
}

#[cfg(test)]
mod golden;
#[cfg(test)]
mod tests;
