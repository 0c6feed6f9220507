//! URLs of side services in settings.

use keyward_core::diagnostic::Diagnostic;
use keyward_core::document::Node;
use keyward_core::pipeline::BindContext;
use keyward_core::side_url::SideUrl;

/// Reads a URL; `key` is what the settings in `node` call it.
pub(crate) fn read(key: &str, written: &str, node: &Node, context: &BindContext<'_>) -> Result<SideUrl, Diagnostic> {
    check(key, SideUrl::parse(written), node, context)
}

/// Reads the URL of a service and goes on to one of its addresses.
pub(crate) fn read_below(
    key: &str,
    written: &str,
    path: &str,
    node: &Node,
    context: &BindContext<'_>,
) -> Result<SideUrl, Diagnostic> {
    check(key, SideUrl::parse_below(written, path), node, context)
}

fn check(
    key: &str,
    read: Result<SideUrl, String>,
    node: &Node,
    context: &BindContext<'_>,
) -> Result<SideUrl, Diagnostic> {
    let place = node.origin_of(key);
    let url = read.map_err(|problem| {
        let finding = Diagnostic::error(format!("`{key}` is not usable: {problem}"));
        finding.at(place).hint("write it as `https://host/path`")
    })?;
    context.uses.service(&url);
    if url.has_fragment() {
        let finding = Diagnostic::warning(format!("the fragment of `{key}` has no effect"));
        context.warn(finding.at(place).hint("remove it"));
    }
    Ok(url)
}
