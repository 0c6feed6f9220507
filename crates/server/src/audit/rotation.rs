//! When a file of audit records is rotated, and how: it gets a name with the time, another one is begun in its place, and the oldest
//! are removed. As long as that fails, records go on into the file that is there.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use memchr::{memchr, memrchr};

use super::rotated_name::{LAST_NUMBER, is_rotated, rotated};
use crate::backoff::Backoff;
use crate::config::settings::audit::Rotation;

/// The pauses after rotations that failed, which are told of each time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Rotates one file.
pub(super) struct Rotator {
    rotation: Rotation,
    /// The period of time in which the file was begun, as far as known.
    period: u64,
    backoff: Backoff,
    /// After a failure: not before.
    next: Option<Instant>,
    /// When it was told that old files cannot be removed.
    told: Option<Instant>,
}

impl Rotator {
    pub(super) fn new(rotation: Rotation) -> Self {
        let backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        Self { rotation, period: 0, backoff, next: None, told: None }
    }

    /// Takes over a file, which may hold records of a time that is over.
    pub(super) fn begin(&mut self, file: &File) {
        let found = file.metadata().ok().filter(|of| of.len() > 0).and_then(|of| of.modified().ok());
        self.period = self.period_of(found.unwrap_or_else(SystemTime::now));
    }

    /// How much of these lines, which begin where a line begins, goes into the file now. It may be another file then.
    pub(super) fn room(&mut self, path: &Path, file: &mut File, lines: &[u8], now: SystemTime) -> usize {
        let first = memchr(b'\n', lines).map_or(lines.len(), |end| end + 1);
        // Asked each time: somebody may have emptied it.
        let mut size = length(file);
        if self.is_due(size, first, now) {
            if !(self.may_try() && self.rotate(path, file, now)) {
                return lines.len();
            }
            size = length(file);
        }
        let Some(max) = self.rotation.max_bytes else { return lines.len() };
        let left = usize::try_from(max.saturating_sub(size)).unwrap_or(usize::MAX);
        match memrchr(b'\n', &lines[..left.min(lines.len())]) {
            Some(end) => end + 1,
            // A line that is longer than a file may be has one of its own.
            None => first,
        }
    }

    /// Rotates a file to which nothing is written, when its time is over.
    pub(super) fn tend(&mut self, path: &Path, file: &mut File, now: SystemTime) {
        if self.is_due(length(file), 0, now) && self.may_try() {
            self.rotate(path, file, now);
        }
    }

    /// Whether a line has to go into another file. An empty one is good for any line, at any time.
    fn is_due(&mut self, size: u64, line: usize, now: SystemTime) -> bool {
        let period = self.period_of(now);
        if size == 0 {
            self.period = period;
            return false;
        }
        self.rotation.max_bytes.is_some_and(|max| size + line as u64 > max) || period > self.period
    }

    /// Periods have a number, from the beginning of 1970 on: those of a day begin at midnight UTC.
    fn period_of(&self, at: SystemTime) -> u64 {
        let Some(every) = self.rotation.every else { return 0 };
        let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_nanos() / every.as_nanos().max(1)).unwrap_or(u64::MAX)
    }

    fn may_try(&self) -> bool {
        self.next.is_none_or(|next| Instant::now() >= next)
    }

    /// Whether another file has been begun.
    fn rotate(&mut self, path: &Path, file: &mut File, now: SystemTime) -> bool {
        match replaced(path, file, now) {
            Ok(begun) => *file = begun,
            Err(error) => {
                self.next = Some(Instant::now() + self.backoff.failed(None));
                tracing::error!(%error, path = %path.display(), "the audit log cannot be rotated: records go on into the same file");
                return false;
            }
        }
        self.period = self.period_of(now);
        self.backoff.succeeded();
        if self.next.take().is_some() {
            tracing::info!(path = %path.display(), "the audit log is rotated again");
        }
        if let Some(keep) = self.rotation.keep
            && let Err(error) = prune(path, keep)
            && self.told.is_none_or(|told| told.elapsed() >= LONGEST_PAUSE)
        {
            self.told = Some(Instant::now());
            tracing::error!(%error, path = %path.display(), "old audit logs cannot be removed");
        }
        true
    }
}

/// Opens a file to which records are appended, for its owner alone.
pub(super) fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

/// Whether a path still leads to an open file, rather than to nothing or to a file that somebody put there.
pub(super) fn leads_to(path: &Path, file: &File) -> io::Result<bool> {
    let open = file.metadata()?;
    match fs::metadata(path) {
        Ok(found) => Ok((found.dev(), found.ino()) == (open.dev(), open.ino())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn length(file: &File) -> u64 {
    file.metadata().map_or(0, |of| of.len())
}

/// The file that is begun in the place of another, which gets a name with the time. On an error everything is as it was.
fn replaced(path: &Path, file: &File, now: SystemTime) -> io::Result<File> {
    if !leads_to(path, file)? {
        // Somebody has moved it away: it has its name.
        return append(path);
    }
    // A link stays where it is, and leads to the new file.
    let path = fs::canonicalize(path)?;
    let name = reserve(&path, now)?;
    if let Err(error) = fs::rename(&path, &name) {
        // Ours, and empty.
        let _ = fs::remove_file(&name);
        return Err(error);
    }
    let begun = append(&path).inspect_err(|_| {
        // It is still the file that is written to, also under its new name.
        let _ = fs::rename(&name, &path);
    })?;
    // Whoever was let read the file may go on. What cannot be had stays as it was made: for its owner alone.
    if let Ok(before) = file.metadata() {
        let _ = begun.set_permissions(Permissions::from_mode(before.mode() & 0o777));
    }
    Ok(begun)
}

/// A name that nobody else has: an empty file holds it.
fn reserve(path: &Path, now: SystemTime) -> io::Result<PathBuf> {
    let file = path.file_name().ok_or(ErrorKind::InvalidInput)?;
    for number in 0..=LAST_NUMBER {
        let name = path.with_file_name(rotated(file, now, number));
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&name) {
            Ok(_) => return Ok(name),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("there are too many files of this second"))
}

/// Removes the oldest of the rotated files but for so many.
fn prune(path: &Path, keep: usize) -> io::Result<()> {
    let path = fs::canonicalize(path)?;
    let (Some(directory), Some(file)) = (path.parent(), path.file_name()) else { return Ok(()) };
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if is_rotated(file, &entry.file_name()) && entry.file_type()?.is_file() {
            found.push(entry.path());
        }
    }
    found.sort_unstable();
    found.truncate(found.len().saturating_sub(keep));
    // One that cannot be removed keeps no other.
    let removed: Vec<io::Result<()>> = found.iter().map(fs::remove_file).collect();
    removed.into_iter().collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// A file in a directory of its own, and who rotates it.
    fn stage(rotation: Rotation, before: &str) -> (tempfile::TempDir, PathBuf, File, Rotator) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.log");
        fs::write(&path, before).unwrap();
        let file = append(&path).unwrap();
        let mut rotator = Rotator::new(rotation);
        rotator.begin(&file);
        (directory, path, file, rotator)
    }

    fn by_size(max_bytes: u64) -> Rotation {
        Rotation { max_bytes: Some(max_bytes), every: None, keep: None }
    }

    #[test]
    fn as_many_whole_lines_go_into_a_file_as_fit() {
        // (what is there, what is written, how much of it goes in, whether the file is rotated before)
        let rows = [
            ("", "aaa\nbbb\n", 8, false),
            ("", "aaaa\nbbbb\nc\n", 10, false),
            ("xx\n", "aaaa\nbbbb\n", 5, false),
            ("xxxxx\n", "aaa\nb\n", 4, false),
            ("xxxxxx\n", "aaa\nb\n", 6, true),
            ("xxxxxxxxxxxxx\n", "a\n", 2, true),
            ("", "aaaaaaaaaaaaaaa\nb\n", 16, false),
            ("x\n", "aaaaaaaaaaaaaaa\nb\n", 16, true),
        ];
        for (before, lines, expected, is_rotated) in rows {
            let (directory, path, mut file, mut rotator) = stage(by_size(10), before);
            let room = rotator.room(&path, &mut file, lines.as_bytes(), SystemTime::now());
            let shown = format!("{before:?} {lines:?}");
            assert_eq!((room, names(directory.path()).len() == 2), (expected, is_rotated), "{shown}");
            assert_eq!(fs::read_to_string(&path).unwrap(), if is_rotated { "" } else { before }, "{shown}");
        }
    }

    #[test]
    fn a_period_ends_for_a_file_that_holds_something() {
        let rotation = Rotation { max_bytes: None, every: Some(DAY), keep: None };
        let (directory, path, mut file, mut rotator) = stage(rotation.clone(), "x\n");
        // When it was written to says to which period it belongs, also after a restart.
        let noon = UNIX_EPOCH + DAY * 20_000 + DAY / 2;
        file.set_modified(noon).unwrap();
        rotator.begin(&file);
        rotator.tend(&path, &mut file, noon + DAY / 2 - Duration::from_nanos(1));
        assert_eq!(names(directory.path()), ["a.log"]);
        rotator.tend(&path, &mut file, noon + DAY / 2);
        assert_eq!(names(directory.path()), ["a.log", "a.log.20241005T000000Z"]);
        // An empty file is not rotated, however old it is, nor is one whose clock is set back.
        rotator.tend(&path, &mut file, noon + DAY * 3);
        assert_eq!(rotator.room(&path, &mut file, b"y\n", noon + DAY * 4), 2);
        fs::write(&path, "y\n").unwrap();
        assert_eq!(rotator.room(&path, &mut file, b"y\n", noon), 2);
        assert_eq!(names(directory.path()).len(), 2);
        rotator.tend(&path, &mut file, noon + DAY * 5);
        assert_eq!(names(directory.path()).len(), 3);
    }

    #[test]
    fn only_rotated_files_are_removed_and_the_oldest_first() {
        let rotation = Rotation { keep: Some(2), ..by_size(1) };
        let (directory, path, mut file, mut rotator) = stage(rotation, "");
        for other in ["a.log.1", "b.log.20200101T000000Z", "a.log.20200101T000000Z.gz"] {
            fs::write(directory.path().join(other), "other").unwrap();
        }
        fs::create_dir(directory.path().join("a.log.20200101T000000Z")).unwrap();
        for second in 0..5 {
            fs::write(&path, format!("{second}\n")).unwrap();
            // Two in each second.
            rotator.room(&path, &mut file, b"y\n", UNIX_EPOCH + DAY + Duration::from_secs(second / 2));
        }
        let expected = [
            "a.log",
            "a.log.1",
            "a.log.19700102T000001Z-001",
            "a.log.19700102T000002Z",
            "a.log.20200101T000000Z",
            "a.log.20200101T000000Z.gz",
            "b.log.20200101T000000Z",
        ];
        assert_eq!(names(directory.path()), expected);
        assert_eq!(fs::read_to_string(directory.path().join("a.log.19700102T000001Z-001")).unwrap(), "3\n");
    }

    #[test]
    fn a_file_that_somebody_moved_away_is_not_moved_again_and_nothing_of_another_is() {
        let (directory, path, mut file, mut rotator) = stage(by_size(1), "x\n");
        fs::rename(&path, directory.path().join("moved")).unwrap();
        rotator.room(&path, &mut file, b"y\n", SystemTime::now());
        assert_eq!(names(directory.path()), ["a.log", "moved"]);
        assert!(leads_to(&path, &file).unwrap());
    }

    #[test]
    fn a_rotation_that_fails_changes_nothing_and_is_not_tried_at_once() {
        let (directory, path, mut file, mut rotator) = stage(by_size(1), "x\n");
        let away = directory.path().with_extension("away");
        fs::rename(directory.path(), &away).unwrap();
        assert_eq!(rotator.room(&path, &mut file, b"y\nz\n", SystemTime::now()), 4);
        fs::rename(&away, directory.path()).unwrap();
        assert_eq!(rotator.room(&path, &mut file, b"y\nz\n", SystemTime::now()), 4);
        assert_eq!(names(directory.path()), ["a.log"]);
        rotator.next = Some(Instant::now());
        assert_eq!(rotator.room(&path, &mut file, b"y\nz\n", SystemTime::now()), 2);
        assert_eq!((names(directory.path()).len(), rotator.next), (2, None));
    }

    #[test]
    fn who_could_read_the_file_can_read_the_next_one() {
        let (_directory, path, mut file, mut rotator) = stage(by_size(1), "x\n");
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        rotator.room(&path, &mut file, b"y\n", SystemTime::now());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    }
}
