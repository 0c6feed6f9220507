//! The `keyward` command: one file per subcommand in `commands/`.

mod commands;
mod endpoint;
mod output;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Wrong usage, and a server that cannot start, end with the reference's code.
const EXIT_USAGE: u8 = 255;

/// Keyward holds the keys so that callers don't: a reverse proxy that checks a caller's token and injects
/// the real credential. Reads Ory Oathkeeper's configuration and rules.
#[derive(Parser)]
#[command(name = "keyward", version, max_term_width = 100)]
struct Arguments {
    /// Configuration files (.yaml, .yml, .json), in order: later ones win. Repeat it, or separate with commas
    #[arg(short, long, global = true, value_delimiter = ',', value_name = "FILE")]
    config: Vec<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the proxy, the API, metrics, and the issuer when one is configured
    Serve(commands::serve::Arguments),
    /// Run issuer, echo upstream and proxy on loopback, with the example rules
    Demo(commands::demo::Arguments),
    /// Run a token issuer alone
    Issuer(commands::issuer::Arguments),
    /// Sign one token, offline
    Token(commands::token::Arguments),
    /// List, show and check rules
    #[command(subcommand_required = false, arg_required_else_help = true)]
    Rules(commands::rules::Arguments),
    /// Check configurations
    #[command(subcommand)]
    Config(commands::config::Command),
    /// Make keys
    #[command(subcommand)]
    Credentials(commands::credentials::Command),
    /// Ask a running server for its health
    Health(commands::health::Arguments),
    /// Print the version
    Version,
    /// Print shell completions
    Completions(commands::completions::Arguments),
}

/// Prints what the arguments came to. A group of commands without one shows its help, which is no fault.
fn usage(error: &clap::Error) -> ExitCode {
    if error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        output::print(&error.render().to_string());
        return ExitCode::SUCCESS;
    }
    // Nothing is left to be told when the terminal is gone.
    let _ = error.print();
    if error.use_stderr() { ExitCode::from(EXIT_USAGE) } else { ExitCode::SUCCESS }
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            return usage(&error);
        }
    };
    let config = arguments.config;
    match arguments.command {
        None => {
            use clap::CommandFactory;
            let _ = Arguments::command().print_help();
            ExitCode::SUCCESS
        }
        Some(Command::Serve(arguments)) => commands::serve::run(&arguments, config),
        Some(Command::Demo(arguments)) => commands::demo::run(&arguments),
        Some(Command::Issuer(arguments)) => commands::issuer::run(&arguments, &config),
        Some(Command::Token(arguments)) => commands::token::run(&arguments),
        Some(Command::Rules(arguments)) => commands::rules::run(&arguments, &config),
        Some(Command::Config(command)) => commands::config::run(&command, &config),
        Some(Command::Credentials(command)) => commands::credentials::run(&command),
        Some(Command::Health(arguments)) => commands::health::run(&arguments),
        Some(Command::Version) => commands::version::run(),
        Some(Command::Completions(arguments)) => commands::completions::run::<Arguments>(&arguments),
    }
}
