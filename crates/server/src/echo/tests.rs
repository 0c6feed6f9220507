//! What comes out of bodies, however they are cut.

#![allow(clippy::unwrap_used)]

use std::rc::Rc;

use bytes::Bytes;
use http::HeaderValue;
use proptest::prelude::*;

use super::*;

const SECRET: &str = "ab+c/ab+d==ef";

fn values(fields: &[&str]) -> Option<Values> {
    let fields: Vec<HeaderValue> = fields.iter().map(|field| HeaderValue::from_str(field).unwrap()).collect();
    Values::of_fields(fields.into())
}

fn watch(action: Action, body_bytes: usize) -> Watch {
    let looked = Looked { holds_value: false, is_text: true, is_events: false };
    let policy = EchoPolicy { headers: Some(Action::Remove), bodies: Some(action), body_bytes };
    Watch::new(Rc::new(values(&[SECRET]).unwrap()), &policy, &looked).unwrap()
}

/// What comes out of a body that comes in these pieces.
fn passed(watch: &mut Watch, pieces: &[&[u8]]) -> std::io::Result<Vec<u8>> {
    let mut out = Vec::new();
    for piece in pieces {
        out.extend(watch.data(Bytes::copy_from_slice(piece), false)?);
    }
    out.extend(watch.rest());
    Ok(out)
}

/// A text with the value in a form, and what has to become of it.
const ROWS: [(&str, &str); 12] = [
    ("x ab+c/ab+d==ef y", "x ************* y"),
    ("ab+c/ab+d==ef", "*************"),
    ("ab+c/ab+d==efab+c/ab+d==ef", "**************************"),
    ("ab+c/ab+c/ab+d==ef!", "ab+c/*************!"),
    ("q=ab%2Bc%2fab%2bd%3D%3def&r=1", "q=***********************&r=1"),
    (r#"{"a":"ab+c\/ab+d==ef","b":1}"#, r#"{"a":"**************","b":1}"#),
    (r#"{"a":"ab\u002bc\u002Fab\u002Bd==ef"}"#, r#"{"a":"****************************"}"#),
    ("<p>ab&#43;c&#x2F;ab&plus;d&equals;=ef</p>", "<p>**********************************</p>"),
    ("%61%62%2B%63%2F%61%62%2B%64%3D%3D%65%66", "***************************************"),
    ("ab+c/ab+d==e ab+c/ab+d==eg", "ab+c/ab+d==e ab+c/ab+d==eg"),
    ("100% &amp; \\n ab+c", "100% &amp; \\n ab+c"),
    ("", ""),
];

#[test]
fn a_value_is_overwritten_wherever_the_body_is_cut() {
    for (text, expected) in ROWS {
        let bytes = text.as_bytes();
        for first in 0..=bytes.len() {
            for second in first..=bytes.len() {
                let pieces = [&bytes[..first], &bytes[first..second], &bytes[second..]];
                let out = passed(&mut watch(Action::Remove, 1024), &pieces).unwrap();
                assert_eq!(String::from_utf8_lossy(&out), expected, "{text} cut at {first} and {second}");
            }
        }
        let bytewise: Vec<&[u8]> = bytes.chunks(1).collect();
        let out = passed(&mut watch(Action::Remove, 1024), &bytewise).unwrap();
        assert_eq!(String::from_utf8_lossy(&out), expected, "{text} byte by byte");
    }
}

#[test]
fn a_body_that_has_to_be_refused_breaks_wherever_it_is_cut() {
    for (text, expected) in ROWS {
        let bytes = text.as_bytes();
        for cut in 0..=bytes.len() {
            let mut watch = watch(Action::Refuse, 1024);
            let out = passed(&mut watch, &[&bytes[..cut], &bytes[cut..]]);
            assert_eq!(out.is_err(), text != expected, "{text} cut at {cut}");
            let found = Echoed { place: Place::Body, action: Action::Refuse };
            assert_eq!(watch.take_found(), Some(found).filter(|_| text != expected));
        }
    }
}

#[test]
fn nothing_is_kept_back_but_what_may_be_a_value() {
    for (text, held) in [
        ("data: {}\n\n", 0),
        ("no more of it", 0),
        ("x ab+", 3),
        ("x ab+c/ab+", 8),
        ("x ab%2", 4),
        ("x ab+c%", 5),
        ("x %", 1),
        ("x ab+c/ab+d==ef", 0),
        ("x ab+c/ab+d==efa", 1),
    ] {
        let mut watch = watch(Action::Remove, 1024);
        let out = watch.data(Bytes::from_static(text.as_bytes()), false).unwrap();
        assert_eq!((out.len(), watch.kept()), (text.len() - held, held as u64), "{text}");
    }
}

#[test]
fn a_value_counts_when_it_begins_early_enough() {
    for (begins, found) in [(0, true), (9, true), (10, false), (11, false)] {
        let text = format!("{}{SECRET}", "-".repeat(begins));
        for size in [1, 3, text.len()] {
            let pieces: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
            let out = passed(&mut watch(Action::Remove, 10), &pieces).unwrap();
            assert_eq!(out != text.as_bytes(), found, "{begins} {size}");
        }
    }
}

#[test]
fn short_and_empty_values_match_nothing() {
    for field in ["", "Bearer ", "Bearer 1234567", "1234567", "Basic Og==", "====="] {
        assert!(values(&[field]).is_none(), "{field}");
    }
    let values = values(&["", "1234567", "Bearer 12345678"]).unwrap();
    assert!(values.are_in(b"x12345678y") && !values.are_in(b"1234567") && !values.are_in(b""));
}

proptest! {
    /// Nothing is lost, nothing is added, and the value is not there, however a body is cut.
    #[test]
    fn a_body_keeps_its_length(text in "([ab+c/d=ef%2B&#\\\\]|ab\\+c/ab\\+d==ef){0,20}", cuts in proptest::collection::vec(1usize..6, 1..8)) {
        let (mut rest, mut pieces) = (text.as_bytes(), Vec::new());
        for cut in cuts.iter().cycle() {
            if rest.is_empty() { break; }
            let (piece, after) = rest.split_at((*cut).min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        let out = passed(&mut watch(Action::Remove, 4096), &pieces).unwrap();
        prop_assert_eq!(out.len(), text.len());
        prop_assert!(!values(&[SECRET]).unwrap().are_in(&out));
        prop_assert!(out.iter().zip(text.as_bytes()).all(|(out, byte)| out == byte || *out == b'*'));
    }
}
