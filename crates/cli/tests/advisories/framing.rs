//! Where a request ends.

use keyward_testkit::same_flaw;

use crate::stage::Stage;

const SECOND: &str = "GET /admin/x HTTP/1.1\r\nHost: api.example\r\n\r\n";

/// Plays `POST /public/x` with fields and a body, a second request behind it. Refused means: an error, the end of the
/// connection, and nothing behind.
fn refused(fields: &str, body: &str) {
    let stage = Stage::start();
    let request = format!("POST /public/x HTTP/1.1\r\nHost: api.example\r\n{fields}\r\n{body}{SECOND}");
    let outcome = stage.play(request.as_bytes());
    assert!(
        outcome.starts_with(['4', '5', '0']) && outcome.ends_with("closed"),
        "{fields:?} {body:?}: {outcome}\n{}",
        stage.running.log()
    );
}

/// HAProxy: a field without a name ended the list of fields for one of two readers.
#[test]
fn cve_2023_25725_a_field_without_a_name() {
    refused(": x\r\nContent-Length: 0\r\n", "");
    refused("Content-Length: 0\r\n:\r\n", "");
}

/// HAProxy: an empty length was zero for one, and missing for the other.
#[test]
fn cve_2023_40225_an_empty_length() {
    refused("Content-Length:\r\n", "");
    refused("Content-Length: \r\nContent-Length: 0\r\n", "");
    refused("Content-Length: 0\r\nContent-Length:\r\n", "");
    refused("Content-Length: ,\r\n", "");
}

/// HAProxy: a name of 270 bytes overflowed, and hid a length.
#[test]
fn cve_2021_40346_a_long_name() {
    let stage = Stage::start();
    let request = format!(
        "POST /public/x HTTP/1.1\r\nHost: api.example\r\nContent-Length0{}:\r\nContent-Length: 5\r\n\r\nhello",
        "a".repeat(255)
    );
    assert_eq!(stage.play(request.as_bytes()), "200, open POST /public/x hello");
    refused(&format!("Content-Length0{}: 7\r\nContent-Length: 99999999999999999999\r\n", "a".repeat(255)), "hello");
}

/// tinyproxy and its bypass: only the very text `chunked` was taken for it.
#[test]
fn cve_2026_54387_ways_to_write_chunked() {
    let stage = Stage::start();
    let body = "5\r\nhello\r\n0\r\n\r\n";
    for coding in ["chunked", "Chunked", "CHUNKED"] {
        let request =
            format!("POST /public/x HTTP/1.1\r\nHost: api.example\r\nTransfer-Encoding: {coding}\r\n\r\n{body}");
        assert_eq!(stage.play(request.as_bytes()), "200, open POST /public/x hello", "{coding}");
    }
    for coding in [
        "chunked, identity",
        "identity",
        "gzip, chunked",
        "chunked, chunked",
        "\"chunked\"",
        "xchunked",
        "chunked;x",
        "\u{b}chunked",
    ] {
        refused(&format!("Transfer-Encoding: {coding}\r\n"), body);
    }
    refused("Transfer-Encoding : chunked\r\n", body);
    refused("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", body);
    refused("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", body);
    refused("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", body);
}

/// Netty: what stands in quotes in a chunk's extension was read as the end of the line.
#[test]
fn cve_2026_33870_extensions_of_chunks() {
    let stage = Stage::start();
    let head = "POST /public/x HTTP/1.1\r\nHost: api.example\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(stage.play(format!("{head}5;a=b\r\nhello\r\n0\r\n\r\n").as_bytes()), "200, open POST /public/x hello");
    for body in ["5;a=\"\nhello\r\n0\r\n\r\n", "5;a=\"x\r\ny\"\r\nhello\r\n0\r\n\r\n", "5;\nhello\r\n0\r\n\r\n"] {
        let outcome = stage.play(format!("{head}{body}{SECOND}").as_bytes());
        assert!(!outcome.contains("open") && !outcome.starts_with('2'), "{body:?}: {outcome}");
    }
}

/// Go: a line of a chunk could end with LF alone.
#[test]
fn cve_2025_22871_lines_end_with_crlf() {
    for body in ["5\nhello\r\n0\r\n\r\n", "5\r\nhello\n0\r\n\r\n", "5\r\nhello\r\n0\n\r\n", "5\rhello\r\n0\r\n\r\n"] {
        let stage = Stage::start();
        let head = "POST /public/x HTTP/1.1\r\nHost: api.example\r\nTransfer-Encoding: chunked\r\n\r\n";
        let outcome = stage.play(format!("{head}{body}{SECOND}").as_bytes());
        assert!(!outcome.contains("open") && !outcome.starts_with('2'), "{body:?}: {outcome}");
    }
}

/// Go: extensions of chunks without an end cost the reader much for little data.
#[test]
fn cve_2023_39326_extensions_are_bounded() {
    let stage = Stage::start();
    let head = "POST /public/x HTTP/1.1\r\nHost: api.example\r\nTransfer-Encoding: chunked\r\n\r\n";
    let body = format!("1;{}\r\na\r\n", "x".repeat(20_000)).repeat(40);
    let outcome = stage.play(format!("{head}{body}0\r\n\r\n").as_bytes());
    assert!(!outcome.contains("open") && !outcome.starts_with('2'), "{outcome}");
}

/// hyper: lengths that were numbers to it, and to nobody else.
fn lengths_are_digits() {
    for length in ["+5", "-5", "5 5", "0x5", "5,5", "5, 6", "5\u{b}", "5.0", "18446744073709551616", "5e0"] {
        refused(&format!("Content-Length: {length}\r\n"), "hello");
    }
    for size in ["+5", "-5", "0x5", "10000000000000005", "ffffffffffffffff1", " 5", "5 x", ""] {
        refused("Transfer-Encoding: chunked\r\n", &format!("{size}\r\nhello\r\n0\r\n\r\n"));
    }
}

same_flaw!(lengths_are_digits:
    rustsec_2021_0078_lengths,
    rustsec_2021_0079_sizes_of_chunks,
    rustsec_2021_0020_several_codings,
    rustsec_2020_0008_lengths,
);

/// hyper: line ends in values split one field into two.
#[test]
fn rustsec_2017_0002_a_value_is_one_line() {
    for fields in ["X: a\rY: b\r\n", "X: a\nTransfer-Encoding: chunked\r\n", "X: a\r\n b\r\n", "X: a\0b\r\n"] {
        refused(&format!("{fields}Content-Length: 0\r\n"), "");
    }
}

/// Pingora: HTTP/1.0 has no codings, and a body that is not read is not the next request.
fn what_is_left_unread_begins_nothing() {
    let stage = Stage::start();
    let old =
        format!("POST /public/x HTTP/1.0\r\nHost: api.example\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{SECOND}");
    let outcome = stage.play(old.as_bytes());
    assert!(outcome.starts_with('4') && outcome.ends_with("closed"), "{outcome}");
    // A denial does not read the body, in which a request is hidden.
    let hidden = format!(
        "POST /admin/x HTTP/1.1\r\nHost: api.example\r\nContent-Length: {}\r\n\r\nGET /public/hidden HTTP/1.1\r\nHost: api.example\r\n\r\n",
        "GET /public/hidden HTTP/1.1\r\nHost: api.example\r\n\r\n".len()
    );
    let outcome = stage.play(hidden.as_bytes());
    assert!(outcome.starts_with("401") && !outcome.contains("hidden"), "{outcome}");
}

same_flaw!(what_is_left_unread_begins_nothing:
    rustsec_2025_0037_unread_bodies,
    rustsec_2025_0070_unread_bodies,
    rustsec_2026_0034_codings_of_http_1_0,
    rustsec_2026_0035_unread_bodies,
);
