//! What a request costs, without a clock: instructions and allocations of the whole process under valgrind's
//! callgrind, compared with what is written down in `bench/request-cost.toml`. The same binary gives the same
//! numbers whatever else the machine does; a change that costs more than [`TOLERANCE`] fails.
//!
//! Each kind of request is played in two runs that differ in nothing but how many there are, so that the start and
//! the end of the process fall out of the difference.

mod callgrind;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use keyward_testkit::process::Keyward;

use self::callgrind::Cost;
use crate::workload::{Caller, start};

/// How much more than written down is accepted: one part in twenty.
const TOLERANCE: f64 = 0.05;
const FEW: usize = 100;
const MANY: usize = 600;

/// A kind of request.
struct Kind {
    name: &'static str,
    line: &'static str,
    /// Which of the tokens the request of a number shows; none when there is none.
    token: fn(usize) -> Option<usize>,
    body: usize,
    status: u16,
}

const KINDS: [Kind; 5] = [
    Kind { name: "known_token", line: "GET /jira/rest/api/2/issue/DEMO-1", token: |_| Some(0), body: 0, status: 200 },
    Kind { name: "new_token", line: "GET /jira/rest/api/2/issue/DEMO-1", token: Some, body: 0, status: 200 },
    Kind { name: "body", line: "POST /jira/rest/api/2/issue", token: |_| Some(0), body: 1500, status: 200 },
    Kind { name: "no_token", line: "GET /jira/rest/api/2/issue/DEMO-1", token: |_| None, body: 0, status: 401 },
    Kind { name: "no_rule", line: "GET /confluence/page", token: |_| Some(0), body: 0, status: 404 },
];

/// Counts every kind and compares; with `write`, writes down what was counted instead.
pub(crate) fn run(binary: &Path, write: bool) -> Result<(), String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../bench/request-cost.toml");
    let mut counted = BTreeMap::new();
    for kind in &KINDS {
        let (few, many) = (play(binary, kind, FEW)?, play(binary, kind, MANY)?);
        counted.insert(kind.name.to_owned(), many.less(few).per(MANY - FEW));
    }
    if write {
        return fs::write(&file, written(&counted)).map_err(|error| format!("{}: {error}", file.display()));
    }
    let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    let known: BTreeMap<String, Cost> =
        toml::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))?;
    println!("{:<14} {:>24} {:>24}", "a request", "instructions (known)", "allocations (known)");
    let mut worse = Vec::new();
    for (name, cost) in &counted {
        let known = known.get(name).ok_or_else(|| format!("{}: `{name}` is missing", file.display()))?;
        println!(
            "{name:<14} {:>12.0} ({:>9.0}) {:>12.1} ({:>9.1})",
            cost.instructions, known.instructions, cost.allocations, known.allocations
        );
        for (what, now, before) in [
            ("instructions", cost.instructions, known.instructions),
            ("allocations", cost.allocations, known.allocations),
        ] {
            if now > before * (1.0 + TOLERANCE) {
                worse.push(format!("{name}: {now:.1} {what}, {before:.1} are written down"));
            }
        }
    }
    match worse.is_empty() {
        true => Ok(()),
        false => Err(format!(
            "a request costs more than before:\n  {}\nif that is meant, `cargo xtask guard --write` writes it down",
            worse.join("\n  ")
        )),
    }
}

/// The cost of a process that answers so many requests.
fn play(binary: &Path, kind: &Kind, requests: usize) -> Result<Cost, String> {
    let directory = crate::target_directory().join("guard");
    fs::create_dir_all(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let directory = directory.canonicalize().map_err(|error| error.to_string())?;
    let counts = directory.join("counts");
    let _ = fs::remove_file(&counts);
    let tokens = (0..requests).filter_map(kind.token).max().map_or(0, |last| last + 1);
    let keyward = Keyward::new(wrapper(&directory, binary, &counts)?).env("SERVE_PROXY_WORKERS", "1");
    // The wrapper looks for valgrind.
    let keyward = keyward.env("PATH", &std::env::var("PATH").unwrap_or_default());
    let (mut running, tokens) = start(keyward, tokens)?;
    let outcome = call(&running, kind, &tokens, requests);
    running.signal("TERM");
    running.wait();
    outcome.map_err(|problem| format!("{}: {problem}\n{}", kind.name, running.log()))?;
    callgrind::read(&counts)
}

fn call(
    running: &keyward_testkit::process::Running,
    kind: &Kind,
    tokens: &[String],
    requests: usize,
) -> Result<(), String> {
    let mut caller = Caller::connect(running)?;
    let body = "x".repeat(kind.body);
    for number in 0..requests {
        let token = (kind.token)(number).and_then(|index| tokens.get(index)).map_or("", String::as_str);
        caller.expect(kind.line, token, &body, kind.status)?;
    }
    Ok(())
}

/// A command that is the binary under callgrind while it serves, and the binary itself otherwise.
fn wrapper(directory: &Path, binary: &Path, counts: &Path) -> Result<PathBuf, String> {
    let path = directory.join("keyward");
    let binary = binary.canonicalize().map_err(|error| format!("{}: {error}", binary.display()))?;
    let text = format!(
        "#!/bin/sh\nfor argument; do if [ \"$argument\" = serve ]; then exec valgrind --tool=callgrind --compress-strings=no \
         --compress-pos=no --callgrind-out-file='{}' -q '{binary}' \"$@\"; fi; done\nexec '{binary}' \"$@\"\n",
        counts.display(),
        binary = binary.display(),
    );
    fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).map_err(|error| error.to_string())?;
    Ok(path)
}

fn written(counted: &BTreeMap<String, Cost>) -> String {
    let mut text =
        "# What one request costs the whole process, written by `cargo xtask guard --write`: instructions and\n\
                    # allocations. A change that costs a twentieth more fails.\n"
            .to_owned();
    for (name, cost) in counted {
        text.push_str(&format!(
            "\n[{name}]\ninstructions = {:.0}.0\nallocations = {:.1}\n",
            cost.instructions, cost.allocations
        ));
    }
    text
}
