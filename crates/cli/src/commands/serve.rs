//! `keyward serve`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use keyward_core::diagnostic::Diagnostic;
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
            complain("the configuration cannot be used; nothing was started\n");
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
    let served = LocalSet::new().block_on(&runtime, async {
        let app = App::start(loaded, Some(Origin { files, variables })).await?;
        asked_to_stop().await;
        tracing::info!("draining: no new connections, requests in flight finish");
        app.stop().await;
        tracing::info!("stopped");
        Ok::<_, Vec<_>>(())
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(findings) => {
            report(&findings);
            ExitCode::FAILURE
        }
    }
}
