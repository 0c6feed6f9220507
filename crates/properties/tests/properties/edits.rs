//! Seeds with a few edits, the same ones in every run.

use std::panic::{AssertUnwindSafe, catch_unwind};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

/// What libFuzzer does to an input, too.
#[derive(Clone, Debug)]
enum Edit {
    /// Another byte.
    Replace(Index, u8),
    /// A byte more, mostly one that means something to somebody.
    Insert(Index, u8),
    /// Some bytes less.
    Remove(Index, usize),
    /// Some bytes twice.
    Repeat(Index, usize),
    /// The rest is that of another seed.
    Cross(Index, Index, Index),
    /// It ends here.
    Cut(Index),
}

fn byte() -> impl Strategy<Value = u8> {
    let telling = select(b"\r\n\t \0\"'\\/.:;,=%&?#<>[]{}()*+-_|~@$^`0a\x7f\x80\xc3\xff".to_vec());
    prop_oneof![3 => telling, 1 => any::<u8>()]
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        3 => (any::<Index>(), byte()).prop_map(|(at, byte)| Edit::Replace(at, byte)),
        3 => (any::<Index>(), byte()).prop_map(|(at, byte)| Edit::Insert(at, byte)),
        2 => (any::<Index>(), 1..8_usize).prop_map(|(at, count)| Edit::Remove(at, count)),
        2 => (any::<Index>(), 1..24_usize).prop_map(|(at, count)| Edit::Repeat(at, count)),
        1 => any::<(Index, Index, Index)>().prop_map(|(seed, at, from)| Edit::Cross(seed, at, from)),
        1 => any::<Index>().prop_map(Edit::Cut),
    ]
}

fn edited(mut data: Vec<u8>, edits: &[Edit], seeds: &[Vec<u8>]) -> Vec<u8> {
    for edit in edits {
        let length = data.len();
        let stretch = |at: &Index, count: usize| at.index(length + 1)..(at.index(length + 1) + count).min(length);
        match edit {
            Edit::Replace(at, byte) if length > 0 => data[at.index(length)] = *byte,
            Edit::Replace(_, byte) => data.push(*byte),
            Edit::Insert(at, byte) => data.insert(at.index(length + 1), *byte),
            Edit::Remove(at, count) => drop(data.drain(stretch(at, *count))),
            Edit::Repeat(at, count) => {
                let stretch = stretch(at, *count);
                let (copy, end) = (data[stretch.clone()].to_vec(), stretch.end);
                drop(data.splice(end..end, copy));
            }
            Edit::Cross(seed, at, from) => {
                let other = seed.get(seeds);
                data.truncate(at.index(length + 1));
                data.extend_from_slice(&other[from.index(other.len() + 1)..]);
            }
            Edit::Cut(at) => data.truncate(at.index(length + 1)),
        }
    }
    data
}

/// Tries so many edited seeds. The error shows the smallest one found for which the property does not hold.
pub(crate) fn try_all(seeds: Vec<Vec<u8>>, cases: u32, check: fn(&[u8])) -> Result<(), String> {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let others = seeds.clone();
    let inputs = (select(seeds), vec(edit(), 1..6)).prop_map(move |(seed, edits)| edited(seed, &edits, &others));
    let outcome = runner.run(&inputs, |data| match catch_unwind(AssertUnwindSafe(|| check(&data))) {
        Ok(()) => Ok(()),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Err(TestCaseError::fail(text.unwrap_or_default()))
        }
    });
    outcome.map_err(|error| match error {
        TestError::Fail(reason, data) => format!("b\"{}\": {reason}", data.escape_ascii()),
        TestError::Abort(reason) => reason.to_string(),
    })
}
