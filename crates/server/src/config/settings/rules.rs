//! Where rules come from, and what answers when no rule does.

use std::time::Duration;

use keyward_core::diagnostic::{Diagnostic, Origin};
use keyward_core::document::Node;
use keyward_core::document::duration::GoDuration;

use super::Check;
use super::proxy::or;
use crate::repository::RepositoryUrl;

impl Check<'_> {
    pub(super) fn repositories(&mut self, written: &[Node]) -> Vec<RepositoryUrl> {
        let mut repositories: Vec<RepositoryUrl> = Vec::new();
        for node in written {
            let Some(url) = self.text(node) else { continue };
            match RepositoryUrl::parse(&url) {
                // As in the reference: read twice, every rule of it would match twice.
                Ok(again) if repositories.iter().any(|known| known.text() == again.text()) => {
                    let finding = Diagnostic::warning(format!("`{}` is named twice and read once", again.name()));
                    self.warnings.push(finding.at(&node.origin));
                }
                Ok(repository) => repositories.push(repository),
                Err(problem) => self.errors.push(Diagnostic::error(problem).at(&node.origin)),
            }
        }
        repositories
    }

    pub(super) fn refresh_interval(&mut self, written: Option<GoDuration>) -> Duration {
        let interval = or(written, 60);
        if interval < Duration::from_secs(1) {
            self.refuse("access_rules.refresh_interval", "write at least `1s`");
        }
        interval
    }

    pub(super) fn fallback(&mut self, written: Option<Vec<Node>>) -> Vec<(String, Origin)> {
        match written {
            None => vec![("json".to_owned(), Origin::whole("built-in default"))],
            Some(list) => list.iter().filter_map(|node| self.text(node).map(|id| (id, node.origin.clone()))).collect(),
        }
    }
}
