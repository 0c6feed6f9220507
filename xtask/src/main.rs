//! Repository chores: `cargo xtask release`, `cargo xtask bench`, `cargo xtask guard`, `cargo xtask soak`, `cargo xtask
//! overload`, `cargo xtask slow`, `cargo xtask hostile`, `cargo xtask reproducible`, `cargo xtask generate`, `cargo xtask roots`. The rules of `tidy.rs` run with the tests.

mod bench;
mod building;
mod cores;
mod descriptors;
mod generate;
mod guard;
mod hostile;
mod options;
mod overload;
mod release;
mod reproducible;
mod roots;
mod slow;
mod soak;
mod tidy;
mod tokens;
mod workload;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const USAGE: &str = "\
usage: cargo xtask release [--brief]    builds the binary that is released, optimised by what it does at work; with --brief the same
                                        steps without optimisation, which shows that they work
       cargo xtask reproducible         builds twice, in two places, and compares; with --counted FILE optimised by what `release`
                                        left beside its binary, with --brief Keyward's own crates, without optimisation
       cargo xtask bench [NAME...]      what that binary costs beside nginx, and HAProxy and Envoy where they are: every measurement,
                                        or those named, see CONTRIBUTING.md; needs nginx, wrk and taskset. With --brief one short
                                        round of each, which shows that it works and measures little, of what `cargo build
                                        --release` makes; with --plain of that one, with --binary FILE of that one
       cargo xtask guard [--write]      instructions and allocations per request beside those written down; needs valgrind
       cargo xtask soak [--seconds N]   60 s, or N, of load while rules, secrets and configuration are replaced; no request may fail.
                                        Of a release build; with --debug of a debug build, with --binary FILE of that one
       cargo xtask overload [--brief]   one, two and three times what a core can serve, and what becomes of it; of a release build,
                                        with --binary FILE of that one
       cargo xtask hostile              hostile requests, from vectors/ and generated, tokens and frames of HTTP/2, and one table of what
                                        became of them; of a release build, with --binary FILE of that one. --generated N: so many
                                        requests, and half as many tokens and as many of HTTP/2 (2000); --seed N: others (1)
       cargo xtask slow [--brief]       ten thousand connections that hardly say anything, and what becomes of others; the same
       cargo xtask generate [--check]   schemas and generated parts of docs/; with --check, fails when they are stale
       cargo xtask roots                the certificates of the authorities that the web trusts, for images without a system around them";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        [.., "--help"] => {
            println!("{USAGE}");
            Ok(())
        }
        ["release"] => release::build(false).map(|binary| println!("{}", binary.display())),
        ["release", "--brief"] => release::build(true).map(|binary| println!("{}", binary.display())),
        ["reproducible", ref options @ ..] => {
            reproducible::Options::read(options).ok_or_else(|| USAGE.to_owned()).and_then(|it| reproducible::run(&it))
        }
        ["bench", ref options @ ..] => {
            bench::Options::read(options).ok_or_else(|| USAGE.to_owned()).and_then(|it| bench::run(&it))
        }
        ["hostile", ref options @ ..] => {
            hostile::Options::read(options).ok_or_else(|| USAGE.to_owned()).and_then(|it| hostile::run(&it))
        }
        ["guard"] => plain_binary().and_then(|binary| guard::run(&binary, false)),
        ["guard", "--write"] => plain_binary().and_then(|binary| guard::run(&binary, true)),
        ["soak", ref options @ ..] => {
            soak::Options::read(options).ok_or_else(|| USAGE.to_owned()).and_then(|it| soak::run(&it))
        }
        ["slow", ref options @ ..] => {
            options::Options::read(options).ok_or_else(|| USAGE.to_owned()).and_then(|it| slow::run(&it))
        }
        ["overload", ref options @ ..] => {
            options::Options::read(options).ok_or_else(|| USAGE.to_owned()).and_then(|it| overload::run(&it))
        }
        ["roots"] => {
            print!("{}", roots::pem());
            Ok(())
        }
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

/// Builds a binary as anybody would, and says where it is.
fn plain_binary() -> Result<PathBuf, String> {
    built_binary(true)
}

/// Builds a binary, for release or not, and says where it is.
fn built_binary(for_release: bool) -> Result<PathBuf, String> {
    let (profile, directory) = if for_release { ("release", "release") } else { ("dev", "debug") };
    let built = cargo()
        .args(["build", "--profile", profile, "--locked", "-p", "keyward-cli"])
        .status()
        .map_err(|error| format!("cargo cannot be started: {error}"))?;
    if !built.success() {
        return Err("the build failed".to_owned());
    }
    Ok(target_directory().join(directory).join("keyward"))
}

fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Where the sources are.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn target_directory() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), Into::into)
}
