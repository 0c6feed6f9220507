//! The versions that requests were served under, and what must hold of them.

use std::collections::BTreeSet;

use super::Latencies;

/// Numbers of the rules, the secrets and the configuration; each goes up with every replacement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Versions {
    pub(super) rules: u32,
    pub(super) secrets: u32,
    pub(super) configuration: u32,
}

impl Versions {
    pub(super) const FIRST: Self = Self { rules: 1, secrets: 1, configuration: 1 };

    /// Reads what the upstream saw: each number twice, since each is written in two places of what it names.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let numbers: Vec<u32> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        match numbers[..] {
            [rules, same, secrets, pair, configuration] if rules == same && secrets == pair => {
                Ok(Self { rules, secrets, configuration })
            }
            _ => Err(format!("an answer mixes two versions, or lacks one: `{text}`")),
        }
    }

    /// Whether nothing of it is older.
    pub(super) fn follows(self, other: Self) -> bool {
        self.rules >= other.rules && self.secrets >= other.secrets && self.configuration >= other.configuration
    }

    /// How often each was replaced.
    pub(super) fn since(self, before: Self) -> [u32; 3] {
        [self.rules - before.rules, self.secrets - before.secrets, self.configuration - before.configuration]
    }
}

/// What requests saw.
#[derive(Default)]
pub(super) struct Seen {
    versions: BTreeSet<Versions>,
    latencies: Latencies,
}

impl Seen {
    pub(super) fn note(&mut self, versions: Versions, latency: std::time::Duration) {
        self.versions.insert(versions);
        self.latencies.note(latency);
    }

    pub(super) fn add(&mut self, other: Self) {
        self.versions.extend(other.versions);
        self.latencies.add(other.latencies);
    }

    /// How many different ones.
    pub(super) fn versions(&self) -> usize {
        self.versions.len()
    }

    pub(super) fn latencies(&self) -> Latencies {
        self.latencies.clone()
    }

    /// Whether they can have been in force one after the other. If rules were swapped apart from secrets, some
    /// requests would see the new rules with the old secrets, and some the old rules with the new secrets.
    pub(super) fn check_order(&self) -> Result<(), String> {
        let pairs = self.versions.iter().zip(self.versions.iter().skip(1));
        match pairs.into_iter().find(|(earlier, later)| !later.follows(**earlier)) {
            None => Ok(()),
            Some((one, other)) => Err(format!("{one:?} and {other:?} cannot both have been one version")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_that_are_mixed_are_found() {
        assert_eq!(Versions::read("1 1 2 2 3"), Ok(Versions { rules: 1, secrets: 2, configuration: 3 }));
        for mixed in ["1 2 2 2 3", "1 1 2 3 3", "1 1 2 2", "", "1 1 - 2 3"] {
            assert!(Versions::read(mixed).is_err(), "{mixed}");
        }
        let rows = [
            (vec![(1, 1, 1), (2, 1, 1), (2, 3, 4)], true),
            (vec![(1, 2, 1), (2, 1, 1)], false),
            (vec![(1, 1, 1), (2, 2, 2), (3, 2, 1)], false),
        ];
        for (row, expected) in rows {
            let mut seen = Seen::default();
            for (rules, secrets, configuration) in row.iter().copied() {
                seen.note(Versions { rules, secrets, configuration }, std::time::Duration::ZERO);
            }
            assert_eq!(seen.check_order().is_ok(), expected, "{row:?}");
        }
    }
}
