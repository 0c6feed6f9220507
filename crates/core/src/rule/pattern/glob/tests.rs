//! Golden data: what the reference's engine answers to every short glob.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use crate::rule::pattern::{Pattern, Strategy};

/// What the reference answers.
enum Answer<'a> {
    Crash,
    Refusal,
    /// For each subject a bit, in hexadecimal, the first one lowest.
    Matches(&'a str),
}

impl Answer<'_> {
    fn takes(&self, subject: usize) -> bool {
        let Self::Matches(digits) = self else { return false };
        let digit = digits.chars().rev().nth(subject / 4).map_or(0, |digit| digit.to_digit(16).unwrap());
        digit >> (subject % 4) & 1 == 1
    }
}

/// Every text of up to three of the characters, short ones first.
fn subjects() -> Vec<String> {
    let longer = |texts: &[String]| -> Vec<String> {
        texts.iter().flat_map(|text| "ab./".chars().map(move |c| format!("{text}{c}"))).collect()
    };
    let one = longer(&[String::new()]);
    let two = longer(&one);
    let three = longer(&two);
    [vec![String::new()], one, two, three].concat()
}

fn golden() -> impl Iterator<Item = (&'static str, Answer<'static>)> {
    let lines = include_str!("../golden/glob.txt").lines().filter(|line| !line.starts_with('#'));
    lines.flat_map(|line| {
        let (answer, globs) = line.split_once('\t').unwrap();
        globs.split(' ').map(move |glob| {
            let answer = match answer {
                "!" => Answer::Refusal,
                "panic" => Answer::Crash,
                digits => Answer::Matches(digits),
            };
            (glob, answer)
        })
    })
}

/// The row of `conformance/differences.toml` that explains a difference; none explains a glob that takes
/// more than in the reference without having alternatives.
fn row(glob: &str, answer: &Answer<'_>, ours: Option<&[bool]>) -> Option<&'static str> {
    let Some(ours) = ours else {
        return glob.contains('{').then_some("glob-empty-braces");
    };
    let has_brace = glob.contains('{');
    let wider = (0..ours.len()).any(|subject| ours[subject] && !answer.takes(subject));
    if wider || matches!(answer, Answer::Crash) {
        return has_brace.then_some("glob-alternatives");
    }
    if glob.contains('?') || glob.contains("[!") || (glob.contains('*') && has_brace && !glob.contains("**")) {
        return Some("glob-wildcards");
    }
    glob.contains("**").then_some("glob-overlap")
}

#[test]
fn every_short_glob_matches_as_in_the_reference_or_differs_as_intended() {
    let subjects = subjects();
    let (mut wrong, mut rows) = (Vec::new(), BTreeMap::<_, usize>::new());
    for (glob, answer) in golden() {
        let compiled = Pattern::compile(&format!("<{glob}>"), Strategy::Glob);
        let ours: Option<Vec<bool>> =
            compiled.ok().map(|pattern| subjects.iter().map(|subject| pattern.is_match(subject).unwrap()).collect());
        let is_same = match (&answer, &ours) {
            (Answer::Refusal, ours) => ours.is_none(),
            (Answer::Matches(_), Some(ours)) => (0..ours.len()).all(|subject| ours[subject] == answer.takes(subject)),
            _ => false,
        };
        if is_same {
            continue;
        }
        match row(glob, &answer, ours.as_deref()).filter(|_| !matches!(answer, Answer::Refusal)) {
            Some(row) => *rows.entry(row).or_default() += 1,
            None => wrong.push(glob),
        }
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
    // What is intended is counted: none more, none less.
    assert_eq!(
        rows.into_iter().collect::<Vec<_>>(),
        [("glob-alternatives", 730), ("glob-empty-braces", 222), ("glob-overlap", 13), ("glob-wildcards", 322),]
    );
}

/// Where the literals stand outside of the variable part they may overlap, as in the reference.
#[test]
fn literals_around_a_variable_part_overlap_as_in_the_reference() {
    let subjects = subjects();
    let is_literal = |text: &str| text.chars().all(|c| "a./".contains(c));
    let rows = golden().filter_map(|(glob, answer)| {
        let (before, after) = glob.split_once("**")?;
        (is_literal(before) && is_literal(after)).then_some((before, after, answer))
    });
    let mut count = 0;
    for (before, after, answer) in rows {
        let pattern = Pattern::compile(&format!("{before}<**>{after}"), Strategy::Glob).unwrap();
        for (number, subject) in subjects.iter().enumerate() {
            assert_eq!(pattern.is_match(subject).unwrap(), answer.takes(number), "{before}<**>{after} / {subject}");
        }
        count += 1;
    }
    assert_eq!(count, 66);
}
