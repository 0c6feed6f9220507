//! The binary that is released: built twice, the second time with what was counted of the first one at work
//! (profile-guided optimisation). The compiler then lays out together what a request passes through, and puts
//! the rest aside. Needs the `llvm-tools` component of the toolchain; the training is [`training`]'s.

mod training;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::building::{Building, output, succeed};

/// Builds it and says where it is. Briefly, each step is gone through and nothing is optimised: that shows that what is
/// released can be built, and makes nothing that is worth to be released.
pub(crate) fn build(brief: bool) -> Result<PathBuf, String> {
    let directory = crate::target_directory().join(if brief { "profiled-briefly" } else { "profiled" });
    let counts = directory.join("counts");
    // Counts of another build would be of other functions.
    let _ = fs::remove_dir_all(&counts);
    fs::create_dir_all(&counts).map_err(|error| format!("{}: {error}", counts.display()))?;
    let counts = counts.canonicalize().map_err(|error| error.to_string())?;
    let merge = profdata()?;

    eprintln!("building with counters");
    let build = |name: &str, flag: String| {
        Building { root: &crate::root(), directory: &directory.join(name), optimised: !brief, flags: vec![flag] }
            .build()
    };
    let counting = build("counting", format!("-Cprofile-generate={}", counts.display()))?;
    eprintln!("training");
    training::serve(&counting, if brief { training::FEW_ROUNDS } else { training::ROUNDS })?;
    let profile = counts.join("merged.profdata");
    let mut merging = Command::new(merge);
    merging.arg("merge").arg("-o").arg(&profile).arg(&counts);
    succeed(&mut merging)?;
    eprintln!("building with what was counted");
    let binary = build("final", format!("-Cprofile-use={}", profile.display()))?;
    // With these, the same sources give the same binary once more: `cargo xtask reproducible --counted`.
    let kept = binary.with_file_name("keyward.profdata");
    fs::copy(&profile, &kept).map_err(|error| format!("{}: {error}", kept.display()))?;
    Ok(binary)
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
