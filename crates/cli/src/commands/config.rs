//! `keyward config check`

use std::path::PathBuf;
use std::process::ExitCode;

use keyward_server::check;

use crate::output::{environment, print, report};

/// Subcommands of `config`.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Check a configuration (-c FILE) with the environment's overrides; every finding with its place
    Check,
}

pub(crate) fn run(command: &Command, files: &[PathBuf]) -> ExitCode {
    match command {
        Command::Check => check_settings(files),
    }
}

fn check_settings(files: &[PathBuf]) -> ExitCode {
    match check::settings(files, &environment()) {
        Ok(warnings) => {
            report(&warnings);
            print(&format!("the configuration is usable, {} warnings\n", warnings.len()));
            ExitCode::SUCCESS
        }
        Err(findings) => {
            report(&findings);
            print(&format!("the configuration is not usable, {} findings\n", findings.len()));
            ExitCode::FAILURE
        }
    }
}
