//! `keyward man`

use std::path::PathBuf;
use std::process::ExitCode;

use crate::output::{complain, print};

const EXAMPLES: &str = "\
Examples:
  keyward man | man -l -                          read it
  keyward man --dir /usr/local/share/man/man1     install keyward.1, keyward-serve.1, keyward-rules.1, ...";

/// Options of `man`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Write one page per command into this directory, which must exist
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments, definition: clap::Command) -> ExitCode {
    let done = match &arguments.dir {
        Some(directory) => clap_mangen::generate_to(definition, directory).map_err(|error| {
            format!(
                "{}: the manual cannot be written: {error}\n  hint: name a directory that exists",
                directory.display()
            )
        }),
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(definition)
                .render(&mut page)
                .map(|()| print(&String::from_utf8_lossy(&page)))
                .map_err(|error| error.to_string())
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            complain(&format!("error: {problem}\n"));
            ExitCode::FAILURE
        }
    }
}
