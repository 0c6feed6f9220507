//! What is found, and what is left.

#![allow(clippy::unwrap_used)]

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// Every character of it is written differently somewhere.
const AWKWARD: &str = "k?y \"q\\ \u{1b}>~é/+=\tend";

fn knowing(values: &[&str]) -> KnownValues {
    let known = KnownValues::default();
    for (number, value) in values.iter().enumerate() {
        known.learn(&number.to_string(), [&Secret::new(*value)]);
    }
    known
}

#[test]
fn a_value_is_found_in_every_form_and_nothing_else_is() {
    let rows = [
        ("s3cr3t", "a s3cr3t, s3cr3ts3cr3t", "a [redacted], [redacted]"),
        ("s3cr3t", "S3CR3T s3cr3 3cr3t", "S3CR3T s3cr3 3cr3t"),
        ("s3cr3t/+", "https://h/s3cr3t%2F%2B?k=s3cr3t%2F%2B", "https://h/[redacted]?k=[redacted]"),
        ("a b&c=d!", "a%20b%26c%3Dd%21 a%20b&c=d! a+b%26c%3Dd%21", "[redacted] [redacted] [redacted]"),
        ("line 1\nline 2", "line 1\nline 2 line 1\\nline 2", "[redacted] [redacted]"),
        ("wörter", "w%C3%B6rter wörter %77örte%72 100%", "[redacted] [redacted] [redacted] 100%"),
        ("5%25 off", "5%25 off, 5%2525+off, 5% off", "[redacted], [redacted], 5% off"),
        ("short", "short", "short"),
        ("", "nothing", "nothing"),
    ];
    for (value, text, expected) in rows {
        assert_eq!(knowing(&[value]).text(text), expected, "{value:?}");
    }
}

#[test]
fn of_values_that_overlap_nothing_is_left() {
    let rows: [(&[&str], &str, &str); 4] = [
        (&["abcdef", "defghi"], "(abcdefghi)", "([redacted])"),
        (&["abcdef", "abcdefgh"], "abcdefghi", "[redacted]i"),
        (&["abcdefgh", "cdefgh"], "abcdefgh", "[redacted]"),
        (&["abcdef", "defghi", "ghijkl"], "abcdefghijkl abcdef", "[redacted] [redacted]"),
    ];
    for (values, text, expected) in rows {
        assert_eq!(knowing(values).text(text), expected, "{values:?}");
    }
}

#[test]
fn a_value_is_found_in_what_is_encoded_with_it() {
    for value in ["s3cr3t", "s3cr3t?", "s3cr3t??", "\u{3bf}\u{3bf}>>>???~~~"] {
        for (before, after) in [("", ""), ("u:", ""), ("user:", ""), ("name:", "!"), ("", ":x"), ("ab", "xyz")] {
            let whole = format!("{before}{value}{after}");
            let plain = STANDARD.encode(&whole);
            for encoded in [plain.replace('=', "%3D").replace('/', "%2f"), plain, URL_SAFE.encode(&whole)] {
                let shown = knowing(&[value]).text(&format!("<{encoded}>")).into_owned();
                let left = shown.replace(REDACTED, "").replace("%3D", "=");
                assert!(shown.contains(REDACTED), "{whole}: {shown}");
                let spared = STANDARD.encode(before).len() + STANDARD.encode(after).len();
                assert!(left.len() <= 4 + spared, "{whole}: {shown}");
            }
        }
    }
}

/// Beyond its beginning a long value is compared: it goes as far as it is there.
#[test]
fn of_a_long_value_nothing_is_left_either() {
    let value: String = (0..400).map(|number| format!("{number}\n")).collect();
    let known = knowing(&[&value, &format!("{value}and more")]);
    assert_eq!(known.text(&format!("<{value}>")), "<[redacted]>");
    assert_eq!(known.text(&format!("<{value}and more>")), "<[redacted]>");
    assert_eq!(known.text(&format!("<{}>", value.replace('\n', "\\n"))), "<[redacted]>");
    assert_eq!(known.text(&format!("<{}>", STANDARD.encode(&value))), "<[redacted]>");
    let part = &value[..value.len() / 2];
    assert_eq!(known.text(&format!("<{part}>")), "<[redacted]>");
    let umlauts = "ä".repeat(200);
    assert_eq!(knowing(&[&format!("x{umlauts}")]).text(&format!("x{umlauts}.")), "[redacted].");
    let others = format!("x{}öö", "ä".repeat(100));
    assert_eq!(knowing(&[&format!("x{umlauts}")]).text(&others), "[redacted]ö");
}

#[test]
fn json_stays_json_and_strings_are_searched_for_what_they_mean() {
    let rows = [
        (AWKWARD, json!({"a": [format!("<{AWKWARD}>")], "n": 1}), json!({"a": ["<[redacted]>"], "n": 1})),
        ("name-of-it", json!({"name-of-it": true}), json!({"[redacted]": true})),
        ("123456", json!({"bytes": 1_234_567, "id": "1234567"}), json!({"bytes": 1_234_567, "id": "[redacted]7"})),
        (":null,", json!({"a": null, "b": "\":null,"}), json!({"a": null, "b": "\"[redacted]"})),
        ("aa\":\"b", json!({"aa": "b", "c": "aa\":\"b"}), json!({"aa": "b", "c": "[redacted]"})),
    ];
    for (value, document, expected) in rows {
        let known = knowing(&[value]);
        for written in [document.to_string(), format!("{document:#}"), control_escaped(&document.to_string())] {
            let shown: Value = serde_json::from_slice(&known.json(written.as_bytes())).unwrap();
            assert_eq!(shown, expected, "{written}");
        }
    }
    // What is no JSON is searched nevertheless.
    let known = knowing(&["s3cr3t"]);
    for torn in [&b"{\"a\":\"s3cr3t"[..], b"\"s3cr3t\\\"", b"\"\xff s3cr3t \\u00\"", b"\"s3cr3t \xff\""] {
        assert!(!known.json(torn).windows(6).any(|bytes| bytes == b"s3cr3t"), "{torn:?}");
    }
}

/// As audit records have it.
fn control_escaped(json: &str) -> String {
    json.replace("\\t", "\\u0009").replace('>', "\\u003e")
}

#[test]
fn a_value_that_was_replaced_stays_known_until_three_others_were() {
    let known = KnownValues::default();
    let version = |number: u32| Secret::new(format!("version-{number}"));
    let shown = |number: u32| known.text(version(number).expose()) != REDACTED;
    for number in 1..=5 {
        known.learn("here", [&version(number)]);
        known.learn("here", [&version(number)]);
    }
    assert_eq!([1, 2, 3, 4, 5].map(shown), [true, false, false, false, false]);
    // It comes back, and counts as the newest; elsewhere there is nothing to do with it.
    known.learn("here", [&version(2)]);
    known.learn("there", [&version(7)]);
    known.learn("here", [&version(6)]);
    assert_eq!([2, 3, 4, 5, 6, 7].map(shown), [false, true, false, false, false, false]);
    // A place with several remembers as many of each, and a place that is empty forgets nothing.
    known.learn("both", [&version(20), &version(30)]);
    for number in 1..=3 {
        known.learn("both", [&version(20 + number), &version(30 + number)]);
    }
    assert_eq!([20, 30, 23, 33].map(shown), [false; 4]);
    known.learn("there", []);
    assert!(!shown(7));
}

proptest! {
    #[test]
    fn whatever_a_value_is_it_is_found_wherever_it_stands(value in ".{6,12}", before in "\\PC{0,9}", after in "\\PC{0,9}") {
        let (known, text) = (knowing(&[&value]), format!("{before}{value}{after}"));
        prop_assert!(known.text(&text).contains(REDACTED));
        prop_assert!(!known.text(&text).contains(&value) || REDACTED.contains(&value));
        let document = json!({ "a": text }).to_string();
        let shown: Value = serde_json::from_slice(&known.json(document.as_bytes())).unwrap();
        prop_assert!(shown["a"].as_str().unwrap().contains(REDACTED));
        let debugged = format!("{text:?}");
        prop_assert!(known.text(&debugged).contains(REDACTED));
    }
}
