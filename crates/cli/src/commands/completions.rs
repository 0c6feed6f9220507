//! `keyward completions`

use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::Shell;

/// Options of `completions`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The shell to print completions for
    shell: Shell,
}

pub(crate) fn run<C: CommandFactory>(arguments: &Arguments) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut C::command(), "keyward", &mut script);
    crate::output::print(&String::from_utf8_lossy(&script));
    ExitCode::SUCCESS
}
