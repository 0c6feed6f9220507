//! Cross-origin resource sharing: the reference's defaults, and what is wrong or dangerous.

use http::{HeaderName, Method};
use keyward_core::diagnostic::Diagnostic;

use super::Check;
use crate::config::file::serve::Cors;
use crate::cors::{CorsSettings, OriginPattern};

impl Check<'_> {
    /// `None` when it is off.
    pub(super) fn cors(&mut self, path: &str, written: Option<Cors>) -> Option<CorsSettings> {
        let written = written?;
        let texts = |list: Option<Vec<String>>, default: &[&str]| {
            list.unwrap_or_else(|| default.iter().map(|text| (*text).to_owned()).collect())
        };
        let settings = CorsSettings {
            origins: texts(written.allowed_origins, &["*"]),
            methods: match written.allowed_methods {
                None => vec![Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE],
                // The reference's library takes an empty list for one that was not written.
                Some(names) if names.is_empty() => vec![Method::GET, Method::POST, Method::HEAD],
                Some(names) => names.into_iter().map(Method::from).collect(),
            },
            headers: match written.allowed_headers {
                Some(names) if names.is_empty() => texts(None, &["Accept", "Content-Type", "X-Requested-With"]),
                names => texts(names, &["Authorization", "Content-Type"]),
            },
            exposed: texts(written.exposed_headers, &["Content-Type"]),
            credentials: written.allow_credentials.unwrap_or(false),
            max_age: written.max_age.unwrap_or(0),
        };
        let lists = [("allowed_origins", &settings.origins), ("allowed_headers", &settings.headers)];
        for (key, list) in lists.into_iter().chain([("exposed_headers", &settings.exposed)]) {
            self.items(&format!("{path}.{key}"), list, key != "allowed_origins");
        }
        if written.enabled != Some(true) {
            return None;
        }
        for origin in settings.origins.iter().filter(|origin| *origin != "*") {
            if let Err(reason) = OriginPattern::parse(origin) {
                let place = self.place(&format!("{path}.allowed_origins"));
                let finding = Diagnostic::warning(format!("`{path}.allowed_origins`: `{origin}` admits nobody"));
                self.warnings.push(finding.at(&place).hint(reason));
            }
        }
        let every = settings.origins.is_empty() || settings.origins.iter().any(|origin| origin == "*");
        if every && settings.credentials {
            let message = "is not granted: every origin is allowed, and then no page may send a person's credentials";
            self.warn(&format!("{path}.allow_credentials"), message);
        }
        Some(settings)
    }

    /// No item twice, none empty, and names where names are needed.
    fn items(&mut self, path: &str, items: &[String], are_names: bool) {
        for (index, item) in items.iter().enumerate() {
            if item.is_empty() || items[..index].contains(item) {
                self.refuse(path, format!("`{item}` is empty or written twice"));
            } else if are_names && item != "*" && HeaderName::try_from(item.as_str()).is_err() {
                self.refuse(path, format!("`{item}` is not a header name"));
            }
        }
    }
}
