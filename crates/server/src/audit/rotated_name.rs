//! How rotated audit files are called: as the file, and when it was rotated (UTC), such as `audit.log.20261130T201500Z`. From the second one
//! of the same second on they are numbered, such as `audit.log.20261130T201500Z-001`. Sorted by name they are sorted by time.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::time::SystemTime;

use jiff::Timestamp;

/// The name of a file that is rotated now; `number` tells those of one second apart.
pub(super) fn rotated(file: &OsStr, at: SystemTime, number: u16) -> OsString {
    let at = Timestamp::try_from(at).unwrap_or_default();
    let mut name = file.to_owned();
    name.push(at.strftime(".%Y%m%dT%H%M%SZ").to_string());
    if number > 0 {
        name.push(format!("-{number:03}"));
    }
    name
}

/// The highest number of one second: names with more digits would not sort.
pub(super) const LAST_NUMBER: u16 = 999;

/// Whether a name is one that [`rotated`] gives to this file, and nobody else's.
pub(super) fn is_rotated(file: &OsStr, name: &OsStr) -> bool {
    let rest = name.as_bytes().strip_prefix(file.as_bytes()).and_then(|rest| rest.strip_prefix(b"."));
    let Some((time, number)) = rest.and_then(|rest| rest.split_at_checked("20261130T201500Z".len())) else {
        return false;
    };
    let matches = |text: &[u8], shape: &[u8]| {
        let fits = |(byte, wanted): (&u8, &u8)| if *wanted == b'0' { byte.is_ascii_digit() } else { byte == wanted };
        text.len() == shape.len() && text.iter().zip(shape).all(fits)
    };
    matches(time, b"00000000T000000Z") && (number.is_empty() || matches(number, b"-000"))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn names_sort_as_times_do_and_are_known_again() {
        let file = OsStr::new("audit.log");
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let first = at(1_796_069_700);
        let names = [
            rotated(file, at(1_796_069_699), 999),
            rotated(file, first, 0),
            rotated(file, first, 1),
            rotated(file, first, 2),
            rotated(file, first, 10),
            rotated(file, first, LAST_NUMBER),
            rotated(file, at(1_796_069_701), 0),
        ];
        assert_eq!(names[1], "audit.log.20261130T201500Z");
        assert_eq!(names[2], "audit.log.20261130T201500Z-001");
        assert!(names.is_sorted(), "{names:?}");
        for name in &names {
            assert!(is_rotated(file, name), "{name:?}");
            assert!(!is_rotated(OsStr::new("other.log"), name) && !is_rotated(OsStr::new("audit"), name), "{name:?}");
        }
    }

    #[test]
    fn names_that_others_give_are_not_taken_for_rotated_ones() {
        let names = [
            "audit.log",
            "audit.log.1",
            "audit.log.20261130",
            "audit.log.20261130T201500Z.gz",
            "audit.log.20261130T201500Z-1",
            "audit.log.20261130T201500Z-0001",
            "audit.log.20261130T201500Z-00x",
            "audit.log.2026113xT201500Z",
            "audit.log-20261130T201500Z",
            "an-audit.log.20261130T201500Z",
        ];
        for name in names {
            assert!(!is_rotated(OsStr::new("audit.log"), OsStr::new(name)), "{name}");
        }
    }
}
