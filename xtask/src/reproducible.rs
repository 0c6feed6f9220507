//! Whether the same sources give the same binary: it is built twice, the second time from a copy in another place, and
//! the two are compared byte by byte.

use std::fs;
use std::path::{Path, PathBuf};

use crate::building::{Building, succeed};

/// Its options.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// Keyward's own crates only, without optimisation: what sources and macros put into a binary is looked at, what
    /// dependencies and the optimiser do is not.
    brief: bool,
    /// What was counted of an earlier build, to be optimised by.
    counted: Option<PathBuf>,
}

impl Options {
    /// Reads them; `None` when there is one that is not known.
    pub(crate) fn read(arguments: &[&str]) -> Option<Self> {
        let mut options = Self::default();
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            match *argument {
                "--brief" => options.brief = true,
                "--counted" => options.counted = Some(rest.next()?.into()),
                _ => return None,
            }
        }
        Some(options)
    }
}

/// Builds twice and compares.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let directory = crate::target_directory().join("reproducible");
    let elsewhere = directory.join("elsewhere");
    let mut flags = Vec::new();
    if let Some(file) = &options.counted {
        let file = file.canonicalize().map_err(|error| problem(file, error))?;
        flags.push(format!("-Cprofile-use={}", file.display()));
    }
    let build = |root: &Path, name: &str| {
        eprintln!("building in {}", root.display());
        let directory = directory.join(name);
        let built = match options.brief {
            true => own_crates(root)?,
            false => {
                Building { root, directory: &directory.join("built"), optimised: true, flags: flags.clone() }.build()?
            }
        };
        let kept = directory.join("keyward");
        fs::create_dir_all(&directory).map_err(|error| problem(&directory, error))?;
        fs::copy(&built, &kept).map_err(|error| problem(&built, error))?;
        let bytes = fs::read(&kept).map_err(|error| problem(&kept, error))?;
        Ok::<_, String>((bytes, kept))
    };
    // What was built from an earlier copy is stale without it; otherwise Cargo would take it for a build of these sources.
    let _ = fs::remove_dir_all(&elsewhere);
    let (first, its_path) = build(&crate::root(), "first")?;
    if let Some(day) = day_of_building(&first) {
        return Err(format!(
            "{} says that it was built on {day}; is it still so after `cargo clean`?",
            its_path.display()
        ));
    }
    // Only now, so that it is newer than what was built, and built again.
    copy(&crate::root(), &elsewhere)?;
    let (second, others_path) = build(&elsewhere, "second")?;
    let (its_path, others_path) = (its_path.display(), others_path.display());
    match first_difference(&first, &second) {
        None => {
            println!("the same {} bytes, wherever they are built: {its_path}", first.len());
            Ok(())
        }
        Some(at) => Err(format!("two builds differ, first at byte {at}; compare them:\n  {its_path}\n  {others_path}")),
    }
}

/// Builds without optimisation beside everything else that was built here, so that dependencies need not be built again.
fn own_crates(root: &Path) -> Result<PathBuf, String> {
    let target = crate::target_directory();
    fs::create_dir_all(&target).map_err(|error| problem(&target, error))?;
    let target = target.canonicalize().map_err(|error| problem(&target, error))?;
    let mut cargo = crate::cargo();
    cargo.current_dir(root).args(["build", "--locked", "-p", "keyward-cli", "--target-dir"]).arg(&target);
    // What tells a debugger where the sources are differs, and dependencies have none of it.
    cargo.env("CARGO_PROFILE_DEV_DEBUG", "none").env("CARGO_INCREMENTAL", "0");
    succeed(&mut cargo)?;
    Ok(target.join("debug/keyward"))
}

fn problem(path: &Path, error: std::io::Error) -> String {
    format!("{}: {error}", path.display())
}

/// Where two binaries differ.
fn first_difference(first: &[u8], second: &[u8]) -> Option<usize> {
    if first == second {
        return None;
    }
    let same = first.iter().zip(second).take_while(|(one, other)| one == other).count();
    Some(same)
}

/// A day as C's `__DATE__` has it, such as `Nov 30 2026`, of this century. `SOURCE_DATE_EPOCH` (`.cargo/config.toml`)
/// makes it one of the last.
fn day_of_building(binary: &[u8]) -> Option<String> {
    const MONTHS: [&[u8; 4]; 12] =
        [b"Jan ", b"Feb ", b"Mar ", b"Apr ", b"May ", b"Jun ", b"Jul ", b"Aug ", b"Sep ", b"Oct ", b"Nov ", b"Dec "];
    let is_day = |text: &[u8]| match text {
        [_, _, _, _, tens, ones, b' ', b'2', b'0', tail @ ..] => {
            (*tens == b' ' || tens.is_ascii_digit()) && ones.is_ascii_digit() && tail.iter().all(u8::is_ascii_digit)
        }
        _ => false,
    };
    let found = binary.windows(11).find(|text| MONTHS.iter().any(|month| text.starts_with(*month)) && is_day(text));
    found.map(|text| String::from_utf8_lossy(text).into_owned())
}

/// Copies sources: everything but what was built and what version control keeps.
fn copy(from: &Path, to: &Path) -> Result<(), String> {
    fs::create_dir_all(to).map_err(|error| problem(to, error))?;
    for entry in fs::read_dir(from).map_err(|error| problem(from, error))? {
        let entry = entry.map_err(|error| problem(from, error))?;
        let (path, name) = (entry.path(), entry.file_name());
        if path.is_dir() {
            if name != "target" && name != ".git" {
                copy(&path, &to.join(name))?;
            }
        } else {
            fs::copy(&path, to.join(name)).map_err(|error| problem(&path, error))?;
        }
    }
    Ok(())
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
            (&["--counted", "x"], Some((false, Some("x".into())))),
            (&["--counted"], None),
            (&["x"], None),
        ];
        for (arguments, expected) in rows {
            let read = Options::read(arguments).map(|options| (options.brief, options.counted));
            assert_eq!(read, expected, "{arguments:?}");
        }
    }

    #[test]
    fn binaries_are_the_same_when_every_byte_is() {
        let rows: [(&[u8], &[u8], Option<usize>); 4] =
            [(b"abc", b"abc", None), (b"abc", b"abd", Some(2)), (b"abc", b"ab", Some(2)), (b"", b"a", Some(0))];
        for (first, second, expected) in rows {
            assert_eq!(first_difference(first, second), expected);
        }
    }

    #[test]
    fn a_binary_that_says_when_it_was_built_is_known() {
        let rows: [(&[u8], Option<&str>); 6] = [
            (b"\0built on Nov 30 2026, 10:00\0", Some("Nov 30 2026")),
            (b"Feb  1 2031", Some("Feb  1 2031")),
            (b"\0Jan  1 1970\0", None),
            (b"Nov 30 20", None),
            (b"Nov 30 20xx", None),
            (b"May be 2026", None),
        ];
        for (binary, day) in rows {
            assert_eq!(day_of_building(binary).as_deref(), day, "{}", String::from_utf8_lossy(binary));
        }
    }

    #[test]
    fn what_was_built_is_not_copied() {
        let directory = tempfile::tempdir().unwrap();
        let (from, to) = (directory.path().join("from"), directory.path().join("to"));
        for path in ["src/main.rs", "target/debug/keyward", ".git/HEAD", ".cargo/config.toml"] {
            let path = from.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        copy(&from, &to).unwrap();
        assert!(to.join("src/main.rs").exists() && to.join(".cargo/config.toml").exists());
        assert!(!to.join("target").exists() && !to.join(".git").exists());
    }
}
