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
    // Libraries at their most talkative show headers, and the file watcher would report the log's own file.
    let directives = format!("{},rustls=warn,hyper=warn,h2=warn,notify=warn,mio=warn", settings.level);
    EnvFilter::try_new(directives).unwrap_or_default()
}
