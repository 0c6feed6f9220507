//! How binaries are built that are to be the same wherever they are built: nothing in them names a directory of the
//! machine that built them.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Separates flags in `CARGO_ENCODED_RUSTFLAGS`.
const BETWEEN_FLAGS: char = '\u{1f}';

/// A build of `keyward` as it is released.
pub(crate) struct Building<'a> {
    /// Where the sources are.
    pub(crate) root: &'a Path,
    /// Where everything is put.
    pub(crate) directory: &'a Path,
    /// As it is released; otherwise without optimisation, in a fraction of the time.
    pub(crate) optimised: bool,
    /// Flags for the compiler.
    pub(crate) flags: Vec<String>,
}

impl Building<'_> {
    /// Builds it and says where it is. With a target named, the flags are not used for what runs at build time.
    pub(crate) fn build(&self) -> Result<PathBuf, String> {
        let host = output(Command::new("rustc").args(["--print", "host-tuple"]))?;
        std::fs::create_dir_all(self.directory).map_err(|error| format!("{}: {error}", self.directory.display()))?;
        let named = self.named_directories()?;
        let remapped = named.iter().map(|(path, name)| format!("--remap-path-prefix={path}={name}"));
        let flags: Vec<String> = self.flags.iter().cloned().chain(remapped).collect();
        let of_c: Vec<String> = named.iter().map(|(path, name)| format!("-ffile-prefix-map={path}={name}")).collect();
        let (profile, kind) = if self.optimised { ("release", "release") } else { ("dev", "debug") };
        let mut cargo = crate::cargo();
        cargo.current_dir(self.root).args(["build", "--profile", profile, "--locked", "-p", "keyward-cli"]);
        cargo.args(["--target", &host, "--target-dir"]).arg(self.directory);
        cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join(&BETWEEN_FLAGS.to_string()));
        cargo.env("CFLAGS", of_c.join(" "));
        succeed(&mut cargo)?;
        Ok(self.directory.join(host).join(kind).join("keyward"))
    }

    /// Directories of this machine, and what they are called in what is built. The last that fits is used.
    fn named_directories(&self) -> Result<[(String, &'static str); 3], String> {
        let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
        let home = home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
        let home = home.ok_or("there is no home directory")?;
        let absolute = |path: &Path| match path.canonicalize() {
            Ok(path) => Ok(path.display().to_string()),
            Err(error) => Err(format!("{}: {error}", path.display())),
        };
        Ok([(absolute(self.root)?, "/keyward"), (absolute(&home)?, "/cargo"), (absolute(self.directory)?, "/target")])
    }
}

/// What a command prints.
pub(crate) fn output(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Runs a command that has to succeed.
pub(crate) fn succeed(command: &mut Command) -> Result<(), String> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{command:?} ended with {status}")),
        Err(error) => Err(format!("{command:?}: {error}")),
    }
}
