//! A panic in one request of the API: counted as one of the proxy is.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use keyward_core::ports::LocalFuture;

use crate::http_server::panicked;
use crate::metrics::Metrics;
use crate::proxy::panics::survived;

/// An answer, or what is said instead of it.
pub(super) async fn counted(
    answer: LocalFuture<'static, Response<Full<Bytes>>>,
    metrics: Arc<Metrics>,
) -> Response<Full<Bytes>> {
    survived(answer).await.unwrap_or_else(|| {
        metrics.panics.inc();
        panicked()
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use http::StatusCode;

    use super::*;
    use crate::config::load::load;
    use crate::http_server::plain;

    #[tokio::test]
    async fn a_panic_is_answered_with_500_and_counted() {
        let metrics = Metrics::new(&load(&[], &[]).unwrap().settings.metrics);
        let answers: [LocalFuture<'static, Response<Full<Bytes>>>; 2] =
            [Box::pin(async { plain(StatusCode::OK, "fine") }), Box::pin(async { panic!("in a test") })];
        let mut statuses = Vec::new();
        for answer in answers {
            statuses.push(counted(answer, metrics.clone()).await.status().as_u16());
        }
        assert_eq!((statuses, metrics.panics.get()), (vec![200, 500], 1));
    }
}
