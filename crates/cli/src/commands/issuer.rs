//! `keyward issuer`

use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;

use keyward_core::diagnostic::Diagnostic;
use keyward_server::app::asked_to_stop;
use keyward_server::config::load::load;
use keyward_server::http_server;
use keyward_server::issuer::routes::Issuer;
use keyward_server::issuer::settings::{IssuerMode, IssuerSettings};
use keyward_server::memory::without_tracing;
use keyward_server::proxy::listener;
use keyward_server::proxy::tls::identity;
use keyward_server::secrets::EnvironmentSecrets;
use keyward_server::serving::Port;
use keyward_server::telemetry;
use keyward_server::upstream::tls::install_provider;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::LocalSet;

use crate::EXIT_USAGE;
use crate::output::{environment, report};

const EXAMPLES: &str = "\
Examples:
  keyward issuer -c issuer.yaml                     clients and keys as configured under `issuer`
  PRIVATE_KEY_PATH=key.pem keyward issuer --insecure-open --port 8080";

/// Options of `issuer`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Hand out any token to anybody who asks (query parameters sub, scope, ttl): for trying things out only
    #[arg(long)]
    insecure_open: bool,
    /// Port to listen on, over the configuration's
    #[arg(long)]
    port: Option<u16>,
    /// The `iss` of tokens, over the configuration's
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// The `aud` of tokens, over the configuration's
    #[arg(long)]
    audience: Option<String>,
}

pub(crate) fn run(arguments: &Arguments, files: &[PathBuf]) -> ExitCode {
    let loaded = match load(files, &environment()) {
        Ok(loaded) => loaded,
        Err(findings) => {
            report(&findings);
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
    let configured = loaded.settings.issuer.filter(|_| !arguments.insecure_open);
    let Some(mut settings) = configured.or_else(|| arguments.insecure_open.then(IssuerSettings::open)) else {
        report(&[Diagnostic::error("no issuer is configured")
            .hint("add an `issuer` block to the configuration, or start with `--insecure-open`")]);
        return ExitCode::from(EXIT_USAGE);
    };
    settings.listener.port = arguments.port.unwrap_or(settings.listener.port);
    settings.url = arguments.url.clone().unwrap_or(settings.url);
    settings.audience = arguments.audience.clone().unwrap_or(settings.audience);
    match serve(&settings, loaded.settings.env_dir) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            report(&[problem]);
            ExitCode::FAILURE
        }
    }
}

fn serve(settings: &IssuerSettings, env_dir: Option<PathBuf>) -> Result<(), Diagnostic> {
    let failed = |error: std::io::Error| Diagnostic::error(format!("the issuer cannot be started: {error}"));
    let issuer = Rc::new(Issuer::new(settings, &EnvironmentSecrets::new(env_dir))?);
    let listener = listener::open(&settings.listener)?;
    install_provider();
    let tls = settings.listener.tls.as_ref().map(|files| identity(files, settings.listener.key).map(|it| it.config));
    let port = Port { tls: tls.transpose()?, ..Port::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::from_std(listener).map_err(failed)?;
        if matches!(settings.mode, IssuerMode::Open { .. }) {
            tracing::warn!("this issuer is open: it gives any token to anybody who can reach it");
        }
        let at = listener.local_addr().map_err(failed)?;
        tracing::info!(%at, key = issuer.keys().current().key_id(), "the issuer listens");
        let (shutdown, begun) = watch::channel(false);
        let server = tokio::task::spawn_local(http_server::serve(
            listener,
            Rc::new(move || port.clone()),
            issuer.handler(),
            begun,
        ));
        asked_to_stop().await;
        // Nobody listening any more is as good as told.
        let _ = shutdown.send(true);
        let _ = server.await;
        Ok(())
    })
}
