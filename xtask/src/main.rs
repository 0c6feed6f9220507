//! Repository chores: `cargo xtask bench [--brief]`, `cargo xtask generate [--check]`. The rules of `tidy.rs`
//! run with the tests.

mod bench;
mod generate;
mod tidy;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask bench [--brief]      CPU per request beside nginx; needs nginx, wrk and taskset
       cargo xtask generate [--check]   schemas and generated parts of docs/; with --check, fails when they are stale";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        ["bench"] => bench::run(false),
        ["bench", "--brief"] => bench::run(true),
        ["generate"] => generate::run(false),
        ["generate", "--check"] => generate::run(true),
        _ => Err(USAGE.to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

/// Builds the released binary and says where it is.
fn released_binary() -> Result<std::path::PathBuf, String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let built = std::process::Command::new(cargo)
        .args(["build", "--release", "--locked", "-p", "keyward-cli"])
        .status()
        .map_err(|error| format!("cargo cannot be started: {error}"))?;
    if !built.success() {
        return Err("the release build failed".to_owned());
    }
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), Into::into);
    Ok(target.join("release/keyward"))
}
