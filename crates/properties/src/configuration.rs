//! A configuration is taken or refused, the same every time; what is refused has a place in the file; and the same
//! settings in TOML and YAML come to the same.

use keyward_core::diagnostic::Diagnostic;
use keyward_core::document::Node;
use keyward_server::config::settings;
use keyward_server::config::yaml::{self, Dialect};
use keyward_server::config::{notes, toml};

use crate::rule_document::placed;

pub(crate) fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    examine(yaml::parse(text, "file", Dialect::Core), text);
    examine(toml::parse(text, "file"), text);
}

fn examine(read: Result<Node, Diagnostic>, text: &str) {
    let node = match read {
        Ok(node) => node,
        Err(problem) => return placed(&problem, text),
    };
    match settings::check(&node) {
        Ok((settings, warnings)) => {
            for warning in &warnings {
                placed(warning, text);
            }
            assert!(settings.proxy.gate.max_head_bytes > 0 && settings.proxy.gate.max_fields > 0, "{text}");
            // What `config check` says of them.
            let _ = notes::notes(&node);
        }
        Err(findings) => {
            assert!(!findings.is_empty(), "refused for nothing: {text}");
            for finding in &findings {
                placed(finding, text);
            }
        }
    }
}
