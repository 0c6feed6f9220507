//! What is counted: the server doing its work for callers on keep-alive connections, over loopback. Most
//! requests are let through with a known token, one in 25 with a new one; the others are what else happens every day.

use std::path::Path;

use keyward_testkit::process::{Keyward, Running};

use crate::workload::{Caller, start};

/// Callers at the same time.
const CALLERS: usize = 16;
/// Rounds of one caller, each with a token of its own; a round is one of each kind and many of the common one.
pub(super) const ROUNDS: usize = 150;
/// Enough for everything to be counted once.
pub(super) const FEW_ROUNDS: usize = 3;
const COMMON_IN_A_ROUND: usize = 20;
/// Less than all of their tokens take, so that new ones push others out.
const TOKEN_CACHE_BYTES: &str = "2097152";

/// Serves the training load with a binary, which writes its counts when it ends.
pub(super) fn serve(binary: &Path, rounds: usize) -> Result<(), String> {
    let keyward = Keyward::new(binary).env("SERVE_PROXY_LIMITS_TOKEN_CACHE_BYTES", TOKEN_CACHE_BYTES);
    let (mut running, tokens) = start(keyward, CALLERS * rounds)?;
    let outcome = std::thread::scope(|scope| {
        let callers: Vec<_> = tokens
            .chunks(rounds)
            .map(|tokens| {
                let running = &running;
                scope.spawn(move || call(running, tokens))
            })
            .collect();
        callers.into_iter().try_for_each(|caller| caller.join().map_err(|_| "a caller panicked".to_owned())?)
    });
    running.signal("TERM");
    let ended = running.wait();
    outcome?;
    if ended.success() { Ok(()) } else { Err(format!("the trained server ended with {ended}: {}", running.log())) }
}

/// One caller on one connection.
fn call(running: &Running, tokens: &[String]) -> Result<(), String> {
    let mut caller = Caller::connect(running)?;
    let body = format!("{{\"fields\":\"{}\"}}", "x".repeat(1500));
    for token in tokens {
        for _ in 0..COMMON_IN_A_ROUND {
            caller.expect("GET /jira/rest/api/2/issue/DEMO-1", token, "", 200)?;
        }
        caller.expect("GET /jira/rest/api/2/search?jql=project%3DDEMO&fields=summary", token, "", 200)?;
        caller.expect("POST /jira/rest/api/2/issue", token, &body, 200)?;
        caller.expect("GET /jira/large", token, "", 200)?;
        caller.expect("GET /jira/rest/api/2/issue/DEMO-1", "", "", 401)?;
        caller.expect("DELETE /jira/rest/api/2/issue/DEMO-1", token, "", 404)?;
    }
    Ok(())
}
