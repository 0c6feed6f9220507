//! A map of names to templates, as `header` and `cookie` have it: compiled once, rendered per request.

use keyward_core::diagnostic::Diagnostic;
use keyward_core::document::{Node, Value, decode};
use keyward_core::gate::GatedRequest;
use keyward_core::pipeline::BindContext;
use keyward_core::pipeline::denial::{Denial, Reason};
use keyward_core::session::Session;
use keyward_core::template::{Template, TemplateData};

/// One name with its template.
pub(super) struct Rendered {
    pub(super) name: String,
    pub(super) template: Template,
    pub(super) place: Node,
}

impl Rendered {
    /// Compiles every entry of a map node, in written order.
    pub(super) fn compile_all(map: &Node, context: &BindContext<'_>) -> Result<Vec<Self>, Diagnostic> {
        let Value::Map(entries) = &map.value else {
            return Err(Diagnostic::error(format!("expected a map of names to templates, found {}", map.value.kind()))
                .at(&map.origin));
        };
        entries
            .iter()
            .map(|entry| {
                let text: String = decode(&entry.value)?;
                let template = Template::compile(&text, context.secrets).map_err(|error| {
                    let mut finding =
                        Diagnostic::error(format!("template of `{}`: {error}", entry.key)).at(&entry.value.origin);
                    finding.hint = error.hint().map(str::to_owned);
                    finding
                })?;
                Ok(Self { name: entry.key.clone(), template, place: entry.value.clone() })
            })
            .collect()
    }

    /// Renders against this request.
    pub(super) fn render(&self, request: &GatedRequest, session: &Session) -> Result<String, Denial> {
        let mut text = String::new();
        self.template.render(&TemplateData::new(session, request), &mut text).map_err(|error| {
            Denial::internal(Reason::MutationFailed, format!("template of `{}`: {error}", self.name))
        })?;
        Ok(text)
    }
}
