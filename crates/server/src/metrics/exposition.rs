//! The two text formats of a scrape: OpenMetrics 1.0.0, which the library writes, and Prometheus' 0.0.4, made of it.

use std::fmt::Write;

/// A text format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposition {
    /// What every scraper reads.
    Prometheus,
    /// What a scraper has to ask for.
    OpenMetrics,
}

impl Exposition {
    /// How it is named, with its version.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// OpenMetrics in this format.
    pub(super) fn of(self, open: String) -> String {
        match self {
            Self::Prometheus => prometheus(&open),
            Self::OpenMetrics => open,
        }
    }
}

/// In 0.0.4, a family of counters bears the name of its samples, with `_total`; there are neither units nor families of
/// the type `info`, and nothing ends a text.
fn prometheus(open: &str) -> String {
    let mut text = String::with_capacity(open.len());
    let mut told = None;
    for line in open.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            told = help.split_once(' ');
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            let (ending, kind) = match kind {
                "counter" => ("_total", "counter"),
                "info" => ("_info", "gauge"),
                "unknown" => ("", "untyped"),
                kind => ("", kind),
            };
            // Writing into a string cannot fail.
            if let Some((_, help)) = told.take() {
                let _ = writeln!(text, "# HELP {name}{ending} {help}");
            }
            let _ = writeln!(text, "# TYPE {name}{ending} {kind}");
        } else if !line.starts_with("# UNIT ") && line != "# EOF" {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_bears_the_name_that_its_format_wants() {
        let open = "# HELP a_requests Requests # TYPE and all.\n# TYPE a_requests counter\na_requests_total{path=\"# EOF\"} 1\n\
                    # HELP b_seconds Time.\n# TYPE b_seconds histogram\n# UNIT b_seconds seconds\nb_seconds_sum 0.5\n\
                    # HELP c What it is.\n# TYPE c info\nc_info{version=\"1\"} 1\n\
                    # HELP d Who knows.\n# TYPE d unknown\nd 2\n# EOF\n";
        let expected = "# HELP a_requests_total Requests # TYPE and all.\n# TYPE a_requests_total counter\n\
                        a_requests_total{path=\"# EOF\"} 1\n\
                        # HELP b_seconds Time.\n# TYPE b_seconds histogram\nb_seconds_sum 0.5\n\
                        # HELP c_info What it is.\n# TYPE c_info gauge\nc_info{version=\"1\"} 1\n\
                        # HELP d Who knows.\n# TYPE d untyped\nd 2\n";
        assert_eq!(Exposition::Prometheus.of(open.to_owned()), expected);
        assert_eq!(Exposition::OpenMetrics.of(open.to_owned()), open);
    }
}
