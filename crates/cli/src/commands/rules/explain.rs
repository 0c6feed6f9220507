//! `keyward rules explain`: what the rules make of one request, and why.

use std::io::Read;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use keyward_core::diagnostic::{Diagnostic, Origin};
use keyward_core::jwt::KeySet;
use keyward_core::ports::UnixTime;
use keyward_server::config::load::load;
use keyward_server::explain::World;
use keyward_server::explain::keys::OfflineKeys;
use keyward_server::explain::request::{Asked, Wanted};
use keyward_server::explain::side::ScriptedSide;
use keyward_server::explain::verdict::{End, judge};
use keyward_server::issuer::key_file;

use super::{explained, explained_json};
use crate::EXIT_USAGE;
use crate::output::{Format, environment, print, print_json, report};
use crate::progress::Progress;

/// The longest request that is read from a file.
const MAX_REQUEST: u64 = 16 * 1024 * 1024;

/// What to do about a file that cannot be read.
const PATH: &str = "check the path and its permissions";

pub(super) const EXAMPLES: &str = "\
Examples:
  keyward rules explain -c oathkeeper.yaml http://localhost:4455/jira/x
  keyward rules explain -c oathkeeper.yaml -X POST http://api.example.com/users -H 'Authorization: Bearer eyJ…'
  keyward rules explain -c oathkeeper.yaml --jwks keys.json -H \"Authorization: Bearer $TOKEN\" http://h/a
  keyward rules explain -c oathkeeper.yaml --request request.http      (- for standard input)

Nothing is sent or fetched: key sets are read from files only, side services are named instead of asked.
Ends with 0 when the request is permitted, with 1 when it is not or when that is not known.";

/// Options of `rules explain`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The URL, as a caller writes it
    #[arg(value_name = "URL", required_unless_present = "request")]
    url: Option<String>,
    /// The method
    #[arg(short = 'X', long, default_value = "GET", conflicts_with = "request")]
    method: String,
    /// A header field, `Name: value`; repeat it
    #[arg(short = 'H', long = "header", value_name = "HEADER", value_parser = header, conflicts_with = "request")]
    headers: Vec<(String, String)>,
    /// The body
    #[arg(short, long, value_name = "BODY", conflicts_with = "request")]
    data: Option<String>,
    /// Read the request, written out as HTTP/1.1, from a file; - for standard input
    #[arg(short, long, value_name = "FILE", conflicts_with = "url")]
    request: Option<PathBuf>,
    /// The request of --request arrives over TLS
    #[arg(long, requires = "request")]
    https: bool,
    /// A key set that stands for every configured one
    #[arg(long, value_name = "FILE")]
    jwks: Option<PathBuf>,
    /// The caller's address
    #[arg(long, value_name = "IP")]
    peer: Option<IpAddr>,
    /// For people, or for programs
    #[arg(long, default_value = "text")]
    format: Format,
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("write it as `Name: value`")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

pub(super) fn explain(arguments: &Arguments, files: &[PathBuf]) -> ExitCode {
    match explained_request(arguments, files) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(findings) => {
            report(&findings);
            ExitCode::from(EXIT_USAGE)
        }
    }
}

/// Whether it is permitted.
fn explained_request(arguments: &Arguments, files: &[PathBuf]) -> Result<bool, Vec<Diagnostic>> {
    let one = |problem: Diagnostic| vec![problem];
    let asked = asked(arguments).map_err(one)?;
    let keys = arguments.jwks.as_deref().map(key_set).transpose().map_err(one)?;
    let progress = Progress::of("compiling the rules");
    let loaded = load(files, &environment())?;
    let world = World {
        keys: Arc::new(OfflineKeys::new(keys, None)),
        side: Arc::new(ScriptedSide::default()),
        env: Default::default(),
        secrets: Default::default(),
        now: now(),
    };
    let built = world.compile(&loaded.settings).map_err(one)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.map_err(|error| one(Diagnostic::error(error.to_string())))?;
    let verdict = runtime.block_on(judge(asked, &built.snapshot, &world));
    drop(progress);
    report(&built.unread);
    let strategy = loaded.settings.strategy;
    match arguments.format {
        Format::Text => print(&explained::text(&verdict, &built.snapshot, strategy)),
        Format::Json => print_json(&explained_json::json(&verdict, &built.snapshot, strategy)),
    }
    Ok(matches!(verdict.end, End::Forwarded(..) | End::Decided(..)))
}

fn asked(arguments: &Arguments) -> Result<Asked, Diagnostic> {
    let asked = match (&arguments.request, &arguments.url) {
        (Some(path), _) => {
            let place = Origin::whole(path.display().to_string());
            let raw = read(path).map_err(|error| {
                Diagnostic::error(format!("the request cannot be read: {error}")).at(&place).hint(PATH)
            })?;
            Asked::read(&raw, arguments.https).map_err(|problem| Diagnostic::error(problem).at(&place))?
        }
        (None, url) => Asked::of(&Wanted {
            method: arguments.method.clone(),
            url: url.clone().unwrap_or_default(),
            headers: arguments.headers.clone(),
            body: arguments.data.clone().unwrap_or_default().into(),
        })
        .map_err(Diagnostic::error)?,
    };
    Ok(match arguments.peer {
        Some(peer) => asked.from_peer(peer),
        None => asked,
    })
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut raw = Vec::new();
    if path == Path::new("-") {
        std::io::stdin().lock().take(MAX_REQUEST).read_to_end(&mut raw)?;
    } else {
        std::fs::File::open(path)?.take(MAX_REQUEST).read_to_end(&mut raw)?;
    }
    Ok(raw)
}

fn key_set(path: &Path) -> Result<KeySet, Diagnostic> {
    let place = Origin::whole(path.display().to_string());
    let refuse = |problem: String| Diagnostic::error(format!("the key set cannot be used: {problem}")).at(&place);
    let document = key_file::read(path).map_err(|problem| refuse(problem).hint(PATH))?;
    KeySet::parse(&document).map_err(|error| refuse(error.to_string()))
}

fn now() -> UnixTime {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    UnixTime(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}
