//! A template of a rule with its name, as in the maps of `header`, `cookie` and `remote`: compiled once,
//! rendered per request.

use keyward_core::diagnostic::Diagnostic;
use keyward_core::document::{Node, Value, decode};
use keyward_core::gate::GatedRequest;
use keyward_core::pipeline::BindContext;
use keyward_core::pipeline::denial::{Denial, Reason};
use keyward_core::session::Session;
use keyward_core::template::{Template, TemplateData};

/// One name with its template.
pub(crate) struct Rendered {
    pub(crate) name: String,
    pub(crate) template: Template,
    pub(crate) place: Node,
}

impl Rendered {
    /// Compiles every entry of a map node, in written order.
    pub(crate) fn compile_all(map: &Node, context: &BindContext<'_>) -> Result<Vec<Self>, Diagnostic> {
        let Value::Map(entries) = &map.value else {
            return Err(Diagnostic::error(format!("expected a map of names to templates, found {}", map.value.kind()))
                .at(&map.origin));
        };
        entries.iter().map(|entry| Self::compile(&entry.key, &entry.value, context)).collect()
    }

    /// Compiles one text; `name` is what messages call it.
    pub(crate) fn compile(name: &str, node: &Node, context: &BindContext<'_>) -> Result<Self, Diagnostic> {
        let text: String = decode(node)?;
        let template =
            Template::compile(&text, &*context.outside.secrets, &context.outside.clock, &context.outside.random)
                .map_err(|error| {
                    let mut finding = Diagnostic::error(format!("template of `{name}`: {error}")).at(&node.origin);
                    finding.hint = error.hint().map(str::to_owned);
                    finding
                })?;
        context.uses.credentials(template.credentials());
        Ok(Self { name: name.to_owned(), template, place: node.clone() })
    }

    /// Compiles one text that may be left out; an empty one counts as left out.
    pub(crate) fn compile_given(
        name: &str,
        node: Option<&Node>,
        context: &BindContext<'_>,
    ) -> Result<Option<Self>, Diagnostic> {
        match node {
            Some(node) if !decode::<String>(node)?.is_empty() => Self::compile(name, node, context).map(Some),
            _ => Ok(None),
        }
    }

    /// Whether what it renders to, or that it fails, is known only with a request.
    pub(crate) fn is_per_request(&self) -> bool {
        self.template.constant().is_none()
    }

    /// Renders against this request.
    pub(crate) fn render(&self, request: &GatedRequest, session: &Session) -> Result<String, Denial> {
        let mut text = String::with_capacity(self.template.expected_size());
        let header = session.shown_headers(request);
        let data = TemplateData { header: &header, ..TemplateData::new(session, request) };
        self.template.render(&data, &mut text).map_err(|error| {
            Denial::internal(Reason::MutationFailed, format!("template of `{}`: {error}", self.name))
        })?;
        Ok(text)
    }
}

/// A header's value: white space around it is not part of it (RFC 9110 section 5.5).
pub(crate) fn trimmed(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}
