//! Where rules come from, and what answers when no rule does.

use keyward_core::diagnostic::{Diagnostic, Origin};
use keyward_core::document::Node;

use super::Check;
use crate::repository::RepositoryUrl;

impl Check<'_> {
    pub(super) fn repositories(&mut self, written: &[Node]) -> Vec<RepositoryUrl> {
        let mut repositories = Vec::new();
        for node in written {
            let Some(url) = self.text(node) else { continue };
            match RepositoryUrl::parse(&url) {
                Ok(repository) => repositories.push(repository),
                Err(problem) => self.errors.push(Diagnostic::error(problem).at(&node.origin)),
            }
        }
        repositories
    }

    pub(super) fn fallback(&mut self, written: Option<Vec<Node>>) -> Vec<(String, Origin)> {
        match written {
            None => vec![("json".to_owned(), Origin::whole("built-in default"))],
            Some(list) => list.iter().filter_map(|node| self.text(node).map(|id| (id, node.origin.clone()))).collect(),
        }
    }
}
