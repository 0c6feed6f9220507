//! `keyward health alive|ready`

mod details;

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
  keyward health ready -e http://127.0.0.1:4456 --verbose

Ends with 1 until everything that is configured was there once, and says what is missing.";

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
    /// Whether it can serve: rules are loaded, and every source of them, of keys and of secrets has delivered
    #[command(after_help = READY)]
    Ready {
        /// Print how each source is doing, too: its state, its age, and what is wrong
        #[arg(long)]
        verbose: bool,
    },
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let (path, query, unavailable) = match arguments.command {
        Command::Alive => ("/health/alive", "", "isInstanceAliveServiceUnavailable"),
        Command::Ready { verbose } => {
            ("/health/ready", if verbose { "?verbose=true" } else { "" }, "isInstanceReadyServiceUnavailable")
        }
    };
    let asked = arguments.endpoint.server().and_then(|server| server.get(&format!("{path}{query}")));
    let state = asked.and_then(|answer| {
        let mut body = serde_json::from_slice::<Value>(&answer.body).unwrap_or_default();
        if let Some(details) = body.as_object_mut().and_then(details::take) {
            print(&details);
        }
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
