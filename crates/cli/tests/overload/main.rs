//! Three times what the real binary is to take on, or can: what it lets in it serves, and it says no to the rest.

#![allow(clippy::unwrap_used)]

mod connections;
mod cores;
mod gate;
mod memory;
mod requests;

use keyward_testkit::process::Keyward;

const CONFIG: &str = "
authenticators: {anonymous: {enabled: true}}
authorizers: {allow: {enabled: true}}
mutators: {header: {enabled: true}, noop: {enabled: true}}
";

/// One rule for everything.
fn keyward(upstream: u16) -> Keyward {
    keyward_with(upstream, "{handler: noop}")
}

/// One rule for everything, with a mutator.
fn keyward_with(upstream: u16, mutator: &str) -> Keyward {
    let rules = format!(
        "- id: any\n  match: {{url: \"<https?>://<[^/]*>/<.*>\", methods: [GET, POST]}}\n  \
         authenticators: [{{handler: anonymous}}]\n  authorizer: {{handler: allow}}\n  mutators: [{mutator}]\n  \
         upstream: {{url: \"http://127.0.0.1:{upstream}\", upgrade: [websocket]}}\n"
    );
    Keyward::new(env!("CARGO_BIN_EXE_keyward")).with(CONFIG, &rules)
}
