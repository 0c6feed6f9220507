//! `-c/--config`, accepted by every command and at every place: before, between and after subcommands.
//!
//! clap's own global arguments would do, but of `keyward -c a.yaml serve -c b.yaml` they keep the last
//! place only, and a configuration file must not be lost silently.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

const NAME: &str = "config";

/// Adds the argument to a command and everything below it.
pub(crate) fn add_to(command: Command) -> Command {
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    names.into_iter().fold(command.arg(argument()), |command, name| command.mut_subcommand(name, add_to))
}

/// Every file, in the order in which they were written.
pub(crate) fn of(matches: &ArgMatches) -> Vec<PathBuf> {
    let own = matches.get_many::<PathBuf>(NAME).into_iter().flatten().cloned();
    let below = matches.subcommand().map(|(_, below)| of(below));
    own.chain(below.into_iter().flatten()).collect()
}

fn argument() -> Arg {
    Arg::new(NAME)
        .short('c')
        .long(NAME)
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .value_delimiter(',')
        .action(ArgAction::Append)
        .display_order(900)
        .help("Configuration files (.yaml, .yml, .json, .toml), in order: later ones win. Repeat it, or separate with commas")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn files_are_collected_from_every_place_in_order() {
        let command = || {
            let inner = Command::new("rules").subcommand(Command::new("lint"));
            add_to(Command::new("keyward").subcommand(inner))
        };
        let rows = [
            ("keyward -c a rules lint", vec!["a"]),
            ("keyward -c a rules -c b lint -c c,d --config=e", vec!["a", "b", "c", "d", "e"]),
            ("keyward --config a -c b", vec!["a", "b"]),
            ("keyward rules lint", vec![]),
        ];
        for (line, expected) in rows {
            let matches = command().try_get_matches_from(line.split(' ')).unwrap();
            assert_eq!(of(&matches), expected.iter().map(PathBuf::from).collect::<Vec<_>>(), "{line}");
        }
    }
}
