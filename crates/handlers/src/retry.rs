//! How long handlers that try again may wait: never longer than is good for the caller who waits with them,
//! whatever is written (the reference: without end).

use std::time::Duration;

use keyward_core::diagnostic::Diagnostic;
use keyward_core::document::Node;
use keyward_core::document::duration::GoDuration;
use keyward_core::pipeline::BindContext;

/// The longest wait between two attempts.
pub(crate) const MAX_WAIT: Duration = Duration::from_secs(30);
/// The longest time for one attempt.
pub(crate) const MAX_ATTEMPT: Duration = Duration::from_secs(60);

/// A setting of `retry`, `default` when it is not written, and never more than `most`.
pub(crate) fn bounded(
    written: Option<GoDuration>,
    default: Duration,
    most: Duration,
    (key, node): (&str, &Node),
    context: &BindContext<'_>,
) -> Duration {
    let Some(GoDuration(written)) = written else { return default };
    if written > most {
        let text = format!("`{key}` is longer than {0} s and counts as {0} s", most.as_secs());
        let hint = format!("write at most `{}s`: callers wait as long", most.as_secs());
        context.warn(Diagnostic::warning(text).at(node.origin_of(key)).hint(hint));
    }
    written.min(most)
}
