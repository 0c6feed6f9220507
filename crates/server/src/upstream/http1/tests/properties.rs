//! What holds for all answers.

use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;
use proptest::sample::Index;

use super::generated::{Answer, answers, arbitrary, cuts, mutated, pieces};
use super::played::{End, Taken, played, run};

/// The longest body: several reads, of the largest kind too.
const LONGEST: usize = 200_000;

fn trailers(answer: &Answer) -> Option<HeaderMap> {
    let field = |(name, value): &(String, Vec<u8>)| (name.parse().unwrap(), HeaderValue::from_bytes(value).unwrap());
    let mut fields = HeaderMap::new();
    for (name, value) in answer.trailers.iter().map(field) {
        let _: bool = fields.append::<http::HeaderName>(name, value);
    }
    Some(fields).filter(|fields| !fields.is_empty())
}

/// An answer, whatever becomes of its connection: whether that is kept depends on what has arrived.
fn unkept(taken: Taken) -> Taken {
    Taken { keeps: false, ..taken }
}

proptest! {
    #[test]
    fn an_answer_is_what_was_written_in_whatever_pieces(answer in answers(LONGEST), cuts in cuts()) {
        let end = if answer.ends_with_connection { End::AtOnce } else { End::Never };
        let taken = run(played(&answer.method, &pieces(&answer.bytes, &cuts), end)).map_err(TestCaseError::fail)?;
        prop_assert_eq!((taken.status, taken.keeps), (answer.status, answer.keeps));
        prop_assert!(taken.body == answer.body, "another body");
        prop_assert_eq!(taken.trailers, trailers(&answer));
    }

    #[test]
    fn pieces_make_no_difference_to_bytes_that_are_wrong((method, bytes) in mutated(), cuts in cuts()) {
        let whole = run(played(&method, &[&bytes], End::Late));
        let in_pieces = run(played(&method, &pieces(&bytes, &cuts), End::Late));
        // What is told of a refusal may depend on how much had come.
        prop_assert_eq!(in_pieces.ok().map(unkept), whole.ok().map(unkept));
    }

    #[test]
    fn pieces_make_no_difference_to_arbitrary_bytes(bytes in arbitrary(), cuts in cuts()) {
        let whole = run(played(&http::Method::GET, &[&bytes], End::Late));
        let in_pieces = run(played(&http::Method::GET, &pieces(&bytes, &cuts), End::Late));
        prop_assert_eq!(in_pieces.ok().map(unkept), whole.ok().map(unkept));
    }

    #[test]
    fn an_answer_that_ended_early_is_never_whole(answer in answers(LONGEST), at: Index, cuts in cuts(), resets: bool) {
        let end = if resets { End::Reset } else { End::AtOnce };
        // The end of a body that ends with the connection is no early one, unless it is a reset.
        let whole = if answer.ends_with_connection && !resets { answer.head } else { answer.bytes.len() };
        let is_whole_before_a_reset = answer.ends_with_connection && resets;
        let bytes = &answer.bytes[..at.index(whole + usize::from(is_whole_before_a_reset))];
        let taken = run(played(&answer.method, &pieces(bytes, &cuts), end));
        prop_assert!(taken.is_err(), "{} of {}: {:?}", bytes.len(), answer.bytes.len(), taken);
    }

    #[test]
    fn bytes_after_an_answer_are_nobodys(
        answer in answers(200).prop_filter("has an end", |answer| !answer.ends_with_connection),
        after in prop_oneof![arbitrary(), answers(200).prop_map(|answer| answer.bytes)],
        cuts in cuts(),
    ) {
        prop_assume!(!after.is_empty());
        let bytes = [&answer.bytes[..], &after].concat();
        let taken = run(played(&answer.method, &pieces(&bytes, &cuts), End::NotUntilLeft)).map_err(TestCaseError::fail)?;
        prop_assert_eq!((taken.status, taken.keeps), (answer.status, false));
        prop_assert!(taken.body == answer.body, "another body");
        prop_assert_eq!(taken.trailers, trailers(&answer));
    }
}
