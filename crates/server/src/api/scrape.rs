//! `/metrics`: what is gathered for a scrape, and in which of the two formats it is told.

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header};
use http_body_util::Full;

use super::Api;
use super::accept::fit;
use crate::http_server::typed;
use crate::metrics::exposition::Exposition;
use crate::redaction;

impl Api {
    pub(super) fn scrape(&self, headers: &HeaderMap) -> Response<Full<Bytes>> {
        self.metrics.key_sets_ready.set(i64::try_from(self.keys.in_force()).unwrap_or(i64::MAX));
        self.metrics.key_sets.show(&self.keys.reports(None), &self.keys.failures());
        self.repositories.measure(&self.metrics.repositories);
        self.metrics.audited(self.audit_state.written(), self.audit_state.lost());
        self.metrics.audit_failing.set(i64::from(self.audit_state.is_failing()));
        let readiness = self.readiness();
        self.metrics.readiness.show(readiness.errors.is_empty(), &readiness.reports);
        self.metrics.certificates.show(&self.live.load().serving.expiries);
        let exposition = asked_for(headers);
        let text = self.metrics.render(exposition);
        typed(StatusCode::OK, exposition.media_type(), redaction::known().text(&text).into_owned())
    }
}

/// OpenMetrics for who would rather have it and names it, or takes nothing else; Prometheus' own text for everybody else.
fn asked_for(headers: &HeaderMap) -> Exposition {
    let accepts: Vec<&str> = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    let accepts = accepts.join(",");
    let open = fit(&accepts, "application/openmetrics-text", Some("1.0.0"));
    let plain = fit(&accepts, "text/plain", Some("0.0.4"));
    if open.quality > plain.quality || (open.is_named && open.quality == plain.quality && open.quality > 0.0) {
        Exposition::OpenMetrics
    } else {
        Exposition::Prometheus
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_format_is_the_one_that_is_asked_for() {
        use Exposition::{OpenMetrics, Prometheus};
        let rows: &[(&[&str], Exposition)] = &[
            (&[], Prometheus),
            (&["*/*"], Prometheus),
            (&["text/plain"], Prometheus),
            (&["text/html, */*;q=0.1"], Prometheus),
            (&["application/openmetrics-text"], OpenMetrics),
            (&["Application/OpenMetrics-Text; version=1.0.0; charset=utf-8"], OpenMetrics),
            (&["application/openmetrics-text; version=\"1.0.0\"; Q=0.4, text/plain;q=0.3"], OpenMetrics),
            (&["application/openmetrics-text;q=0.3, text/plain;q=0.4"], Prometheus),
            (&["application/openmetrics-text, text/plain"], OpenMetrics),
            (&["application/openmetrics-text;q=0"], Prometheus),
            (&["application/openmetrics-text;q=0, text/plain;q=0"], Prometheus),
            (&["application/openmetrics-text;q=much, text/plain;q=0.1"], Prometheus),
            // Versions that are not spoken.
            (&["application/openmetrics-text;version=0.0.1"], Prometheus),
            (&["application/openmetrics-text;version=2.0.0, */*;q=0.1"], Prometheus),
            (
                &["application/openmetrics-text;version=0.0.1;q=0.9,application/openmetrics-text;version=1.0.0;q=0.8"],
                OpenMetrics,
            ),
            (
                &[
                    "application/openmetrics-text;version=1.0.0;q=0.1,application/openmetrics-text;q=0.9,text/plain;q=0.5",
                ],
                Prometheus,
            ),
            // Only one of the two is accepted.
            (&["application/*"], OpenMetrics),
            // What Prometheus 2 and 3 send.
            (
                &[
                    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                ],
                OpenMetrics,
            ),
            (
                &[
                    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,\
                   text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                ],
                OpenMetrics,
            ),
            (
                &[
                    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,text/plain;version=0.0.4;q=0.4",
                ],
                Prometheus,
            ),
            // Lines of one list.
            (&["text/plain;q=0.2", "application/openmetrics-text;q=0.3"], OpenMetrics),
        ];
        for (accepts, expected) in rows {
            let mut headers = HeaderMap::new();
            for accept in *accepts {
                headers.append(header::ACCEPT, accept.parse().unwrap());
            }
            assert_eq!(asked_for(&headers), *expected, "{accepts:?}");
        }
    }
}
