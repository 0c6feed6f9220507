//! What must hold for any input: a module for each property, with a function of bytes that panics where it does not
//! hold. `fuzz/` hands them to libFuzzer; `tests/` runs them on stable over `fuzz/seeds`, and over what a few edits make
//! of these.

// A property that cannot be examined does not hold either.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod admin_api;
mod audit_record;
mod configuration;
mod cookies;
mod error_conditions;
mod forwarded_request;
mod head;
mod injected_headers;
mod key_set;
mod path;
mod pattern_glob;
mod pattern_regexp;
mod redaction;
mod request_head;
mod request_stream;
mod rule_document;
mod signed_claims;
mod template;
mod token;
mod token_request;
mod trace_context;
mod upstream_answer;
mod url;
mod world;

/// A property by the name of its target.
#[derive(Clone, Copy)]
pub struct Property {
    /// The name of the target, and of the directory of its seeds.
    pub name: &'static str,
    /// Panics when the property does not hold for these bytes.
    pub check: fn(&[u8]),
}

/// All there are.
pub const ALL: &[Property] = &[
    Property { name: "admin_api", check: admin_api::check },
    Property { name: "audit_record", check: audit_record::check },
    Property { name: "configuration", check: configuration::check },
    Property { name: "cookies", check: cookies::check },
    Property { name: "error_conditions", check: error_conditions::check },
    Property { name: "forwarded_request", check: forwarded_request::check },
    Property { name: "injected_headers", check: injected_headers::check },
    Property { name: "key_set", check: key_set::check },
    Property { name: "path", check: path::check },
    Property { name: "pattern_glob", check: pattern_glob::check },
    Property { name: "pattern_regexp", check: pattern_regexp::check },
    Property { name: "redaction", check: redaction::check },
    Property { name: "request_head", check: request_head::check },
    Property { name: "request_stream", check: request_stream::check },
    Property { name: "rule_document", check: rule_document::check },
    Property { name: "signed_claims", check: signed_claims::check },
    Property { name: "template", check: template::check },
    Property { name: "token", check: token::check },
    Property { name: "token_request", check: token_request::check },
    Property { name: "trace_context", check: trace_context::check },
    Property { name: "upstream_answer", check: upstream_answer::check },
    Property { name: "url", check: url::check },
];

/// Examines the property of a name.
pub fn check(name: &str, data: &[u8]) {
    let property = ALL.iter().find(|property| property.name == name).expect("a property goes by this name");
    (property.check)(data);
}
