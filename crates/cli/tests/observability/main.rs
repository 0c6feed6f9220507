//! What operators watch, against the real binary: scrapes beside documentation, alerts and dashboard, how many series callers can
//! make, and what a server that does not become ready says.

#![allow(clippy::unwrap_used)]

mod documented;
mod exposition;
mod named;
mod queries;
mod readers;
mod scenario;
mod series;
mod unready;

use std::fs;
use std::path::Path;

use keyward_testkit::process::Keyward;

fn keyward() -> Keyward {
    Keyward::new(env!("CARGO_BIN_EXE_keyward"))
}

/// A file of the repository.
fn file(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)).unwrap()
}
