//! What `cargo xtask overload` and `cargo xtask slow` can be told.

use std::path::PathBuf;

use crate::plain_binary;

/// Its options.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// For a short time: shows that it works, measures little.
    pub(crate) brief: bool,
    /// That of a release build when there is none.
    binary: Option<PathBuf>,
}

impl Options {
    /// Reads them; `None` when there is one that is not known.
    pub(crate) fn read(arguments: &[&str]) -> Option<Self> {
        let mut options = Self::default();
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            match *argument {
                "--brief" => options.brief = true,
                "--binary" => options.binary = Some(rest.next()?.into()),
                _ => return None,
            }
        }
        Some(options)
    }

    /// The binary, built if need be.
    pub(crate) fn binary(&self) -> Result<PathBuf, String> {
        match &self.binary {
            None => plain_binary(),
            Some(path) => path.canonicalize().map_err(|error| format!("{}: {error}", path.display())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options() {
        type Row<'a> = (&'a [&'a str], Option<(bool, Option<PathBuf>)>);
        let rows: [Row<'_>; 5] = [
            (&[], Some((false, None))),
            (&["--brief"], Some((true, None))),
            (&["--binary", "x", "--brief"], Some((true, Some("x".into())))),
            (&["--binary"], None),
            (&["x"], None),
        ];
        for (arguments, expected) in rows {
            let read = Options::read(arguments).map(|options| (options.brief, options.binary));
            assert_eq!(read, expected, "{arguments:?}");
        }
    }
}
