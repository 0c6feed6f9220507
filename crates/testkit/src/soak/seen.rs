//! The versions that requests were served under, and what must hold of them.

use std::collections::{BTreeMap, BTreeSet};

use super::Latencies;

/// Numbers of everything that is replaced; each goes up with every replacement. A request is served under one rule, so it
/// tells either the number of the rule file or that of the remote rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Versions {
    /// The rule file.
    pub(super) rules: Option<u32>,
    /// The rules behind a URL.
    pub(super) remote: Option<u32>,
    /// The secrets of `secrets.env_dir`.
    pub(super) environment: u32,
    /// The secrets of a source.
    pub(super) source: u32,
    /// The configuration.
    pub(super) configuration: u32,
}

impl Versions {
    pub(super) const FIRST: Self =
        Self { rules: Some(1), remote: Some(1), environment: 1, source: 1, configuration: 1 };

    /// Reads what the upstream saw: whose rule it was, and each number twice, since each is written in two places of what it
    /// names; but for that of the configuration.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let mixed = || format!("an answer mixes two versions, or lacks one: `{text}`");
        let (whose, numbers) = text.split_once(' ').ok_or_else(mixed)?;
        let numbers: Vec<u32> = numbers.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        let [own, own_too, environment, environment_too, source, source_too, configuration] = numbers[..] else {
            return Err(mixed());
        };
        let (rules, remote) = match whose {
            "file" => (Some(own), None),
            "remote" => (None, Some(own)),
            _ => return Err(mixed()),
        };
        match own == own_too && environment == environment_too && source == source_too {
            true => Ok(Self { rules, remote, environment, source, configuration }),
            false => Err(mixed()),
        }
    }

    /// Whether nothing of it is older, as far as both tell.
    pub(super) fn follows(self, other: Self) -> bool {
        let is_no_older = |own: Option<u32>, other: Option<u32>| own.zip(other).is_none_or(|(own, other)| own >= other);
        is_no_older(self.rules, other.rules)
            && is_no_older(self.remote, other.remote)
            && self.environment >= other.environment
            && self.source >= other.source
            && self.configuration >= other.configuration
    }

    /// The same with what only the other tells.
    pub(super) fn with_rules_of(self, other: Self) -> Self {
        Self { rules: self.rules.or(other.rules), remote: self.remote.or(other.remote), ..self }
    }

    /// How often each was replaced.
    pub(super) fn since(self, before: Self) -> [u32; 5] {
        let numbers = |of: Self| {
            let [rules, remote] = [of.rules, of.remote].map(Option::unwrap_or_default);
            [rules, remote, of.environment, of.source, of.configuration]
        };
        let before = numbers(before);
        std::array::from_fn(|kind| numbers(self)[kind] - before[kind])
    }
}

/// What an answer says that it was given under.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Answer {
    /// Stands for the rules of all repositories together.
    pub(super) rules_version: String,
    pub(super) versions: Versions,
}

/// What requests saw.
#[derive(Default)]
pub(super) struct Seen {
    answers: BTreeSet<Answer>,
    latencies: Latencies,
}

impl Seen {
    pub(super) fn note(&mut self, answer: Answer, latency: std::time::Duration) {
        self.answers.insert(answer);
        self.latencies.note(latency);
    }

    pub(super) fn add(&mut self, other: Self) {
        self.answers.extend(other.answers);
        self.latencies.add(other.latencies);
    }

    /// How many different ones. Fails when they cannot have been in force one after the other: if rules were swapped apart from
    /// secrets, some requests would see the new rules with the old secrets, and some the old rules with the new secrets.
    pub(super) fn versions(&self) -> Result<usize, String> {
        let all: Vec<Versions> = self.complete()?.into_iter().collect();
        for (number, one) in all.iter().enumerate() {
            if let Some(other) = all[number + 1..].iter().find(|other| !one.follows(**other) && !other.follows(*one)) {
                return Err(format!("{one:?} and {other:?} cannot both have been one version"));
            }
        }
        Ok(all.len())
    }

    pub(super) fn latencies(&self) -> Latencies {
        self.latencies.clone()
    }

    /// With the numbers of both kinds of rules, where answers of both kinds were given under the same rules: each version of
    /// all rules together has one number of either kind.
    fn complete(&self) -> Result<BTreeSet<Versions>, String> {
        let mut known: BTreeMap<&str, Versions> = BTreeMap::new();
        for Answer { rules_version, versions } in &self.answers {
            let all = known.entry(rules_version).or_insert(*versions);
            let differs =
                |own: Option<u32>, other: Option<u32>| own.zip(other).is_some_and(|(own, other)| own != other);
            if differs(all.rules, versions.rules) || differs(all.remote, versions.remote) {
                return Err(format!("{all:?} and {versions:?} have the same rules, `{rules_version}`"));
            }
            *all = all.with_rules_of(*versions);
        }
        let with_all = |answer: &Answer| match known.get(&*answer.rules_version) {
            Some(all) => answer.versions.with_rules_of(*all),
            None => answer.versions,
        };
        Ok(self.answers.iter().map(with_all).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_that_are_mixed_are_found() {
        let expected = Versions { rules: Some(1), remote: None, environment: 2, source: 3, configuration: 4 };
        assert_eq!(Versions::read("file 1 1 2 2 3 3 4"), Ok(expected));
        assert_eq!(Versions::read("remote 1 1 2 2 3 3 4"), Ok(Versions { rules: None, remote: Some(1), ..expected }));
        for mixed in [
            "file 1 2 2 2 3 3 4",
            "remote 1 1 2 3 3 3 4",
            "file 1 1 2 2 3 4 4",
            "file 1 1 2 2 3 3",
            "file",
            "",
            "1 1 2 2 3 3 4",
            "file 1 1 - 2 3 3 4",
        ] {
            assert!(Versions::read(mixed).is_err(), "{mixed}");
        }
    }

    #[test]
    fn versions_that_cannot_follow_one_another_are_found() {
        // The version of all rules, the number of the file or of the remote rules, the numbers of the rest.
        type Row<'a> = (&'a str, Result<u32, u32>, [u32; 3]);
        let rows: [(&[Row<'_>], Result<usize, ()>); 8] = [
            (&[("a", Ok(1), [1, 1, 1]), ("b", Ok(2), [1, 1, 1]), ("b", Ok(2), [3, 2, 4])], Ok(3)),
            // One version, told by two answers.
            (&[("a", Ok(1), [1, 1, 1]), ("a", Err(7), [1, 1, 1])], Ok(1)),
            // Nothing is known of the remote rules of the first.
            (&[("a", Ok(1), [1, 1, 1]), ("b", Err(7), [1, 1, 2])], Ok(2)),
            (&[("a", Ok(1), [2, 1, 1]), ("b", Ok(2), [1, 1, 1])], Err(())),
            (&[("a", Ok(1), [1, 1, 2]), ("a", Err(1), [1, 2, 1])], Err(())),
            // The remote rules that went with the older file were newer.
            (
                &[("a", Ok(1), [1, 1, 1]), ("a", Err(2), [1, 1, 1]), ("b", Ok(2), [1, 1, 1]), ("b", Err(1), [1, 1, 1])],
                Err(()),
            ),
            (&[("a", Ok(1), [1, 1, 1]), ("a", Ok(2), [1, 1, 1])], Err(())),
            (&[("a", Err(1), [1, 1, 1]), ("a", Err(2), [1, 1, 1])], Err(())),
        ];
        for (row, expected) in rows {
            let mut seen = Seen::default();
            for (rules_version, rules, [environment, source, configuration]) in row.iter().copied() {
                let (rules, remote) = (rules.ok(), rules.err());
                let versions = Versions { rules, remote, environment, source, configuration };
                seen.note(Answer { rules_version: rules_version.to_owned(), versions }, std::time::Duration::ZERO);
            }
            assert_eq!(seen.versions().map_err(|_| ()), expected, "{row:?}");
        }
    }
}
