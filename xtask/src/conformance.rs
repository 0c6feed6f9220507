//! Plays scenarios with the Python player that comes with them. Informative: the verdict, with every
//! intended difference, is the test in `crates/cli/tests/conformance.rs`.

use std::path::Path;
use std::process::Command;

pub(crate) fn run(directory: &str) -> Result<(), String> {
    let binary = crate::released_binary()?;
    let directory = Path::new(directory);
    let status = Command::new("python3")
        .arg(directory.join("play.py"))
        .arg("--serve")
        .arg(format!("{} serve -c {{config}}", binary.display()))
        .arg("--cli")
        .arg(&binary)
        .arg(directory.join("scenarios"))
        .status()
        .map_err(|error| format!("python3 cannot be started: {error}"))?;
    println!("the player ended with {status}; intended differences count as failures for it");
    Ok(())
}
