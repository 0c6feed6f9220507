//! `keyward credentials generate`

use std::process::ExitCode;

use keyward_core::jwt::generate::generate;
use serde_json::json;

use crate::output::{complain, print};
use crate::progress::Progress;

const EXAMPLES: &str = "\
Examples:
  (umask 077 && keyward credentials generate --alg RS256 > signing-key.json)
  keyward credentials generate --alg ES256 --kid 2026-11

Algorithms, with the sizes that --bits takes:
  RS256, RS384, RS512, PS256, PS384, PS512   2048 (usual), 3072, 4096, 8192
  ES256, ES384, ES512, EdDSA                 only the usual: 256, 384, 521, 256
  HS256, HS384, HS512                        multiples of 8 up to 65536, from 256, 384, 512 (usual: 1024)";

/// Subcommands of `credentials`.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Print a new private key as a JSON Web Key Set. Keep it secret
    #[command(after_help = EXAMPLES)]
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
    let progress = Progress::of("generating the key");
    let generated = generate(alg, &kid, *bits);
    drop(progress);
    match generated {
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
