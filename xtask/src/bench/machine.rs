//! Where figures come from: the machine, and the versions of the programs that take part, as they print them.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::cores;

/// Programs, and what makes each print its version.
const PROGRAMS: [(&str, &str); 5] =
    [("nginx", "-v"), ("wrk", "-v"), ("h2load", "--version"), ("haproxy", "-v"), ("envoy", "--version")];

/// What is written into the file of all samples.
pub(super) fn describe() -> Value {
    let versions: serde_json::Map<String, Value> =
        PROGRAMS.iter().map(|(name, option)| ((*name).to_owned(), version(name, option).into())).collect();
    json!({
        "cores": cores::count(),
        "processor": processor(),
        "kernel": fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim(),
        "versions": versions,
    })
}

/// Where a program is, if it is installed.
pub(super) fn find(program: &str) -> Option<PathBuf> {
    let directories = std::env::var_os("PATH").unwrap_or_default();
    // Debian puts servers where only administrators look.
    let directories = std::env::split_paths(&directories).chain([PathBuf::from("/usr/sbin")]);
    directories.map(|directory| directory.join(program)).find(|path| path.is_file())
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("model name"));
    name.map(|name| name.trim_matches([':', '\t', ' ']).to_owned()).unwrap_or_default()
}

/// The first line that names one; nothing where the program is missing. Some use the other stream, and wrk ends with an
/// error.
fn version(program: &str, option: &str) -> Option<String> {
    let output = Command::new(find(program)?).arg(option).output().ok()?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    text.lines().map(str::trim).find(|line| line.contains(|c: char| c.is_ascii_digit())).map(str::to_owned)
}
