//! Uses of settings that mean something different from Oathkeeper: what `config check` tells a team that moves
//! over. Each names its row of `conformance/differences.toml`.

use keyward_core::diagnostic::{Diagnostic, Origin};
use keyward_core::document::{Node, Value};

/// One use.
#[derive(Clone, Debug)]
pub struct Note {
    /// The row's id.
    pub row: &'static str,
    /// Which setting, what it means here, and where it is written.
    pub finding: Diagnostic,
}

/// A setting that means something different.
struct Difference {
    row: &'static str,
    /// Its path; `*` stands for any key.
    path: &'static str,
    /// Whether the difference shows in this value.
    shows: fn(&Node) -> bool,
    says: &'static str,
}

const DIFFERENCES: &[Difference] = &[
    Difference {
        row: "missing-exp",
        path: "authenticators.jwt",
        shows: |jwt| is_true(jwt, "enabled") && !is_true(jwt, "config.insecure_allow_missing_exp"),
        says: "tokens without `exp` are refused; `insecure_allow_missing_exp: true` in its `config` accepts them",
    },
    Difference {
        row: "scope-default",
        path: "authenticators.jwt.config",
        shows: |config| {
            config.get("required_scope").is_some_and(|scopes| has_items(scopes, |_| true))
                && config.get("scope_strategy").is_none()
        },
        says: "a required scope without `scope_strategy` is compared with `exact`, where Oathkeeper refuses every token",
    },
    Difference {
        row: "jwks-background",
        path: "authenticators.jwt.config.jwks_urls",
        shows: |_| true,
        says: "key sets are fetched when rules load and in the background, not when a token comes",
    },
    Difference {
        row: "side-redirects",
        path: "authenticators.*.config.check_session_url",
        shows: |_| true,
        says: SIDE_REDIRECTS,
    },
    Difference {
        row: "side-redirects",
        path: "authenticators.*.config.token_url",
        shows: |_| true,
        says: SIDE_REDIRECTS,
    },
    Difference {
        row: "side-redirects",
        path: "authenticators.*.config.introspection_url",
        shows: |_| true,
        says: SIDE_REDIRECTS,
    },
    Difference { row: "side-redirects", path: "authorizers.*.config.remote", shows: |_| true, says: SIDE_REDIRECTS },
    Difference { row: "side-redirects", path: "authorizers.*.config.base_url", shows: |_| true, says: SIDE_REDIRECTS },
    Difference { row: "side-redirects", path: "mutators.hydrator.config.api", shows: |_| true, says: SIDE_REDIRECTS },
    Difference {
        row: "cors-one-policy",
        path: "serve.proxy.cors.enabled",
        shows: |enabled| enabled.value == Value::Bool(true),
        says: "the CORS headers of upstreams are replaced, not added to",
    },
    Difference {
        row: "cors-any-origin-credentials",
        path: "serve.*.cors",
        shows: |cors| {
            let every = cors
                .get("allowed_origins")
                .is_none_or(|origins| !has_items(origins, |_| true) || has_items(origins, |origin| origin == "*"));
            is_true(cors, "enabled") && is_true(cors, "allow_credentials") && every
        },
        says: "with every origin allowed, credentials are not; list the origins",
    },
    Difference {
        row: "cors-debug",
        path: "serve.*.cors.debug",
        shows: |debug| debug.value == Value::Bool(true),
        says: "it has no effect: no request is printed",
    },
    Difference {
        row: "timeouts-are-for-pauses",
        path: "serve.proxy.timeout.read",
        shows: |_| true,
        says: "it limits the longest pause in a request's body, not the whole request",
    },
    Difference {
        row: "timeouts-are-for-pauses",
        path: "serve.proxy.timeout.write",
        shows: |_| true,
        says: "it limits how long a caller may leave an answer unread, not the whole answer",
    },
    Difference {
        row: "timeouts-are-for-pauses",
        path: "serve.api.timeout.read",
        shows: |_| true,
        says: "it limits a request's head, and the longest pause in its body, not both together",
    },
    Difference {
        row: "timeouts-are-for-pauses",
        path: "serve.api.timeout.write",
        shows: |_| true,
        says: "it limits how long a caller may leave an answer unread, not the whole answer",
    },
    Difference {
        row: "metrics-path",
        path: "serve.prometheus",
        shows: |_| true,
        says: "metrics are at `/metrics` only, not on every path of the port",
    },
    Difference {
        row: "repository-polling",
        path: "access_rules.repositories",
        shows: |list| has_items(list, is_web),
        says: "documents behind URLs are asked for again every minute (`access_rules.refresh_interval`)",
    },
    Difference {
        row: "repository-redirects",
        path: "access_rules.repositories",
        shows: |list| has_items(list, is_web),
        says: "redirects of documents behind URLs are not followed",
    },
    Difference {
        row: "tracing-otlp",
        path: "tracing.provider",
        shows: |_| true,
        says: "traces are exported by `otel` only, `traceparent` and `tracestate` are the only headers of traces, and \
               side services are sent none",
    },
    Difference { row: "sqa-tolerated", path: "sqa", shows: |_| true, says: "it has no effect; Oathkeeper refuses it" },
];

const SIDE_REDIRECTS: &str = "a redirect is not followed, and counts as a refusal; name the final URL";

/// Every use in a configuration, in the order of the table.
pub fn notes(root: &Node) -> Vec<Note> {
    let mut notes = Vec::new();
    for difference in DIFFERENCES {
        for (path, origin, value) in uses(root, difference.path) {
            if (difference.shows)(value) {
                let finding = Diagnostic::warning(format!("`{path}`: {}", difference.says)).at(&origin);
                notes.push(Note { row: difference.row, finding });
            }
        }
    }
    notes
}

/// What stands at a path, with the place of its key.
fn uses<'n>(root: &'n Node, pattern: &str) -> Vec<(String, Origin, &'n Node)> {
    let mut found = vec![(String::new(), root.origin.clone(), root)];
    for step in pattern.split('.') {
        let within = |(path, _, node): (String, Origin, &'n Node)| {
            let entries = match &node.value {
                Value::Map(entries) => entries.as_slice(),
                _ => &[],
            };
            let members = entries.iter().filter(move |entry| step == "*" || entry.key == step);
            members.map(move |entry| {
                let path = if path.is_empty() { entry.key.clone() } else { format!("{path}.{}", entry.key) };
                (path, entry.key_origin.clone(), &entry.value)
            })
        };
        found = found.into_iter().flat_map(within).collect();
    }
    found.retain(|(_, _, node)| node.value != Value::Null);
    found
}

fn is_true(node: &Node, path: &str) -> bool {
    node.get(path).is_some_and(|found| found.value == Value::Bool(true))
}

fn has_items(list: &Node, is_meant: impl Fn(&str) -> bool) -> bool {
    let Value::List(items) = &list.value else { return false };
    // An item may have settings of its own.
    let texts = items.iter().map(|item| item.get("url").unwrap_or(item));
    texts.into_iter().any(|item| matches!(&item.value, Value::String(text) if is_meant(text)))
}

fn is_web(url: &str) -> bool {
    url.starts_with("http://") || url.starts_with("https://")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::yaml::{Dialect, parse};

    #[test]
    fn every_note_names_a_row_that_exists() {
        let table = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance/differences.toml");
        let table = std::fs::read_to_string(table).unwrap();
        for difference in DIFFERENCES {
            assert!(table.contains(&format!("\nid = \"{}\"\n", difference.row)), "{}", difference.row);
        }
    }

    #[test]
    fn uses_are_found_where_they_are_written_and_nowhere_else() {
        let shown = |text: &str| -> Vec<String> {
            let notes = notes(&parse(text, "f", Dialect::Core).unwrap());
            notes.iter().map(|note| format!("{} {}", note.row, note.finding)).collect()
        };
        let rows = [
            ("authenticators: {jwt: {enabled: true, config: {insecure_allow_missing_exp: true}}}\n", ""),
            ("authenticators: {jwt: {enabled: false}, noop: {enabled: true}}\n", ""),
            ("serve: {proxy: {port: 1, cors: {enabled: false, allow_credentials: true}}}\n", ""),
            ("access_rules: {repositories: [\"file://a\"]}\n", ""),
            ("authenticators: {jwt: {enabled: true}}\n", "missing-exp f:1:18: warning: `authenticators.jwt`: tokens"),
            (
                "serve:\n  api:\n    cors: {enabled: true, allow_credentials: true}\n",
                "cors-any-origin-credentials f:3:5",
            ),
            ("serve: {proxy: {cors: {debug: false}}}\n", ""),
            (
                "serve: {proxy: {cors: {debug: true}}}\n",
                "cors-debug f:1:24: warning: `serve.proxy.cors.debug`: it has no effect",
            ),
            ("serve: {proxy: {timeout: {read: 5s}}}\n", "timeouts-are-for-pauses f:1:27"),
            ("access_rules: {repositories: [\"https://a\"]}\n", "repository-polling f:1:16"),
            ("access_rules: {repositories: [{url: \"https://a\"}]}\n", "repository-polling f:1:16"),
            (
                "authorizers: {remote_json: {config: {remote: x}}}\n",
                "side-redirects f:1:38: warning: `authorizers.remote_json",
            ),
            ("tracing: {provider: otel}\n", "tracing-otlp f:1:11"),
        ];
        for (text, expected) in rows {
            let found = shown(text);
            match expected {
                "" => assert!(found.is_empty(), "{text}: {found:?}"),
                expected => assert!(found[0].starts_with(expected), "{text}: {found:?}"),
            }
        }
    }
}
