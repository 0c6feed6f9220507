//! `keyward health alive|ready`

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::Value;

use crate::endpoint::Endpoint;
use crate::output::{complain, print, tab_indented};

const ALIVE: &str = "\
Example:
  keyward health alive -e http://127.0.0.1:4456";
const READY: &str = "\
Example:
  keyward health ready -e http://127.0.0.1:4456

Ends with 1 until rules and key sets are there, and says what is missing.";

/// Options of `health`.
#[derive(clap::Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    endpoint: Endpoint,
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Copy, Subcommand)]
enum Command {
    /// Whether the process answers
    #[command(after_help = ALIVE)]
    Alive,
    /// Whether it can serve: rules are loaded, and key sets were fetched
    #[command(after_help = READY)]
    Ready,
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let (path, unavailable) = match arguments.command {
        Command::Alive => ("/health/alive", "isInstanceAliveServiceUnavailable"),
        Command::Ready => ("/health/ready", "isInstanceReadyServiceUnavailable"),
    };
    let asked = arguments.endpoint.server().and_then(|server| server.get(path));
    let state = asked.and_then(|answer| {
        let body = serde_json::from_slice::<Value>(&answer.body).unwrap_or_default();
        match answer.status {
            200 => Ok(body),
            503 => {
                let errors =
                    body.get("errors").map_or_else(|| "{}".to_owned(), |errors| format!("{{\"errors\":{errors}}}"));
                Err(format!("[GET {path}][503] {unavailable} {errors}"))
            }
            status => Err(format!("[GET {path}][{status}]")),
        }
    });
    match state {
        Ok(state) => {
            print(&tab_indented(&state));
            if state["status"] == "ok" { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(problem) => {
            complain(&format!("{problem}\n"));
            ExitCode::FAILURE
        }
    }
}
