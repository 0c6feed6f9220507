//! `keyward version`

use std::process::ExitCode;

use crate::output::print;

/// Three lines, as the reference prints them. What a build was not told is `undefined`.
pub(crate) fn run() -> ExitCode {
    let version = env!("CARGO_PKG_VERSION");
    let hash = option_env!("KEYWARD_GIT_HASH").unwrap_or("undefined");
    let time = option_env!("KEYWARD_BUILD_TIME").unwrap_or("undefined");
    print(&format!("Version:    {version}\nGit Hash:   {hash}\nBuild Time: {time}\n"));
    ExitCode::SUCCESS
}
