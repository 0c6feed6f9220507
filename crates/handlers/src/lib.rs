//! The things a rule can name, one file each, named as in the configuration file.
//!
//! To add one: write its file (settings, `bind`, behaviour, tests, top to bottom) and register it in
//! the `mod.rs` beside it, one `mod` line and one row of `ALL`. Nothing else changes: configuration
//! checks, environment names and rule compilation all derive from the tables.

pub mod authenticators;
pub mod authorizers;
#[cfg(test)]
mod bench;
mod decoder_text;
pub mod error_handlers;
mod form;
mod framing;
mod gjson;
mod lookup_cache;
pub mod mutators;
mod oauth2;
mod rate_limit;
mod remote_call;
mod rendered;
mod retry;
mod session_json;
mod session_store;
mod side_url;
pub mod token_location;

use keyward_core::rule::handlers::{HandlerTables, Table};

/// Every handler there is.
pub const TABLES: HandlerTables<'static> = HandlerTables {
    authenticators: Table {
        noun: "authenticator",
        unusable: "authenticator matching this route is misconfigured or disabled",
        none: "No authentication handler was set in the rule",
        all: authenticators::ALL,
    },
    authorizers: Table {
        noun: "authorizer",
        unusable: "authorizer matching this route is misconfigured or disabled",
        none: "requested pipeline handler does not exist",
        all: authorizers::ALL,
    },
    mutators: Table {
        noun: "mutator",
        unusable: "mutator matching this route is misconfigured or disabled",
        none: "No mutation handler was set in the rule",
        all: mutators::ALL,
    },
    error_handlers: Table {
        noun: "error handler",
        unusable: "error handler matching this route is misconfigured or disabled",
        none: "requested pipeline handler does not exist",
        all: error_handlers::ALL,
    },
};

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    /// A handler whose file exists but whose row is missing would silently not exist.
    #[test]
    fn every_handler_file_is_in_its_table() {
        let groups: [(&str, Vec<&str>); 4] = [
            ("authenticators", super::authenticators::ALL.iter().map(|kind| kind.id()).collect()),
            ("authorizers", super::authorizers::ALL.iter().map(|kind| kind.id()).collect()),
            ("mutators", super::mutators::ALL.iter().map(|kind| kind.id()).collect()),
            ("error_handlers", super::error_handlers::ALL.iter().map(|kind| kind.id()).collect()),
        ];
        for (group, ids) in groups {
            let directory = format!("{}/src/{group}", env!("CARGO_MANIFEST_DIR"));
            let mut files: Vec<String> = std::fs::read_dir(directory)
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .filter_map(|name| name.strip_suffix(".rs").map(str::to_owned))
                .filter(|name| name != "mod")
                .collect();
            files.sort();
            let mut ids: Vec<String> = ids.into_iter().map(str::to_owned).collect();
            ids.sort();
            assert_eq!(files, ids, "{group}");
        }
    }
}
