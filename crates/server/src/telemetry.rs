//! The diagnostics log, on standard error. Standard output belongs to audit records.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::file::LogFormat;
use crate::config::settings::log::LogSettings;

/// Starts the log. A second call changes nothing.
pub fn start(settings: LogSettings) {
    let level = settings.level;
    // Libraries at their most talkative show headers, and the file watcher would report the log's own file.
    let filter = format!("{level},rustls=warn,hyper=warn,h2=warn,notify=warn,mio=warn");
    let filter = EnvFilter::try_new(filter).unwrap_or_default();
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    // An error means that a log runs already.
    let _ = if settings.format == LogFormat::Json {
        builder.json().flatten_event(true).try_init()
    } else {
        builder.with_ansi(std::io::stderr().is_terminal()).try_init()
    };
    std::panic::set_hook(Box::new(|panic| {
        // The payload may quote request data; the place is enough to find the fault.
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "panic");
    }));
}
