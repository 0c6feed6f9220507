//! `header`: sets headers on the upstream request (pipeline spec 5.2). This is what injects credentials.
//!
//! Every header named here is set even when its template renders to nothing, so that a caller's own
//! header of that name never survives.

use std::collections::BTreeMap;

use http::header::{self, HeaderName, HeaderValue};
use keyward_core::diagnostic::Diagnostic;
use keyward_core::document::{Node, decode};
use keyward_core::gate::GatedRequest;
use keyward_core::pipeline::denial::{Denial, Reason};
use keyward_core::pipeline::step::Step;
use keyward_core::pipeline::{BindContext, HandlerKind, Mutator, MutatorKind};
use keyward_core::ports::UnixTime;
use keyward_core::session::Session;

use crate::framing::is_framing;
use crate::rendered::{Rendered, trimmed};

/// Settings of `header`.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HeaderConfig {
    /// Header names and the templates of their values.
    #[schemars(with = "BTreeMap<String, String>")]
    pub headers: Node,
}

/// Ready to run.
pub struct Header {
    headers: Box<[Set]>,
    /// Of headers that are ignored: never sent, but who fails them is denied, as in the reference.
    ignored: Box<[Rendered]>,
}

struct Set {
    name: HeaderName,
    value: SetValue,
}

enum SetValue {
    /// The same for every request: prebuilt, shared by reference count.
    Constant(HeaderValue),
    /// Rendered against the session.
    PerRequest(Box<Rendered>),
}

/// The row of the table.
pub struct Kind;

impl HandlerKind for Kind {
    fn id(&self) -> &'static str {
        "header"
    }

    fn settings(&self, generator: &mut schemars::SchemaGenerator) -> Option<schemars::Schema> {
        Some(generator.subschema_for::<HeaderConfig>())
    }
}

impl MutatorKind for Kind {
    fn bind(&self, config: &Node, context: &BindContext<'_>) -> Result<Box<dyn Mutator>, Diagnostic> {
        let HeaderConfig { headers } = decode(config)?;
        let mut bound: Vec<Set> = Vec::new();
        let mut ignored = Vec::new();
        for rendered in Rendered::compile_all(&headers, context)? {
            let name = HeaderName::from_bytes(rendered.name.as_bytes()).map_err(|_| {
                Diagnostic::error(format!("`{}` is not a header name", rendered.name)).at(&rendered.place.origin)
            })?;
            if is_framing(&name) {
                warn_about_ignored(&name, &rendered, context);
                ignored.push(rendered);
                continue;
            }
            let set = bind_one(name, rendered, context)?;
            // Two spellings of one name are one header; the rule's, written later, wins.
            bound.retain(|earlier| earlier.name != set.name);
            bound.push(set);
        }
        ignored.retain(Rendered::is_per_request);
        Ok(Box::new(Header { headers: bound.into(), ignored: ignored.into() }))
    }
}

/// As in the reference, where they say where the message goes or how long it is.
fn warn_about_ignored(name: &HeaderName, rendered: &Rendered, context: &BindContext<'_>) {
    let finding = if name == header::HOST {
        Diagnostic::warning("`Host` cannot be set by a mutator and is ignored, as in the reference")
            .hint("use `upstream.url` and `upstream.preserve_host`")
    } else {
        Diagnostic::warning(format!("`{}` belongs to the connection and is ignored", rendered.name))
    };
    context.warn(finding.at(&rendered.place.origin));
}

fn bind_one(name: HeaderName, rendered: Rendered, context: &BindContext<'_>) -> Result<Set, Diagnostic> {
    let origin = rendered.place.origin.clone();
    let written = &rendered.name;
    let value = match rendered.template.constant() {
        Some(text) => {
            warn_about_unencoded_basic(&name, text, &rendered, context);
            let mut value = HeaderValue::from_str(trimmed(text)).map_err(|_| {
                Diagnostic::error(format!("the value of `{written}` holds characters that are not allowed in a header"))
                    .at(&origin)
                    .hint("look for a line break at the end of the secret")
            })?;
            value.set_sensitive(rendered.template.is_sensitive());
            SetValue::Constant(value)
        }
        None => SetValue::PerRequest(Box::new(rendered)),
    };
    Ok(Set { name, value })
}

/// RFC 7617 wants `user:password` in base64. Sent as is, like the reference does, but said.
fn warn_about_unencoded_basic(name: &HeaderName, text: &str, rendered: &Rendered, context: &BindContext<'_>) {
    let credential = text.strip_prefix("Basic ").unwrap_or_default();
    if name == header::AUTHORIZATION && credential.contains(':') {
        context.warn(
            Diagnostic::warning("the Basic credential holds `user:password` without base64 encoding")
                .at(&rendered.place.origin)
                .hint("write `{{ env \"NAME\" | b64enc }}` if the upstream expects RFC 7617 credentials"),
        );
    }
}

impl Mutator for Header {
    fn mutate<'a>(
        &'a self,
        request: &'a GatedRequest,
        session: &'a mut Session,
        _: UnixTime,
    ) -> Step<'a, Result<(), Denial>> {
        if let Err(denial) = self.ignored.iter().try_for_each(|rendered| rendered.render(request, session).map(drop)) {
            return Step::Ready(Err(denial));
        }
        Step::Ready(self.headers.iter().try_for_each(|set| {
            let value = match &set.value {
                SetValue::Constant(value) => value.clone(),
                SetValue::PerRequest(rendered) => header_value(rendered, request, session)?,
            };
            session.set_header(set.name.clone(), value);
            Ok(())
        }))
    }

    fn reads_captures(&self) -> bool {
        let of_headers = self.headers.iter().filter_map(|set| match &set.value {
            SetValue::Constant(_) => None,
            SetValue::PerRequest(rendered) => Some(&**rendered),
        });
        of_headers.chain(&self.ignored).any(|rendered| rendered.template.reads_captures())
    }

    fn written_headers(&self) -> Vec<HeaderName> {
        self.headers.iter().map(|set| set.name.clone()).collect()
    }

    fn credential_headers(&self) -> Vec<HeaderName> {
        self.headers.iter().map(|set| set.name.clone()).filter(|name| *name == header::AUTHORIZATION).collect()
    }
}

fn header_value(rendered: &Rendered, request: &GatedRequest, session: &Session) -> Result<HeaderValue, Denial> {
    let text = rendered.render(request, session)?;
    let mut value = HeaderValue::from_str(trimmed(&text)).map_err(|_| {
        Denial::internal(
            Reason::MutationFailed,
            format!("the rendered value of `{}` holds characters that are not allowed in a header", rendered.name),
        )
    })?;
    value.set_sensitive(rendered.template.is_sensitive());
    Ok(value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::bench::Bench;

    /// Rules are shown without what is written there, and audit records say where a credential was.
    #[test]
    fn what_it_writes_is_named_and_authorization_is_always_a_credential() {
        let config = json!({"headers": {"Authorization": "abc", "X-User": "{{ print .Subject }}"}});
        let bound = Bench::new(&[]).bind_mutator(&Kind, &config);
        let mut written = bound.written_headers();
        written.sort_by(|one, other| one.as_str().cmp(other.as_str()));
        assert_eq!(written, [header::AUTHORIZATION, HeaderName::from_static("x-user")]);
        assert_eq!(bound.credential_headers(), [header::AUTHORIZATION]);
    }

    #[test]
    fn basic_credentials_that_nobody_encoded_are_told_of() {
        let rows = [
            ("Authorization", "Basic ci:secret", 1),
            ("Authorization", "Basic Y2k6c2VjcmV0", 0),
            ("Authorization", "Bearer ci:secret", 0),
            ("X-Authorization", "Basic ci:secret", 0),
        ];
        for (name, value, expected) in rows {
            let warnings = Bench::new(&[]).warnings_about(&Kind, &json!({"headers": {name: value}}));
            let told = warnings.iter().filter(|warning| warning.contains("without base64 encoding")).count();
            assert_eq!((told, warnings.len()), (expected, expected), "{name}: {value}: {warnings:?}");
        }
    }
}
