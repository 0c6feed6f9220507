//! `keyward config check`

use std::path::PathBuf;
use std::process::ExitCode;

use keyward_server::config::load::load;

use crate::output::{environment, print, report};

/// Subcommands of `config`.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Check a configuration (-c FILE) with the environment's overrides; every finding with its place
    Check,
}

pub(crate) fn run(command: &Command, files: &[PathBuf]) -> ExitCode {
    match command {
        Command::Check => check(files),
    }
}

fn check(files: &[PathBuf]) -> ExitCode {
    match load(files, &environment()) {
        Ok(loaded) => {
            report(&loaded.warnings);
            print(&format!("the configuration is usable, {} warnings\n", loaded.warnings.len()));
            ExitCode::SUCCESS
        }
        Err(findings) => {
            report(&findings);
            print(&format!("the configuration is not usable, {} findings\n", findings.len()));
            ExitCode::FAILURE
        }
    }
}
