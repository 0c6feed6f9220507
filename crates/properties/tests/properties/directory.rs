//! What lies in `fuzz/`.

use std::fs;
use std::path::{Path, PathBuf};

pub(crate) fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

/// The seeds of a target with their paths, in the order of these.
pub(crate) fn seeds(name: &str) -> Vec<(String, Vec<u8>)> {
    let directory = fuzz().join("seeds").join(name);
    let mut seeds: Vec<(String, Vec<u8>)> = fs::read_dir(&directory)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.display().to_string(), fs::read(path).unwrap()))
        .collect();
    seeds.sort();
    seeds
}

/// What lies in a directory, in alphabetical order and without extensions.
pub(crate) fn target_names(directory: &str) -> Vec<String> {
    let entries = fs::read_dir(fuzz().join(directory)).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned()).collect();
    names.sort_unstable();
    names
}
