//! `cargo xtask hostile`: sets of hostile requests against a binary, and one table of what became of them. It fails when
//! something got through that must not, when the upstream saw what no sender may write or a request that nobody was
//! allowed, or when a credential came back.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use keyward_server::config::yaml::{self, Dialect};
use keyward_testkit::hostile::stage::Stage;
use keyward_testkit::hostile::tokens::{self, Keys};
use keyward_testkit::hostile::{Attempt, generated, guardian, http2, lines, llhttp};
use keyward_testkit::process::Keyward;

/// Generated requests, where no other number is given.
const GENERATED: usize = 2000;
/// Problems of a class that are shown.
const SHOWN: usize = 10;
/// How much of one of them.
const SHOWN_BYTES: usize = 2048;

/// What is asked for.
pub(crate) struct Options {
    binary: Option<PathBuf>,
    generated: usize,
    seed: u64,
}

impl Options {
    /// `--binary FILE`, `--generated N`, `--seed N`; `None` for anything else.
    pub(crate) fn read(arguments: &[&str]) -> Option<Self> {
        let mut options = Self { binary: None, generated: GENERATED, seed: 1 };
        let mut rest = arguments.iter();
        while let Some(name) = rest.next() {
            let value = rest.next()?;
            match *name {
                "--binary" => options.binary = Some(PathBuf::from(value)),
                "--generated" => options.generated = value.parse().ok()?,
                // Zero would stay zero.
                "--seed" => options.seed = value.parse().ok().filter(|seed| *seed > 0)?,
                _ => return None,
            }
        }
        Some(options)
    }
}

/// A row of the table.
#[derive(Default)]
struct Tally {
    tried: usize,
    refused: usize,
    forwarded: usize,
    desync: usize,
    leaks: usize,
    problems: Vec<String>,
}

pub(crate) fn run(options: &Options) -> Result<(), String> {
    let binary = match &options.binary {
        Some(binary) => binary.clone(),
        None => crate::plain_binary()?,
    };
    println!(
        "{:<24} {:>7} {:>8} {:>16} {:>7} {:>6} {:>7}",
        "class", "tried", "refused", "forwarded clean", "desync", "leaks", "wrong"
    );
    let mut wrong = 0;
    let keys = Keys::default();
    for (class, attempts) in classes(options, &keys)? {
        let tally = play(&binary, class, &attempts, &keys)?;
        println!(
            "{class:<24} {:>7} {:>8} {:>16} {:>7} {:>6} {:>7}",
            tally.tried,
            tally.refused,
            tally.forwarded,
            tally.desync,
            tally.leaks,
            tally.problems.len()
        );
        for problem in tally.problems.iter().take(SHOWN) {
            println!("  {problem}");
        }
        wrong += tally.problems.len();
    }
    if wrong == 0 { Ok(()) } else { Err(format!("{wrong} attempts did what they must not")) }
}

fn classes(options: &Options, keys: &Keys) -> Result<Vec<(&'static str, Vec<Attempt>)>, String> {
    let mut guarded = Vec::new();
    for (file, text) in guardian::FILES {
        let document = yaml::parse(text, file, Dialect::Core).map_err(|error| format!("{file}: {error}"))?;
        guarded.extend(guardian::attempts(&keyward_core::document::to_json(&document)));
    }
    Ok(vec![
        ("framing lines", lines::framing()),
        ("desync guardian", guarded),
        ("llhttp", llhttp::attempts()),
        ("paths", lines::paths()),
        ("generated", generated::attempts(options.generated, options.seed)),
        ("tokens", tokens::attempts(keys, options.generated / 2, options.seed)),
        ("HTTP/2", http2::attempts(options.generated / 2, options.seed)),
    ])
}

fn play(binary: &std::path::Path, class: &str, attempts: &[Attempt], keys: &Keys) -> Result<Tally, String> {
    let stage = Stage::start(Keyward::new(binary), keys);
    let mut tally = Tally::default();
    let mut told = Instant::now();
    for attempt in attempts {
        let outcome = stage.play(attempt).map_err(|error| format!("{}: {error}", attempt.name))?;
        tally.tried += 1;
        tally.leaks += usize::from(outcome.leaked);
        match (outcome.desync.is_empty(), outcome.forwarded) {
            (false, _) => tally.desync += 1,
            (true, 0) => tally.refused += 1,
            (true, _) => tally.forwarded += 1,
        }
        if let Some(problem) = outcome.problem(attempt.expected) {
            let bytes = String::from_utf8_lossy(&attempt.bytes[..attempt.bytes.len().min(SHOWN_BYTES)]);
            tally.problems.push(format!("{}: {problem}: {bytes:?}", attempt.name));
        }
        if told.elapsed() > Duration::from_secs(1) {
            eprintln!("{class}: {} of {}", tally.tried, attempts.len());
            told = Instant::now();
        }
    }
    Ok(tally)
}
