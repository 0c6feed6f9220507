//! `keyward config check|schema`

use std::path::PathBuf;
use std::process::ExitCode;

use keyward_server::check;
use serde_json::json;

use crate::output::{Format, environment, findings_json, print, print_json, report};

const CHECK: &str = "\
Examples:
  keyward config check -c oathkeeper.yaml
  keyward config check -c base.yaml -c production.yaml --format json

Ends with 0 when the configuration is usable, with warnings or without, and with 1 when it is not.
What each rule will do is shown by `keyward rules lint`.";

/// Subcommands of `config`.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Check a configuration (-c FILE) with the environment's overrides; every finding with its place
    #[command(after_help = CHECK)]
    Check {
        /// For people, or for programs
        #[arg(long, default_value = "text")]
        format: Format,
    },
}

pub(crate) fn run(command: &Command, files: &[PathBuf]) -> ExitCode {
    match command {
        Command::Check { format } => check_settings(files, *format),
    }
}

fn check_settings(files: &[PathBuf], format: Format) -> ExitCode {
    let (usable, findings) = match check::settings(files, &environment()) {
        Ok(warnings) => (true, warnings),
        Err(findings) => (false, findings),
    };
    match format {
        Format::Json => print_json(&json!({"usable": usable, "findings": findings_json(&findings)})),
        Format::Text => {
            report(&findings);
            print(&match (usable, findings.len()) {
                (true, warnings) => format!("the configuration is usable, {warnings} warnings\n"),
                (false, count) => format!("the configuration is not usable, {count} findings\n"),
            });
        }
    }
    if usable { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
