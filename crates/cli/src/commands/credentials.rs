//! `keyward credentials generate`

use std::process::ExitCode;

use keyward_core::jwt::generate::generate;
use serde_json::json;

use crate::output::{complain, print};

/// Subcommands of `credentials`.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Print a new private key as a JSON Web Key Set. Keep it secret
    Generate {
        /// The algorithm it is for: RS256, ES256, EdDSA, HS256, ...
        #[arg(long)]
        alg: String,
        /// Its id; random by default
        #[arg(long, default_value = "", hide_default_value = true)]
        kid: String,
        /// Its size in bits; 0 for what is usual
        #[arg(long, default_value_t = 0)]
        bits: u32,
    },
}

pub(crate) fn run(command: &Command) -> ExitCode {
    let Command::Generate { alg, kid, bits } = command;
    let kid = if kid.is_empty() { uuid::Uuid::new_v4().to_string() } else { kid.clone() };
    match generate(alg, &kid, *bits) {
        Ok(key) => {
            print(&format!("{:#}\n", json!({"keys": [key]})));
            ExitCode::SUCCESS
        }
        Err(problem) => {
            complain(&format!("Unable to generate key: {problem}\n"));
            ExitCode::FAILURE
        }
    }
}
