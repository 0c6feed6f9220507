//! What a line of the log looks like: text, JSON on one line, JSON over several lines, or GELF.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use serde_json::{Map, Value};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{Format, Full, Json, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::config::file::LogFormat;

/// Writes events in the format that is chosen at the moment.
#[derive(Clone)]
pub(super) struct Lines {
    chosen: Arc<AtomicU8>,
    text: Format<Full>,
    json: Format<Json>,
}

impl Lines {
    pub(super) fn new(format: LogFormat) -> Self {
        let base = Format::default().with_target(false);
        let json = base.clone().json().flatten_event(true).with_current_span(false).with_span_list(false);
        Self { chosen: Arc::new(AtomicU8::new(format as u8)), text: base, json }
    }

    pub(super) fn switch(&self, format: LogFormat) {
        self.chosen.store(format as u8, Ordering::Relaxed);
    }
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let chosen = self.chosen.load(Ordering::Relaxed);
        if chosen == LogFormat::Text as u8 {
            return self.text.format_event(context, writer, event);
        }
        if chosen == LogFormat::Json as u8 {
            return self.json.format_event(context, writer, event);
        }
        let mut line = String::new();
        self.json.format_event(context, Writer::new(&mut line), event)?;
        let Ok(Value::Object(fields)) = serde_json::from_str(&line) else { return Err(fmt::Error) };
        match chosen == LogFormat::Gelf as u8 {
            true => writeln!(writer, "{}", gelf(fields)),
            false => writeln!(writer, "{:#}", Value::Object(fields)),
        }
    }
}

/// GELF 1.1: a fixed set of members, everything else with a `_` before its name.
fn gelf(mut fields: Map<String, Value>) -> Value {
    let text = |value: Option<Value>| value.and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default();
    let (at, level) = (text(fields.remove("timestamp")), text(fields.remove("level")));
    let seconds = at.parse::<jiff::Timestamp>().map_or(0.0, |at| at.as_millisecond() as f64 / 1000.0);
    // Severities of syslog (RFC 5424 section 6.2.1).
    let severity = match level.as_str() {
        "ERROR" => 3,
        "WARN" => 4,
        "INFO" => 6,
        _ => 7,
    };
    let host = std::env::var("HOSTNAME").ok().filter(|name| !name.is_empty()).unwrap_or_else(|| "keyward".to_owned());
    let mut message = Map::new();
    message.insert("version".into(), "1.1".into());
    message.insert("host".into(), host.into());
    message.insert("short_message".into(), fields.remove("message").unwrap_or_default());
    message.insert("timestamp".into(), seconds.into());
    message.insert("level".into(), severity.into());
    // `_id` belongs to the receiver.
    message
        .extend(fields.into_iter().filter(|(name, _)| name != "id").map(|(name, value)| (format!("_{name}"), value)));
    Value::Object(message)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::io::Write;
    use std::sync::Mutex;
    use tracing_subscriber::layer::SubscriberExt;

    #[derive(Clone, Default)]
    struct Captured(Arc<Mutex<Vec<u8>>>);

    impl Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn one_log_in_four_formats_changed_while_it_runs() {
        let (captured, lines) = (Captured::default(), Lines::new(LogFormat::Text));
        let writer = captured.clone();
        let layer = tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .event_format(lines.clone());
        let taken = || String::from_utf8(std::mem::take(&mut *captured.0.lock().unwrap())).unwrap();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            tracing::warn!(rule_id = "a", "denied");
            assert!(taken().ends_with(" WARN denied rule_id=\"a\"\n"));
            lines.switch(LogFormat::Json);
            tracing::warn!(rule_id = "a", "denied");
            let text = taken();
            let json: Value = serde_json::from_str(&text).unwrap();
            assert_eq!((text.lines().count(), &json["level"], &json["rule_id"]), (1, &"WARN".into(), &"a".into()));
            lines.switch(LogFormat::JsonPretty);
            tracing::warn!(rule_id = "a", "denied");
            let text = taken();
            let json: Value = serde_json::from_str(&text).unwrap();
            assert!(text.lines().count() > 3 && json["message"] == "denied", "{text}");
            lines.switch(LogFormat::Gelf);
            tracing::warn!(rule_id = "a", "denied");
            let json: Value = serde_json::from_str(&taken()).unwrap();
            assert_eq!((&json["version"], &json["short_message"]), (&"1.1".into(), &"denied".into()));
            assert_eq!((&json["level"], &json["_rule_id"]), (&4.into(), &"a".into()));
            assert!(json["timestamp"].as_f64().unwrap() > 1e9);
        });
    }
}
