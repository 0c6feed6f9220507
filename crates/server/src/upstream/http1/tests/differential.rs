//! Keyward's reader beside hyper's: what one takes, the other takes as the same, but for what is refused on purpose.

use http::Method;
use proptest::prelude::*;

use super::generated::{answers, arbitrary, mutated};
use super::hyper_client::taken_by_hyper;
use super::played::{End, Taken, played, run};

/// What is told of an answer, of which answers it may be told, and why that is right.
type Refusal = (&'static str, fn(&[u8]) -> bool, &'static str);

/// Of answers that hyper takes and Keyward does not.
const REFUSED_ON_PURPOSE: &[Refusal] = &[
    ("a transfer coding other than `chunked` alone", any, "callers would get a coding that they were not told of"),
    (
        "a length that is not a number",
        any,
        "lists of lengths are read differently by others, also where no body follows",
    ),
    ("several lengths", any, "the same, where no body follows"),
    ("an answer of HTTP/1.0 has a transfer coding", any, "the same, where no body follows"),
    ("switched protocols without being asked", any, "what follows would go to a caller who did not ask for it"),
    ("the trailers are malformed, or too many", has_lone_lf, "others wait for a carriage return, and end elsewhere"),
];

fn any(_: &[u8]) -> bool {
    true
}

fn has_lone_lf(bytes: &[u8]) -> bool {
    bytes.windows(2).any(|pair| pair[1] == b'\n' && pair[0] != b'\r')
}

/// Whether both make the same of bytes.
fn compare(method: &Method, bytes: &[u8]) -> Result<(), TestCaseError> {
    let own = run(played(method, &[bytes], End::Late));
    let hyper = run(taken_by_hyper(method, bytes));
    match (own, hyper) {
        (Err(_), Err(_)) => {}
        (Ok(own), Ok(hyper)) => {
            if own.keeps && !hyper.keeps {
                let again = run(played(method, &[bytes], End::NotUntilLeft));
                prop_assert!(again.is_ok_and(|again| !again.keeps), "hyper sends no other request after {:?}", own);
            }
            prop_assert_eq!(&own, &Taken { keeps: own.keeps, ..hyper });
        }
        (Ok(own), Err(error)) => prop_assert!(false, "hyper refuses ({}) what was taken as {:?}", error, own),
        (Err(error), Ok(hyper)) => {
            let is_on_purpose =
                REFUSED_ON_PURPOSE.iter().any(|(what, applies, _)| error.contains(what) && applies(bytes));
            prop_assert!(is_on_purpose, "refused ({}), and hyper takes {:?}", error, hyper);
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn answers_that_are_right_are_taken_as_hyper_takes_them(answer in answers(100_000)) {
        compare(&answer.method, &answer.bytes)?;
    }

    #[test]
    fn answers_that_are_wrong_are_taken_as_hyper_takes_them_or_not_at_all((method, bytes) in mutated()) {
        compare(&method, &bytes)?;
    }

    #[test]
    fn arbitrary_bytes_are_taken_as_hyper_takes_them_or_not_at_all(bytes in arbitrary()) {
        compare(&Method::GET, &bytes)?;
    }
}
