//! Requests put together at random from pieces that are each a little wrong, or right. The same number makes the same
//! requests.

use super::dice::Dice;
use super::stage::HIDDEN;
use super::{Attempt, Expected};
use crate::wire;

const METHODS: &[&str] =
    &["GET", "POST", "PUT", "OPTIONS", "get", "GE T", "CONNECT", "TRACE", "", "G\u{e9}T", "POST\t", "PATCH"];
const TARGETS: &[&str] = &[
    "/x",
    "/x?q=1",
    "/",
    "*",
    "/a/../hidden/request",
    "/a/%2e%2e/hidden/request",
    "//hidden/request",
    "/./hidden/request",
    "/x#y",
    "/x y",
    "http://h/x",
    "http://other/x",
    "https://h:1/x",
    "h:80",
    "",
    "x",
    "/\u{1}",
    "/a\\..\\hidden",
    "/a%2f..%2fhidden/request",
    "/a;/..;/hidden/request",
    "/%00",
    "/?/../hidden/request",
    "http://u:p@h/x",
    "/hidden%2frequest",
    "/HIDDEN/request",
    "/%68idden/request",
];
const VERSIONS: &[&str] = &[
    "HTTP/1.1",
    "HTTP/1.1",
    "HTTP/1.1",
    "HTTP/1.0",
    "HTTP/0.9",
    "HTTP/2.0",
    "http/1.1",
    "HTTP/1.1 ",
    "HTTP/1.10",
    "HTTP/11",
    "",
];
const ENDS: &[&str] = &["\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\n", "\r", "\r\r\n", "\r\n ", "\n\r\n"];
const FIELDS: &[&str] = &[
    "Host: h",
    "Host: other",
    "Host:",
    "host : h",
    " Host: h",
    "Host: h, h",
    "Host: a@h",
    "Host: h#",
    "Content-Length: 5",
    "Content-Length: 0",
    "Content-Length: 05",
    "Content-Length: +5",
    "Content-Length: 5, 5",
    "Content-Length: 5, 6",
    "Content-Length:5 ",
    "Content-Length : 5",
    "Content-Length: 5\u{b}",
    "Content-Length: 0x5",
    "Content-Length: 18446744073709551621",
    "content-length: 5",
    "Content_Length: 50",
    "Content-Length\u{0}: 5",
    "X: y\r\n Content-Length: 5",
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: Chunked",
    "Transfer-Encoding: identity",
    "Transfer-Encoding: gzip, chunked",
    "Transfer-Encoding: chunked, identity",
    "Transfer-Encoding : chunked",
    "Transfer-Encoding:\tchunked",
    "Transfer-Encoding: \u{b}chunked",
    "Transfer-Encoding: chunked;q=1",
    "Transfer_Encoding: chunked",
    "Transfer-Encoding:\r\n chunked",
    "Transfer-Encoding: xchunked",
    "X-A: b\rTransfer-Encoding: chunked",
    "Connection: close",
    "Connection: keep-alive",
    "Connection: x-api-key",
    "Connection: Host",
    "Connection: Content-Length",
    "Connection: Transfer-Encoding",
    "x-api-key: mine",
    "X_Api_Key: mine",
    "X-Api-Key : mine",
    "x-api-key: mine\r\nX-API-KEY: mine",
    "X-Api_Key: mine",
    "Upgrade: websocket\r\nConnection: Upgrade",
    "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk",
    "Expect: 100-continue",
    "Expect: other",
    "TE: trailers",
    "Trailer: x-api-key",
    "X-Forwarded-Host: other",
    "X-Original-URL: /hidden/request",
    "X-Http-Method-Override: CONNECT",
    "Proxy-Connection: keep-alive",
    "Keep-Alive: timeout=5",
    "Range: bytes=0-0",
    "Accept: */*",
    "X-Y: \u{e9}",
    "X-Y: a\u{0}b",
    "X-Y: a\u{7f}b",
    ": empty",
    "no colon",
    "",
];
const BODIES: &[&str] = &[
    "",
    "hello",
    "5\r\nhello\r\n0\r\n\r\n",
    "5\nhello\n0\n\n",
    "5\r\nhello\r\n0\r\nx-api-key: mine\r\n\r\n",
    "5;a=b\r\nhello\r\n0\r\n\r\n",
    "0\r\n\r\n",
    "05\r\nhello\r\n00\r\n\r\n",
    "5\r\nhelloX\r\n0\r\n\r\n",
    "5 \r\nhello\r\n0\r\n\r\n",
    "+5\r\nhello\r\n0\r\n\r\n",
    "0x5\r\nhello\r\n0\r\n\r\n",
    "ffffffffffffffff5\r\nhello\r\n0\r\n\r\n",
    "5;\"\n\"\r\nhello\r\n0\r\n\r\n",
    "\r\n",
    "0\r\n",
];

/// So many of them.
pub fn attempts(count: usize, seed: u64) -> Vec<Attempt> {
    let mut dice = Dice::new(seed);
    (0..count).map(|number| attempt(number, &mut dice)).collect()
}

fn attempt(number: usize, dice: &mut Dice) -> Attempt {
    // Most of the pieces have to be right for what is wrong to be reached.
    let method = dice.usually("POST", METHODS, 3);
    let target = dice.usually("/x", TARGETS, 3);
    let version = dice.usually("HTTP/1.1", VERSIONS, 10);
    let first_end = dice.usually("\r\n", ENDS, 15);
    let mut text = format!("{method} {target} {version}{first_end}");
    let mut lines = if dice.below(8) == 0 { Vec::new() } else { vec!["Host: h"] };
    for _ in 0..dice.below(5) {
        lines.push(dice.one_of(FIELDS));
    }
    if lines.len() > 1 && dice.below(2) == 0 {
        lines.reverse();
    }
    for line in lines {
        text.push_str(line);
        text.push_str(dice.usually("\r\n", ENDS, 20));
    }
    text.push_str("\r\n");
    text.push_str(dice.one_of(BODIES));
    if dice.below(2) == 0 {
        text.push_str(&format!("GET {HIDDEN} HTTP/1.1\r\nHost: h\r\n\r\n"));
    }
    // As Latin-1, so that some octets are no UTF-8.
    Attempt { name: format!("generated {number}"), bytes: wire::latin1_bytes(&text), expected: Expected::Either }
}
