//! The `keyward` command: one file per subcommand in `commands/`.

mod commands;
mod config_files;
mod endpoint;
mod output;
mod progress;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Wrong usage, and a server that cannot start, end with the reference's code.
const EXIT_USAGE: u8 = 255;

const EXAMPLES: &str = "\
Examples:
  keyward demo                                        try it out, on loopback
  keyward config check -c oathkeeper.yaml             is the configuration usable?
  keyward rules lint -c oathkeeper.yaml               what will each rule do?
  keyward rules explain -c oathkeeper.yaml http://localhost:4455/jira/x
  keyward serve -c oathkeeper.yaml

Every setting has an environment variable, which goes before the files: SERVE_PROXY_PORT=4455.
Exit codes: 0 success; 1 failure, or errors in what was checked; 255 wrong usage, or a configuration that cannot be used.";

/// Keyward holds the keys so that callers don't: a reverse proxy that checks a caller's token and injects
/// the real credential. Reads Ory Oathkeeper's configuration and rules.
#[derive(Parser)]
#[command(name = "keyward", version, max_term_width = 100, after_help = EXAMPLES)]
struct Arguments {
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
    /// List, show, check, explain and test rules
    #[command(subcommand_required = false, arg_required_else_help = true)]
    Rules(commands::rules::Arguments),
    /// Check configurations, and describe them to editors
    #[command(subcommand)]
    Config(commands::config::Command),
    /// Look at where secrets come from
    #[command(subcommand)]
    Secrets(commands::secrets::Command),
    /// Make keys
    #[command(subcommand)]
    Credentials(commands::credentials::Command),
    /// Ask a running server for its health
    Health(commands::health::Arguments),
    /// Print the version
    Version,
    /// Print shell completions
    #[command(alias = "completion")]
    Completions(commands::completions::Arguments),
    /// Print the manual page, or write one page per command
    Man(commands::man::Arguments),
}

/// Everything that can be written on the command line.
fn definition() -> clap::Command {
    config_files::add_to(Arguments::command())
}

/// Prints what the arguments came to. A group of commands without one shows its help, which is no fault.
fn usage(error: &clap::Error) -> ExitCode {
    if error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        output::print(&error.render().to_string());
        return ExitCode::SUCCESS;
    }
    // Nothing is left to be told when the terminal is gone.
    let _ = error.print();
    if let Some(file) = surplus_file(error) {
        output::complain(&format!("\n  tip: a configuration is named with `-c {file}`\n"));
    }
    if error.use_stderr() { ExitCode::from(EXIT_USAGE) } else { ExitCode::SUCCESS }
}

/// The argument that nothing is known about, when it is a file.
fn surplus_file(error: &clap::Error) -> Option<&str> {
    use clap::error::{ContextKind, ContextValue, ErrorKind};
    match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(text)) if error.kind() == ErrorKind::UnknownArgument => {
            Some(&**text).filter(|text| std::path::Path::new(text).is_file())
        }
        _ => None,
    }
}

fn main() -> ExitCode {
    // Before anything is read that may be secret.
    if let Err(finding) = keyward_server::memory::without_core_dumps() {
        output::report(&[finding]);
    }
    let matches = match definition().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => return usage(&error),
    };
    let config = config_files::of(&matches);
    let arguments = match Arguments::from_arg_matches(&matches) {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error),
    };
    match arguments.command {
        None => {
            let _ = definition().print_help();
            ExitCode::SUCCESS
        }
        Some(Command::Serve(arguments)) => commands::serve::run(&arguments, config),
        Some(Command::Demo(arguments)) => commands::demo::run(&arguments),
        Some(Command::Issuer(arguments)) => commands::issuer::run(&arguments, &config),
        Some(Command::Token(arguments)) => commands::token::run(&arguments),
        Some(Command::Rules(arguments)) => commands::rules::run(&arguments, &config),
        Some(Command::Config(command)) => commands::config::run(&command, &config),
        Some(Command::Secrets(command)) => commands::secrets::run(&command, &config),
        Some(Command::Credentials(command)) => commands::credentials::run(&command),
        Some(Command::Health(arguments)) => commands::health::run(&arguments),
        Some(Command::Version) => commands::version::run(),
        Some(Command::Completions(arguments)) => commands::completions::run(&arguments, definition()),
        Some(Command::Man(arguments)) => commands::man::run(&arguments, definition()),
    }
}
