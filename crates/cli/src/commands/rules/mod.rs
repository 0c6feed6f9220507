//! `keyward rules list|get|lint|explain|test`

mod explain;
mod explained;
mod explained_json;
mod lint;
mod running;
mod test;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;

use crate::endpoint::Endpoint;
use crate::output::Format;

const LIST: &str = "\
Example:
  keyward rules list -e http://127.0.0.1:4456 --limit 50 --page 2";
const GET: &str = "\
Example:
  keyward rules get -e http://127.0.0.1:4456 jira-read-only";
const LINT: &str = "\
Examples:
  keyward rules lint -c oathkeeper.yaml
  keyward rules lint -c oathkeeper.yaml --format json | jq '.findings[]'

Ends with 1 when a rule would deny every request, or a repository cannot be read.";

/// Options of `rules`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    endpoint: Endpoint,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List the rules that a server uses
    #[command(after_help = LIST)]
    List {
        /// How many
        #[arg(long, default_value_t = 20)]
        limit: u32,
        /// Which page of that many, from 1
        #[arg(long, default_value_t = 1)]
        page: u32,
    },
    /// Show one rule that a server uses
    #[command(after_help = GET)]
    Get {
        /// The rule's id
        id: String,
    },
    /// Check the rules of a configuration (-c FILE), offline: what each will do, and which will deny
    #[command(after_help = LINT)]
    Lint {
        /// For people, or for programs
        #[arg(long, default_value = "text")]
        format: Format,
    },
    /// Show what the rules make of one request, offline: which takes it or came nearest, and every step
    #[command(after_help = explain::EXAMPLES)]
    Explain(explain::Arguments),
    /// Check a table of requests with expected outcomes, offline
    #[command(after_help = test::EXAMPLES)]
    Test(test::Arguments),
}

pub(crate) fn run(arguments: &Arguments, files: &[PathBuf]) -> ExitCode {
    match &arguments.command {
        Command::List { limit, page } => running::list(&arguments.endpoint, *limit, *page),
        Command::Get { id } => running::get(&arguments.endpoint, id),
        Command::Lint { format } => lint::lint(files, *format),
        Command::Explain(arguments) => explain::explain(arguments, files),
        Command::Test(arguments) => test::test(arguments, files),
    }
}
