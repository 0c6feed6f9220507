//! The binary that is released: built twice, the second time with what was counted of the first one at work
//! (profile-guided optimisation). The compiler then lays out together what a request passes through, and puts
//! the rest aside. Needs the `llvm-tools` component of the toolchain; the training is [`training`]'s.

mod training;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Separates flags in `CARGO_ENCODED_RUSTFLAGS`.
const BETWEEN_FLAGS: char = '\u{1f}';

/// Builds it and says where it is.
pub(crate) fn build() -> Result<PathBuf, String> {
    let directory = crate::target_directory().join("profiled");
    let counts = directory.join("counts");
    // Counts of another build would be of other functions.
    let _ = fs::remove_dir_all(&counts);
    fs::create_dir_all(&counts).map_err(|error| format!("{}: {error}", counts.display()))?;
    let counts = counts.canonicalize().map_err(|error| error.to_string())?;
    let merge = profdata()?;

    eprintln!("building with counters");
    let counting = compile(&directory.join("counting"), &[format!("-Cprofile-generate={}", counts.display())])?;
    eprintln!("training");
    training::serve(&counting)?;
    let profile = counts.join("merged.profdata");
    let mut merging = Command::new(merge);
    merging.arg("merge").arg("-o").arg(&profile).arg(&counts);
    succeed(&mut merging)?;
    eprintln!("building with what was counted");
    compile(&directory.join("final"), &[format!("-Cprofile-use={}", profile.display())])
}

/// Builds `keyward` with flags of its own. With a target named, they are not used for what runs at build time.
fn compile(directory: &Path, flags: &[String]) -> Result<PathBuf, String> {
    let host = output(Command::new("rustc").args(["--print", "host-tuple"]))?;
    let mut cargo = crate::cargo();
    cargo.args(["build", "--release", "--locked", "-p", "keyward-cli", "--target", &host, "--target-dir"]);
    cargo.arg(directory).env("CARGO_ENCODED_RUSTFLAGS", flags.join(&BETWEEN_FLAGS.to_string()));
    succeed(&mut cargo)?;
    Ok(directory.join(host).join("release/keyward"))
}

/// The toolchain's own `llvm-profdata`: others may not read what its compiler writes.
fn profdata() -> Result<PathBuf, String> {
    let host = output(Command::new("rustc").args(["--print", "host-tuple"]))?;
    let root = output(Command::new("rustc").args(["--print", "sysroot"]))?;
    let tool = Path::new(&root).join("lib/rustlib").join(host).join("bin/llvm-profdata");
    if !tool.exists() {
        succeed(Command::new("rustup").args(["component", "add", "llvm-tools"]))
            .map_err(|why| format!("{why}\n{} is not there; install the toolchain's `llvm-tools`", tool.display()))?;
    }
    Ok(tool)
}

fn output(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn succeed(command: &mut Command) -> Result<(), String> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{command:?} ended with {status}")),
        Err(error) => Err(format!("{command:?}: {error}")),
    }
}
