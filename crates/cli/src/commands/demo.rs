//! `keyward demo`: issuer, echo upstream and proxy in one process on loopback, with the founding
//! document's configuration and rules.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;
use std::rc::Rc;

use http::StatusCode;
use keyward_core::diagnostic::Diagnostic;
use keyward_core::jwt::generate::generate;
use keyward_core::jwt::sign::SigningKey;
use keyward_server::app::{App, asked_to_stop};
use keyward_server::config::file::LogFormat;
use keyward_server::config::load::load;
use keyward_server::config::settings::log::LogSettings;
use keyward_server::http_server::{self, Handler};
use keyward_server::serving::Port;
use keyward_server::telemetry;
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::LocalSet;

use super::demo_calls;
use crate::output::{print, report};

/// The document's files, as it prints them.
const CONFIGURATION: &str = include_str!("../../../../examples/poc/oathkeeper/oathkeeper.yaml");
const RULES: &str = include_str!("../../../../examples/poc/oathkeeper/rules.yaml");
/// The credential of the document's example: nobody's.
pub(super) const JIRA_BASIC_AUTH: &str = "ci-service-account@example.com:ATATT3xFfGF0";

const EXAMPLES: &str = "\
Examples:
  keyward demo                                      prints the calls to make, runs until Ctrl-C
  keyward demo --check                              makes them itself: 0 when every answer was right";

/// Options of `demo`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Make the calls, good and bad ones, on free ports, and exit with 0 if every answer was right
    #[arg(long)]
    check: bool,
}

/// Where the parts listen.
#[derive(Clone, Copy)]
pub(super) struct Ports {
    pub(super) proxy: u16,
    pub(super) api: u16,
    pub(super) issuer: u16,
    pub(super) echo: u16,
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    match demo(arguments.check) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(findings) => {
            report(&findings);
            ExitCode::FAILURE
        }
    }
}

fn demo(check: bool) -> Result<bool, Vec<Diagnostic>> {
    let ports = if check { Ports::free()? } else { Ports { proxy: 4455, api: 4456, issuer: 8080, echo: 3000 } };
    telemetry::start(LogSettings { level: if check { "error" } else { "info" }, format: LogFormat::Text });
    let directory = tempfile::tempdir().map_err(failed)?;
    let key = write_files(directory.path(), ports)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    LocalSet::new().block_on(&runtime, serve(check, ports, &directory, &key))
}

async fn serve(check: bool, ports: Ports, directory: &TempDir, key: &SigningKey) -> Result<bool, Vec<Diagnostic>> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, ports.echo)).await.map_err(|error| {
        vec![Diagnostic::error(format!("the echo server cannot listen on port {}: {error}", ports.echo))]
    })?;
    let (shutdown, begun) = watch::channel(false);
    tokio::task::spawn_local(http_server::serve(listener, Rc::new(Port::default), echo(), begun));
    let files = vec![directory.path().join("oathkeeper.yaml"), directory.path().join("demo.yaml")];
    // Without the environment: it could point the demo at something real.
    let app = App::start(load(&files, &[])?, None).await?;
    let right = if check {
        let right = demo_calls::make(ports, key).await;
        app.stop().await;
        let recorded = demo_calls::check_audit(&directory.path().join("audit.log"));
        print(if right && recorded { "demo: every answer was right\n" } else { "demo: something was wrong\n" });
        right && recorded
    } else {
        print(&demo_calls::instructions(ports));
        asked_to_stop().await;
        app.stop().await;
        true
    };
    // Nobody listening any more is as good as told.
    let _ = shutdown.send(true);
    Ok(right)
}

/// The document's files, and one that makes them work on loopback: names, key, secrets.
fn write_files(directory: &Path, ports: Ports) -> Result<SigningKey, Vec<Diagnostic>> {
    let unusable = |problem: String| vec![Diagnostic::error(problem)];
    let jwk = generate("RS256", "demo", 0).map_err(unusable)?.to_string();
    let key = SigningKey::read(jwk.as_bytes(), None, None).map_err(|error| unusable(error.to_string()))?;
    let write = |name: &str, text: &str| std::fs::write(directory.join(name), text).map_err(failed);
    std::fs::create_dir(directory.join("env")).map_err(failed)?;
    write("env/JIRA_BASIC_AUTH", JIRA_BASIC_AUTH)?;
    write("signing-key.json", &jwk)?;
    write("oathkeeper.yaml", CONFIGURATION)?;
    write("rules.yaml", &RULES.replace(":4455/", &format!(":{}/", ports.proxy)))?;
    let place = |name: &str| directory.join(name).display().to_string();
    let listen = |port: u16| json!({"host": "127.0.0.1", "port": port});
    let mut proxy = listen(ports.proxy);
    proxy["upstream"] = json!({"resolve": [
        format!("echo-server:80:127.0.0.1:{}", ports.echo),
        format!("token-issuer:8080:127.0.0.1:{}", ports.issuer),
    ]});
    // What the echo is for is to show the credential.
    proxy["echoed_credentials"] = json!({"bodies": "off"});
    let overlay = json!({
        "serve": {"proxy": proxy, "api": listen(ports.api), "prometheus": listen(0)},
        "access_rules": {"repositories": [format!("file://{}", place("rules.yaml"))]},
        "secrets": {"env_dir": place("env")},
        "audit": {"sink": "file", "path": place("audit.log")},
        "issuer": {
            "host": "127.0.0.1",
            "port": ports.issuer,
            "insecure_open": true,
            "keys": [{"path": place("signing-key.json")}],
        },
    });
    write("demo.yaml", &overlay.to_string())?;
    Ok(key)
}

impl Ports {
    /// Ports that were free a moment ago.
    fn free() -> Result<Self, Vec<Diagnostic>> {
        let held = (0..4)
            .map(|_| std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
            .collect::<Result<Vec<_>, _>>()
            .map_err(failed)?;
        let ports: Vec<u16> = held.iter().filter_map(|held| held.local_addr().ok()).map(|at| at.port()).collect();
        match ports[..] {
            [proxy, api, issuer, echo] => Ok(Self { proxy, api, issuer, echo }),
            _ => Err(vec![Diagnostic::error("no free ports")]),
        }
    }

    pub(super) fn local(port: u16) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, port))
    }
}

/// Stands for Jira: answers with what it was asked.
fn echo() -> Handler {
    Rc::new(|request, _| {
        let headers: Map<String, Value> = request
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into()))
            .collect();
        let seen = json!({
            "method": request.method().as_str(),
            "path": request.uri().path(),
            "query": request.uri().query(),
            "headers": headers,
        });
        Box::pin(std::future::ready(http_server::json(StatusCode::OK, &seen)))
    })
}

fn failed(error: std::io::Error) -> Vec<Diagnostic> {
    vec![Diagnostic::error(format!("the demo cannot be started: {error}"))]
}
