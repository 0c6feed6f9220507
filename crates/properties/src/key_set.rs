//! A key set holds what its document says and no more: no message tells what is private, nothing private is published,
//! and a token is accepted only under the very key that signed it.

use std::sync::Arc;

use keyward_core::jwt::key_set::MAX_KEYS;
use keyward_core::jwt::verify::TokenVerifier;
use keyward_core::jwt::{ALGORITHMS, KeySet, SigningSet, TokenCache};
use keyward_core::pipeline::step::Step;
use serde_json::Value;

use crate::world::Fixed;

const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "k", "oth"];
/// Shorter texts occur by chance.
const TELLING: usize = 12;

pub(crate) fn check(data: &[u8]) {
    let hidden = private_texts(data);
    let tells = |said: &str| hidden.iter().any(|value| said.contains(value.as_str()));
    match SigningSet::parse(data) {
        Ok(set) => {
            let said = format!("{set:?} {:?} {:?}", set.signer().err(), set.signer().ok().map(|key| key.public_jwk()));
            assert!(!tells(&said), "{said}");
            for key in set.published() {
                assert!(PRIVATE.iter().all(|member| key.get(*member).is_none()), "{key}");
            }
        }
        Err(problem) => assert!(!tells(&format!("{problem} {problem:?}")), "{problem}"),
    }
    let set = match KeySet::parse(data) {
        Ok(set) => set,
        Err(problem) => return assert!(!tells(&problem.to_string()), "{problem}"),
    };
    let said = format!("{set:?} {:?}", set.skipped());
    assert!(!tells(&said), "{said}");
    assert!(set.len() <= MAX_KEYS, "{} keys", set.len());
    let again = KeySet::parse(data).unwrap();
    assert_eq!((set.revision(), set.len()), (again.revision(), again.len()));
    assert_keys_are_those_that_signed(data, set);
}

/// Tokens of the conformance tests: whose key is not in the document is nobody's.
fn assert_keys_are_those_that_signed(data: &[u8], set: KeySet) {
    let tokens: Value = serde_json::from_str(include_str!("../../../conformance/tokens.json")).unwrap();
    let document: Value = serde_json::from_slice(data).unwrap();
    let cache = Arc::new(TokenCache::new(0));
    let algorithms = ALGORITHMS.iter().map(|(_, algorithm)| *algorithm).collect();
    let verifier = TokenVerifier::new(vec![Arc::new(Fixed(Arc::new(set)))], algorithms, cache);
    // The number or the point that a key cannot do without, with zeros before it left away.
    let signers = [
        ("valid", "n", "xP99yBTfACXuPz5HEu590yLDDU2JHRfctOgxFS9GMivEZbST2FXkky6lpWi0LjoGMRTEmPqIZ0d3zwJfsiP18xu8z"),
        ("es256", "x", "aho1wXNuB9_oPG8VjvKKhdPuX6hG8dVi85_ZLYvgb-4"),
        ("eddsa", "x", "VhS6Cb5UwNUVf3ebmsQkTDo1mXK-IsNJdjoJEAaQ7OA"),
    ];
    for (name, member, public) in signers {
        if !matches!(verifier.verify(tokens[name].as_str().unwrap()), Step::Ready(Ok(_))) {
            continue;
        }
        let keys = document["keys"].as_array().unwrap();
        let mut members = keys.iter().filter_map(|key| key[member].as_str());
        // A number that begins with zeros is written in other letters.
        assert!(members.any(|text| text.starts_with('A') || text.starts_with(public)), "{name}: {document}");
    }
    for name in ["alg-none", "bad-signature", "hs256-confusion", "payload-swapped", "other-key"] {
        let token = tokens[name].as_str().unwrap();
        assert!(!matches!(verifier.verify(token), Step::Ready(Ok(_))), "{name}: {document}");
    }
}

/// What stands under the names of private members.
fn private_texts(data: &[u8]) -> Vec<String> {
    fn walk(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Array(list) => list.iter().for_each(|value| walk(value, found)),
            Value::Object(map) => {
                for (name, value) in map {
                    match value {
                        Value::String(text) if PRIVATE.contains(&name.as_str()) && text.len() >= TELLING => {
                            found.push(text.clone());
                        }
                        other => walk(other, found),
                    }
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    if let Ok(document) = serde_json::from_slice::<Value>(data) {
        walk(&document, &mut found);
    }
    // What stands elsewhere too is not private.
    let text = String::from_utf8_lossy(data).into_owned();
    found.retain(|value| text.matches(value.as_str()).count() == 1);
    found
}
