//! Floods of frames that cost their sender little. Each ends the connection that sends it, or costs the server no more
//! than reading it; memory grows by no more than 32 MiB, and another caller is served all the while.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use keyward_testkit::same_flaw;

use super::caller::{Caller, Outcome};
use super::frames::{
    CONTINUATION, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, FLOW_CONTROL_ERROR, GOAWAY, HEADERS, PING, PRIORITY,
    PROTOCOL_ERROR, PUSH_PROMISE, block, data, frame, headers, reset, settings, window_update,
};
use super::stage::Stage;

const MOST_GROWTH_KIB: u64 = 32 * 1024;
/// How much each flood offers, at most.
const OFFERED: usize = 8 << 20;

/// What became of a flood.
struct Flooded {
    /// The error that its connection ended with; nothing when it was still served after the last frame.
    ended: Option<Outcome>,
    /// Requests that reached the upstream.
    upstream: usize,
}

/// Sends frames, made one after the other, until the connection ends or enough was sent.
fn flood(stage: &Stage, start: &[u8], mut next: impl FnMut(u32) -> Vec<u8>) -> Flooded {
    let before = stage.running.resident_kib();
    let (over, most, served) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let mut caller = stage.caller();
    caller.send(start).unwrap();
    let ended = thread::scope(|scope| {
        // An honest caller, and a look at memory after each of its requests.
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) || served.load(Ordering::Relaxed) == 0 {
                assert_eq!(stage.running.get("/open/honest", &[]).status(), 200);
                served.fetch_add(1, Ordering::Relaxed);
                most.fetch_max(stage.running.resident_kib(), Ordering::Relaxed);
                thread::sleep(Duration::from_millis(5));
            }
        });
        let ended = send_all(&mut caller, &mut next);
        over.store(true, Ordering::Relaxed);
        ended
    });
    let growth = most.into_inner().saturating_sub(before);
    assert!(growth <= MOST_GROWTH_KIB, "memory grew by {growth} KiB");
    let seen = stage.upstream.take();
    Flooded { ended, upstream: seen.iter().filter(|request| request["target"] != "/open/honest").count() }
}

/// What is answered meanwhile is read, so that nothing holds the server up.
fn send_all(caller: &mut Caller, next: &mut impl FnMut(u32) -> Vec<u8>) -> Option<Outcome> {
    let (mut sent, mut number) = (0, 0);
    while sent < OFFERED {
        let mut batch = Vec::new();
        while batch.len() < 32 * 1024 {
            batch.extend(next(number));
            number += 1;
        }
        sent += batch.len();
        if caller.send(&batch).is_err() || !caller.settle() {
            // What was said before the end may not have been read yet.
            while caller.goodbye.is_none() && caller.read().is_some() {}
            return Some(caller.goodbye.map_or(Outcome::Ended, Outcome::GoAway));
        }
    }
    None
}

/// A stream of one's own for each frame.
fn stream(number: u32) -> u32 {
    2 * number + 1
}

fn calmed(flooded: &Flooded) {
    assert_eq!(flooded.ended, Some(Outcome::GoAway(ENHANCE_YOUR_CALM)));
}

/// Rapid reset.
fn requests_that_are_reset_at_once_end_their_connection() {
    let stage = Stage::plain();
    let request = block(&stage.request("GET", "/open/x"));
    let flooded = flood(&stage, b"", |number| {
        let id = stream(number);
        [frame(HEADERS, END_STREAM | END_HEADERS, id, &request), reset(id)].concat()
    });
    calmed(&flooded);
    assert!(flooded.upstream <= 100, "{} requests", flooded.upstream);
}

same_flaw!(requests_that_are_reset_at_once_end_their_connection:
    cve_2023_44487_resets,
    rustsec_2023_0034_resets,
    rustsec_2024_0003_resets,
);

/// Frames for which a server resets the stream itself, so that it counts no more among those that are open.
#[test]
fn cve_2025_8671_requests_that_the_server_is_made_to_reset_end_their_connection() {
    let stage = Stage::plain();
    let request = block(&stage.request("POST", "/open/x"));
    let short = block(&[&stage.request("POST", "/open/x")[..], &[("content-length", "1")]].concat());
    type Spoil = fn(u32) -> Vec<u8>;
    let rows: [(&str, &[u8], Spoil); 4] = [
        ("a window that grows by nothing", &request, |id| window_update(id, 0)),
        ("a window beyond the largest", &request, |id| window_update(id, 0x7fff_ffff)),
        ("more than the length announced", &short, |id| data(id, 0, b"ab")),
        ("trailers that end nothing", &request, |id| headers(id, 0, &[("x-late", "1")])),
    ];
    for (what, block, spoil) in rows {
        let flooded = flood(&stage, b"", |number| {
            let id = stream(number);
            [frame(HEADERS, END_HEADERS, id, block), spoil(id)].concat()
        });
        let code = flooded.ended;
        assert!(matches!(code, Some(Outcome::GoAway(ENHANCE_YOUR_CALM | PROTOCOL_ERROR))), "{what}: {code:?}");
        assert_eq!(flooded.upstream, 0, "{what}");
    }
}

/// With and without content.
fn continuations_without_end_end_their_connection() {
    let stage = Stage::plain();
    let start = frame(HEADERS, END_STREAM, 1, &block(&stage.request("GET", "/open/x")));
    for content in [block(&[("x-more", &"x".repeat(1000))]), block(&[("x", "")]), Vec::new()] {
        let flooded = flood(&stage, &start, |_| frame(CONTINUATION, 0, 1, &content));
        calmed(&flooded);
        assert_eq!(flooded.upstream, 0);
    }
}

same_flaw!(continuations_without_end_end_their_connection:
    cve_2024_27316_continuations,
    rustsec_2024_0332_continuations,
);

/// RUSTSEC-2026-0258 in h2, and CVE-2019-9518.
#[test]
fn rustsec_2026_0258_data_without_content_ends_its_connection() {
    let stage = Stage::plain();
    let start = headers(1, 0, &stage.request("POST", "/open/x"));
    let flooded = flood(&stage, &start, |_| data(1, 0, b""));
    calmed(&flooded);
    assert_eq!(flooded.upstream, 0);
}

/// Heads that are no requests: each is answered with a reset, and so many are too many.
#[test]
fn cve_2019_9514_malformed_heads_end_their_connection() {
    let stage = Stage::plain();
    let upgrade = block(&[&stage.request("GET", "/open/x")[..], &[("upgrade", "x")]].concat());
    for block in [Vec::new(), upgrade] {
        let flooded = flood(&stage, b"", |number| frame(HEADERS, END_STREAM | END_HEADERS, stream(number), &block));
        calmed(&flooded);
        assert_eq!(flooded.upstream, 0);
    }
}

/// What has to be answered is answered one by one, and costs nothing else; CVE-2019-9512, -9513 and -9515.
#[test]
fn cve_2019_9512_pings_settings_and_priorities_cost_no_more_than_reading_them() {
    let stage = Stage::plain();
    type Next = fn(u32) -> Vec<u8>;
    let rows: [(&str, Next); 5] = [
        ("pings", |_| frame(PING, 0, 0, b"flooding")),
        ("settings", |number| settings(&[(4, 65_535 + number % 2)])),
        ("empty settings", |_| settings(&[])),
        ("priorities of streams that are not there", |number| frame(PRIORITY, 0, stream(number), &[0, 0, 0, 0, 16])),
        ("priorities of one stream", |_| frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 16])),
    ];
    for (what, next) in rows {
        let flooded = flood(&stage, b"", next);
        assert!(
            matches!(flooded.ended, None | Some(Outcome::GoAway(ENHANCE_YOUR_CALM))),
            "{what}: {:?}",
            flooded.ended
        );
        assert_eq!(flooded.upstream, 0, "{what}");
    }
}

/// CVE-2019-9511 and its kin: windows that grow by one octet at a time, up to where they must not.
#[test]
fn cve_2019_9511_windows_that_grow_by_one_octet_cost_no_more_than_reading_them() {
    let stage = Stage::plain();
    let start = headers(1, 0, &stage.request("POST", "/open/x"));
    for id in [0, 1] {
        let flooded = flood(&stage, &start, |_| window_update(id, 1));
        assert_eq!((flooded.ended, flooded.upstream), (None, 0), "{id}");
    }
    let flooded = flood(&stage, b"", |_| window_update(0, 0x7fff_ffff));
    assert_eq!(flooded.ended, Some(Outcome::GoAway(FLOW_CONTROL_ERROR)));
}

/// Streams beyond those that may be open are refused, however many are tried.
#[test]
fn requests_that_never_end_are_held_to_the_number_of_streams() {
    let stage = Stage::plain();
    let request = block(&stage.request("POST", "/open/x"));
    let flooded = flood(&stage, b"", |number| frame(HEADERS, END_HEADERS, stream(number), &request));
    assert_eq!(flooded.upstream, 0);
    let in_flight = stage.running.metric("keyward_connections ").unwrap();
    assert!(in_flight <= 3.0, "{in_flight}");
}

/// What only a server may send ends the connection at once.
#[test]
fn promises_of_a_caller_end_its_connection() {
    let stage = Stage::plain();
    let promise = [&2_u32.to_be_bytes()[..], &block(&stage.request("GET", "/open/x"))].concat();
    let flooded = flood(&stage, b"", |_| frame(PUSH_PROMISE, END_HEADERS, 1, &promise));
    assert_eq!((flooded.ended, flooded.upstream), (Some(Outcome::GoAway(PROTOCOL_ERROR)), 0));
    // Who says goodbye again and again is gone, or read on: nothing else comes of it.
    let flooded = flood(&stage, b"", |_| frame(GOAWAY, 0, 0, &[0; 8]));
    assert_eq!(flooded.upstream, 0);
}
