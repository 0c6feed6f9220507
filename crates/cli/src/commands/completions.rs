//! `keyward completions`

use std::process::ExitCode;

use clap_complete::Shell;

const EXAMPLES: &str = "\
Examples:
  keyward completions bash > /etc/bash_completion.d/keyward
  keyward completions zsh > /usr/local/share/zsh/site-functions/_keyward
  keyward completions fish > ~/.config/fish/completions/keyward.fish";

/// Options of `completions`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The shell to print completions for
    shell: Shell,
}

pub(crate) fn run(arguments: &Arguments, mut definition: clap::Command) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut definition, "keyward", &mut script);
    crate::output::print(&String::from_utf8_lossy(&script));
    ExitCode::SUCCESS
}
