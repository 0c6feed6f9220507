//! What `cargo xtask soak` can be told.

use std::path::PathBuf;

use crate::{built_binary, plain_binary};

/// Its options.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// How long everything is replaced.
    pub(crate) seconds: u64,
    binary: Binary,
}

#[derive(Debug, PartialEq, Eq)]
enum Binary {
    Release,
    Debug,
    At(PathBuf),
}

impl Options {
    /// Reads them; `None` when there is one that is not known.
    pub(crate) fn read(arguments: &[&str]) -> Option<Self> {
        let mut options = Self { seconds: 60, binary: Binary::Release };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            match *argument {
                "--seconds" => options.seconds = rest.next()?.parse().ok().filter(|seconds| *seconds > 0)?,
                "--debug" => options.binary = Binary::Debug,
                "--binary" => options.binary = Binary::At(rest.next()?.into()),
                _ => return None,
            }
        }
        Some(options)
    }

    /// The binary, built if need be.
    pub(super) fn binary(&self) -> Result<PathBuf, String> {
        match &self.binary {
            Binary::Release => plain_binary(),
            Binary::Debug => built_binary(false),
            Binary::At(path) => path.canonicalize().map_err(|error| format!("{}: {error}", path.display())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options() {
        type Row<'a> = (&'a [&'a str], Option<(u64, Binary)>);
        let rows: [Row<'_>; 7] = [
            (&[], Some((60, Binary::Release))),
            (&["--seconds", "5", "--debug"], Some((5, Binary::Debug))),
            (&["--binary", "x"], Some((60, Binary::At("x".into())))),
            (&["--seconds"], None),
            (&["--seconds", "0"], None),
            (&["--seconds", "x"], None),
            (&["5"], None),
        ];
        for (arguments, expected) in rows {
            let read = Options::read(arguments).map(|options| (options.seconds, options.binary));
            assert_eq!(read, expected, "{arguments:?}");
        }
    }
}
