//! What `cargo xtask bench` can be told.

use std::path::PathBuf;

use super::MEASUREMENTS;
use crate::{plain_binary, release};

/// Its options.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// Short rounds, and one of each: shows that it works, measures little.
    pub(super) brief: bool,
    /// The names of the measurements that are wanted; all of them where none is named.
    names: Vec<String>,
    binary: Binary,
}

#[derive(Debug, PartialEq, Eq)]
enum Binary {
    Released,
    Plain,
    At(PathBuf),
}

impl Options {
    /// Reads them; `None` when there is one that is not known.
    pub(crate) fn read(arguments: &[&str]) -> Option<Self> {
        let mut options = Self { brief: false, names: Vec::new(), binary: Binary::Released };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            match *argument {
                "--brief" => options.brief = true,
                "--plain" => options.binary = Binary::Plain,
                "--binary" => options.binary = Binary::At(rest.next()?.into()),
                name if MEASUREMENTS.iter().any(|known| known.name == name) => options.names.push(name.to_owned()),
                _ => return None,
            }
        }
        // The released binary takes minutes to build, and a brief run shows nothing that it could.
        if options.brief && options.binary == Binary::Released {
            options.binary = Binary::Plain;
        }
        Some(options)
    }

    /// Whether a measurement is wanted.
    pub(super) fn wants(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|wanted| wanted == name)
    }

    /// The binary, built if need be.
    pub(super) fn binary(&self) -> Result<PathBuf, String> {
        match &self.binary {
            Binary::Released => release::build(false),
            Binary::Plain => plain_binary(),
            Binary::At(path) => path.canonicalize().map_err(|error| format!("{}: {error}", path.display())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options() {
        type Row<'a> = (&'a [&'a str], Option<(bool, &'a [&'a str], Binary)>);
        let rows: [Row<'_>; 8] = [
            (&[], Some((false, &[], Binary::Released))),
            (&["--brief"], Some((true, &[], Binary::Plain))),
            (&["--plain", "requests"], Some((false, &["requests"], Binary::Plain))),
            (&["--brief", "--binary", "x"], Some((true, &[], Binary::At("x".into())))),
            (&["requests", "--binary", "x"], Some((false, &["requests"], Binary::At("x".into())))),
            (&["--binary"], None),
            (&["--short"], None),
            (&["nothing"], None),
        ];
        for (arguments, expected) in rows {
            let read = Options::read(arguments);
            let expected = expected.map(|(brief, names, binary)| Options {
                brief,
                names: names.iter().map(|name| (*name).to_owned()).collect(),
                binary,
            });
            assert_eq!(read, expected, "{arguments:?}");
        }
    }

    #[test]
    fn what_is_not_named_is_wanted_only_where_nothing_is() {
        let all = Options::read(&[]).unwrap();
        let one = Options::read(&["requests"]).unwrap();
        assert!(all.wants("requests") && all.wants("another"));
        assert!(one.wants("requests") && !one.wants("another"));
    }
}
