//! The diagnostics log, on standard error. Standard output belongs to audit records. Level and format can be
//! changed while it runs.

mod format;
mod redacted;

use std::io::IsTerminal;
use std::sync::OnceLock;

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, fmt, reload};

use self::format::Lines;
use self::redacted::Redacted;
use crate::config::settings::log::LogSettings;

/// The log of this process.
static RUNNING: OnceLock<Running> = OnceLock::new();

/// Libraries that tell more than an operator needs.
const QUIET: [&str; 5] = ["rustls", "hyper", "h2", "notify", "mio"];

struct Running {
    filter: reload::Handle<EnvFilter, Registry>,
    lines: Lines,
}

/// Starts the log. A second call changes nothing.
pub fn start(settings: LogSettings) {
    let (filter, handle) = reload::Layer::new(filter(settings));
    let lines = Lines::new(settings.format);
    let layer =
        fmt::layer().with_writer(Redacted).with_ansi(std::io::stderr().is_terminal()).event_format(lines.clone());
    // An error means that a log runs already.
    if tracing_subscriber::registry().with(filter).with(layer).try_init().is_ok() {
        // Nobody else gets here: there is one log in a process.
        let _ = RUNNING.set(Running { filter: handle, lines });
    }
    std::panic::set_hook(Box::new(|panic| {
        // The payload may quote request data; the place is enough to find the fault.
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "panic");
    }));
}

/// From now on the log is written so.
pub fn apply(settings: LogSettings) {
    let Some(running) = RUNNING.get() else { return };
    running.lines.switch(settings.format);
    // It fails only when the log has ended.
    let _ = running.filter.reload(filter(settings));
}

fn filter(settings: LogSettings) -> EnvFilter {
    EnvFilter::try_new(directives(settings.level)).unwrap_or_default()
}

/// Libraries say no more than warnings: at their most talkative they show headers, and the file watcher would
/// report the log's own file. They never say more than the rest does.
fn directives(level: &str) -> String {
    let of_libraries = if level == "error" { level } else { "warn" };
    let libraries = QUIET.map(|library| format!("{library}={of_libraries}"));
    format!("{level},{}", libraries.join(","))
}

#[cfg(test)]
mod tests {
    use tracing::{Level, enabled};

    use super::*;
    use crate::config::file::LogFormat;

    #[test]
    fn libraries_say_no_more_than_warnings_and_no_more_than_the_level() {
        let rows = [
            ("error", [true, false, false], [true, false, false]),
            ("warn", [true, true, false], [true, true, false]),
            ("info", [true, true, true], [true, true, false]),
            ("debug", [true, true, true], [true, true, false]),
            ("trace", [true, true, true], [true, true, false]),
        ];
        for (level, own, of_libraries) in rows {
            let format = LogFormat::Text;
            let subscriber = tracing_subscriber::registry().with(filter(LogSettings { level, format }));
            tracing::subscriber::with_default(subscriber, || {
                macro_rules! said {
                    ($target:literal) => {
                        [
                            enabled!(target: $target, Level::ERROR),
                            enabled!(target: $target, Level::WARN),
                            enabled!(target: $target, Level::INFO),
                        ]
                    };
                }
                assert_eq!(said!("keyward_server::reload"), own, "{level}");
                assert_eq!(said!("rustls::conn"), of_libraries, "{level}");
                assert_eq!(said!("hyper::proto::h1"), of_libraries, "{level}");
                assert_eq!(said!("h2::codec"), of_libraries, "{level}");
                assert_eq!(said!("notify"), of_libraries, "{level}");
                assert_eq!(said!("mio::poll"), of_libraries, "{level}");
            });
        }
    }
}
