//! `vectors/llhttp/request`: what a strict parser refuses.

use super::{Attempt, Expected};

const FILES: [&str; 7] = [
    include_str!("../../../../vectors/llhttp/request/connection.md"),
    include_str!("../../../../vectors/llhttp/request/content-length.md"),
    include_str!("../../../../vectors/llhttp/request/invalid.md"),
    include_str!("../../../../vectors/llhttp/request/method.md"),
    include_str!("../../../../vectors/llhttp/request/sample.md"),
    include_str!("../../../../vectors/llhttp/request/transfer-encoding.md"),
    include_str!("../../../../vectors/llhttp/request/uri.md"),
];

/// Blocks that llhttp calls an error for reasons that are none here.
const NO_ERROR_HERE: &[(&str, &str)] = &[
    ("CRLF between requests, explicit `close`", "the request is sound; what follows `close` is not read"),
    ("CRLF between requests, explicit `close` followed by tab", "as above"),
];

/// Every block that must not get through.
pub fn attempts() -> Vec<Attempt> {
    let blocks = FILES.into_iter().flat_map(errors);
    let attempt = |(name, bytes): (String, Vec<u8>)| {
        let sound = NO_ERROR_HERE.iter().any(|(listed, _)| *listed == name);
        Attempt { name, bytes, expected: if sound { Expected::Either } else { Expected::Refused } }
    };
    blocks.map(attempt).collect()
}

/// Strict request blocks that end in an error: title and bytes.
fn errors(text: &str) -> Vec<(String, Vec<u8>)> {
    let (mut found, mut title, mut meta) = (Vec::new(), String::new(), String::new());
    let mut blocks = text.split("\n").peekable();
    while let Some(line) = blocks.next() {
        if let Some(heading) = line.strip_prefix('#') {
            title = heading.trim_start_matches('#').trim().to_owned();
        } else if line.starts_with("<!-- meta=") {
            line.clone_into(&mut meta);
        } else if line == "```http" {
            let lines: Vec<&str> = blocks.by_ref().take_while(|line| *line != "```").collect();
            let log: Vec<&str> = blocks
                .by_ref()
                .skip_while(|line| *line != "```log")
                .skip(1)
                .take_while(|line| *line != "```")
                .collect();
            let is_strict_request = meta.contains("\"type\": \"request\"") && !meta.contains("lenient");
            if is_strict_request && log.iter().any(|line| line.contains("error code=")) {
                found.push((title.clone(), bytes_of(&lines)));
            }
        }
    }
    found
}

/// Lines are joined by CRLF; a backslash at an end continues, and `\\r`, `\\n`, `\\t`, `\\f`, `\\xNN` are octets.
fn bytes_of(lines: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let (line, continues) = line.strip_suffix('\\').map_or((*line, false), |line| (line, true));
        let mut rest = line.as_bytes();
        while let [first, others @ ..] = rest {
            let (octet, used) = match (first, others) {
                (b'\\', [b'r', ..]) => (b'\r', 2),
                (b'\\', [b'n', ..]) => (b'\n', 2),
                (b'\\', [b't', ..]) => (b'\t', 2),
                (b'\\', [b'f', ..]) => (0x0c, 2),
                (b'\\', [b'x', high, low, ..]) => {
                    let digits = [*high, *low];
                    let digits = std::str::from_utf8(&digits).unwrap();
                    (u8::from_str_radix(digits, 16).unwrap(), 4)
                }
                (other, _) => (*other, 1),
            };
            bytes.push(octet);
            rest = &rest[used..];
        }
        if !continues && index + 1 < lines.len() {
            bytes.extend_from_slice(b"\r\n");
        }
    }
    bytes.extend_from_slice(b"\r\n");
    bytes
}
