//! `keyward serve`

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::ExitCode;

use keyward_core::diagnostic::{Diagnostic, Severity};
use keyward_server::app::{App, Origin, asked_to_stop};
use keyward_server::config::load::load;
use keyward_server::memory::without_tracing;
use keyward_server::{descriptors, telemetry};
use tokio::task::LocalSet;

use crate::EXIT_USAGE;
use crate::output::{complain, environment, report};

const EXAMPLES: &str = "\
Examples:
  keyward serve -c oathkeeper.yaml
  keyward serve -c base.yaml,production.yaml        later files win
  SERVE_PROXY_PORT=8080 keyward serve -c oathkeeper.yaml

SIGHUP reads everything again; SIGTERM and SIGINT let requests in flight finish.";

/// Options of `serve`. Whatever else is written the reference passes over: `serve proxy` and `serve all` were
/// commands once, and still stand in start scripts.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Accepted and without effect: nothing is ever reported anywhere
    #[arg(long)]
    disable_telemetry: bool,
    /// Accepted and without effect, as above
    #[arg(long)]
    sqa_opt_out: bool,
    #[arg(hide = true)]
    surplus: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments, files: Vec<PathBuf>) -> ExitCode {
    let (misplaced, surplus): (Vec<_>, Vec<_>) = arguments.surplus.iter().partition(|it| Path::new(it).is_file());
    for file in misplaced {
        let finding =
            Diagnostic::warning(format!("the argument `{file}` has no effect: it names a file, but no option"));
        report(&[finding.hint(format!("did you mean `-c {file}`?"))]);
    }
    let variables = environment();
    let loaded = match load(&files, &variables) {
        Ok(loaded) => loaded,
        Err(findings) => {
            report(&findings);
            complain(&format!("the configuration cannot be used, nothing was started: {}\n", first(&findings)));
            return ExitCode::from(EXIT_USAGE);
        }
    };
    if !loaded.settings.secrets.traceable
        && let Err(finding) = without_tracing()
    {
        report(&[finding]);
        return ExitCode::from(EXIT_USAGE);
    }
    telemetry::start(loaded.settings.log);
    descriptors::raise();
    for surplus in surplus {
        tracing::warn!("the argument `{surplus}` has no effect: `serve` serves everything that is configured");
    }
    if files.is_empty() {
        tracing::info!("no configuration file is named (`-c FILE`): settings are the defaults and the environment's");
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("the runtime cannot be started: {error}\n"));
            return ExitCode::FAILURE;
        }
    };
    let served: Result<(), Vec<Diagnostic>> = LocalSet::new().block_on(&runtime, async {
        let mut asked = pin!(asked_to_stop());
        // A container's first process is not ended by a signal that it does not look at.
        let app = tokio::select! {
            started = App::start(loaded, Some(Origin { files, variables })) => started?,
            () = &mut asked => {
                tracing::info!("stopped, before anything was served");
                return Ok(());
            }
        };
        asked.await;
        let unready = app.unready();
        tracing::info!("draining: no new connections, requests in flight finish");
        app.stop().await;
        // The last line is what one looks at when a pod was ended for never becoming ready.
        match unready {
            None => tracing::info!("stopped"),
            Some(cause) => tracing::error!(cause, "stopped, and was not ready"),
        }
        Ok(())
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(findings) => {
            report(&findings);
            tracing::error!(cause = first(&findings), "not started");
            ExitCode::FAILURE
        }
    }
}

/// The first error, with its place and what to do, on one line.
fn first(findings: &[Diagnostic]) -> String {
    let errors = || findings.iter().filter(|finding| finding.severity == Severity::Error);
    let Some(finding) = errors().next() else { return String::new() };
    let place = finding.origin.as_ref().map_or_else(String::new, |origin| format!("{origin}: "));
    let hint = finding.hint.as_ref().map_or_else(String::new, |hint| format!(" ({hint})"));
    let more = match errors().count() {
        1 => String::new(),
        count => format!(", and {} more", count - 1),
    };
    format!("{place}{}{hint}{more}", finding.message)
}
