//! Where rules come from, and what answers when no rule does.

use std::path::PathBuf;
use std::time::Duration;

use keyward_core::diagnostic::{Diagnostic, Origin};
use keyward_core::document::decode::decode;
use keyward_core::document::duration::GoDuration;
use keyward_core::document::{Node, Value};

use super::Check;
use super::proxy::or;
use crate::config::file::AccessRules;
use crate::config::file::repository::RepositoryFile;
use crate::config::yaml::MAX_BYTES;
use crate::http_client::Limits;
use crate::repository::signature::PublicKey;
use crate::repository::{Repository, Terms};

/// Nothing is asked for more often, and no attempt is shorter.
const SHORTEST: Duration = Duration::from_secs(1);

/// The settings of `access_rules` that are about where rules come from.
pub(super) struct Sources {
    pub(super) repositories: Vec<Repository>,
    pub(super) cache_dir: Option<PathBuf>,
}

impl Check<'_> {
    pub(super) fn sources(&mut self, rules: &AccessRules) -> Sources {
        let common = Terms {
            refresh_interval: self.refresh_interval(rules.refresh_interval),
            limits: Limits {
                time: self.at_least_a_second("access_rules.fetch_timeout", or(rules.fetch_timeout, 15)),
                bytes: self.document_bytes(rules.max_document_bytes),
            },
            key: None,
        };
        let mut repositories: Vec<Repository> = Vec::new();
        for node in rules.repositories.iter().flatten() {
            let Some((url, at, terms)) = self.repository(node, &common) else { continue };
            match Repository::parse(&url, terms) {
                // As in the reference: read twice, every rule of it would match twice.
                Ok(again) if repositories.iter().any(|known| known.text() == again.text()) => {
                    let finding = Diagnostic::warning(format!("`{}` is named twice and read once", again.name()));
                    self.warnings.push(finding.at(&at));
                }
                Ok(repository) => repositories.push(repository),
                Err(problem) => self.errors.push(Diagnostic::error(problem).at(&at)),
            }
        }
        let cache_dir = rules.cache_dir.as_ref().filter(|path| !path.is_empty()).map(PathBuf::from);
        if cache_dir.is_some() && !repositories.iter().any(|repository| repository.remote().is_some()) {
            self.warn("access_rules.cache_dir", "has no effect: no rules come from behind a URL");
        }
        Sources { repositories, cache_dir }
    }

    /// The URL of an item, where that stands, and what holds for it.
    fn repository(&mut self, node: &Node, common: &Terms) -> Option<(String, Origin, Terms)> {
        if !matches!(node.value, Value::Map(_)) {
            return self.text(node).map(|url| (url, node.origin.clone(), common.clone()));
        }
        let file = decode::<RepositoryFile>(node).map_err(|problem| self.errors.push(problem)).ok()?;
        let place = |key: &str| node.get(key).map_or(&node.origin, |value| &value.origin).clone();
        let Some(url) = file.url else {
            let finding = Diagnostic::error("the repository has no `url`").at(&node.origin);
            self.errors.push(finding.hint("say where its rules are: `url: https://...`"));
            return None;
        };
        let mut terms = common.clone();
        if let Some(GoDuration(interval)) = file.refresh_interval.filter(|GoDuration(interval)| !interval.is_zero()) {
            terms.refresh_interval = interval;
            if interval < SHORTEST {
                let finding = Diagnostic::error("`refresh_interval`: write at least `1s`");
                self.errors.push(finding.at(&place("refresh_interval")));
            }
        }
        if let Some(line) = file.public_key {
            match PublicKey::parse(&line) {
                Ok(key) => terms.key = Some(key),
                Err(problem) => {
                    let finding = Diagnostic::error(format!("`public_key`: {problem}"));
                    self.errors.push(finding.at(&place("public_key")));
                }
            }
        }
        Some((url, place("url"), terms))
    }

    fn document_bytes(&mut self, written: Option<usize>) -> usize {
        let bytes = written.unwrap_or(MAX_BYTES);
        if !(1..=MAX_BYTES).contains(&bytes) {
            self.refuse("access_rules.max_document_bytes", format!("write a number from 1 to {MAX_BYTES}"));
        }
        bytes
    }

    fn refresh_interval(&mut self, written: Option<GoDuration>) -> Duration {
        self.at_least_a_second("access_rules.refresh_interval", or(written, 60))
    }

    fn at_least_a_second(&mut self, key: &str, value: Duration) -> Duration {
        if value < SHORTEST {
            self.refuse(key, "write at least `1s`");
        }
        value
    }

    pub(super) fn fallback(&mut self, written: Option<Vec<Node>>) -> Vec<(String, Origin)> {
        match written {
            None => vec![("json".to_owned(), Origin::whole("built-in default"))],
            Some(list) => list.iter().filter_map(|node| self.text(node).map(|id| (id, node.origin.clone()))).collect(),
        }
    }
}
