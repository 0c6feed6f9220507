//! Which requests are sampled.

use super::context::Parent;
use super::ids::{TraceId, random};
use crate::config::settings::tracing::CallerContext;

/// Decides once for each request.
#[derive(Debug)]
pub(super) struct Sampler {
    /// Of 2^63 numbers, how many are sampled.
    threshold: u64,
    callers: CallerContext,
}

/// What was decided.
#[derive(Debug)]
pub(super) struct Sampled {
    pub(super) trace_id: TraceId,
    /// The caller's span, where the trace is the caller's.
    pub(super) parent: Option<Parent>,
    pub(super) is_sampled: bool,
}

impl Sampler {
    /// `ratio` is from 0 to 1.
    pub(super) fn new(ratio: f64, callers: CallerContext) -> Self {
        // As OpenTelemetry's `TraceIdRatioBased` is in Go. A float that is too large becomes the largest number.
        Self { threshold: (ratio.clamp(0.0, 1.0) * (1_u64 << 63) as f64) as u64, callers }
    }

    /// Decides on a request whose caller says that it belongs to a span, or does not.
    pub(super) fn decide(&self, said: Option<&Parent>) -> Sampled {
        match said.filter(|_| self.callers != CallerContext::Replace) {
            Some(parent) => Sampled {
                trace_id: parent.trace_id,
                parent: Some(*parent),
                is_sampled: match self.callers {
                    // Not by the trace's id, which its caller has chosen.
                    CallerContext::Continue => self.takes(random()),
                    _ => parent.is_sampled,
                },
            },
            None => {
                let (trace_id, number) = TraceId::random();
                Sampled { trace_id, parent: None, is_sampled: self.takes(number) }
            }
        }
    }

    fn takes(&self, number: u64) -> bool {
        number >> 1 < self.threshold
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use http::HeaderValue;

    use super::*;

    #[test]
    fn whose_word_counts() {
        use CallerContext::{Continue, Follow, Replace};
        let said = |flags| {
            let text = format!("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-{flags}");
            Parent::parse(&HeaderValue::from_str(&text).unwrap())
        };
        // The ratio, what the caller says, whether that is sampled, whether it is the caller's trace.
        let rows = [
            (Follow, 0.0, said("01"), true, true),
            (Follow, 1.0, said("00"), false, true),
            (Follow, 1.0, None, true, false),
            (Follow, 0.0, None, false, false),
            (Continue, 0.0, said("01"), false, true),
            (Continue, 1.0, said("00"), true, true),
            (Continue, 1.0, None, true, false),
            (Replace, 0.0, said("01"), false, false),
            (Replace, 1.0, said("00"), true, false),
        ];
        for (callers, ratio, said, is_sampled, is_theirs) in rows {
            let sampled = Sampler::new(ratio, callers).decide(said.as_ref());
            assert_eq!(sampled.is_sampled, is_sampled, "{callers:?} {ratio} {said:?}");
            assert_eq!(sampled.parent, said.filter(|_| is_theirs), "{callers:?} {ratio} {said:?}");
            let is_their_trace = said.is_some_and(|said| said.trace_id == sampled.trace_id);
            assert_eq!(is_their_trace, is_theirs, "{callers:?} {ratio} {said:?}");
        }
    }

    /// The odds of being wrong by so much are less than one in a million million.
    #[test]
    fn a_ratio_is_one() {
        for ratio in [0.0, 0.25, 0.5, 1.0] {
            let sampler = Sampler::new(ratio, CallerContext::Follow);
            let count = (0..10_000).filter(|_| sampler.decide(None).is_sampled).count();
            assert!((count as f64 - ratio * 10_000.0).abs() <= ratio * (1.0 - ratio) * 1_600.0, "{ratio}: {count}");
        }
    }
}
