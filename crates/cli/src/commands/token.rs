//! `keyward token`

use std::path::PathBuf;
use std::process::ExitCode;

use keyward_core::diagnostic::{Diagnostic, Origin};
use keyward_core::jwt::algorithm;
use keyward_core::jwt::sign::SigningKey;
use keyward_server::issuer::key_file;
use keyward_server::issuer::routes::now;
use keyward_server::issuer::settings::CallerKind;
use keyward_server::issuer::token::{TokenRequest, sign};

use crate::output::{print, report};

const EXAMPLES: &str = "\
Examples:
  keyward token --key signing-key.json --sub ci-pipeline --scope jira:read
  keyward token --key key.pem --alg RS256 --sub worker --scope 'jira:read jira:write' --kind worker
  curl -H \"Authorization: Bearer $(keyward token --key signing-key.json --sub me --scope jira:read)\" ...";

/// Options of `token`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The signing key: a JWK, a key set or PEM
    #[arg(long, env = "PRIVATE_KEY_PATH", value_name = "FILE")]
    key: PathBuf,
    /// Who the token speaks for
    #[arg(long)]
    sub: String,
    /// What it allows; repeat it, or separate with spaces
    #[arg(long, required = true, value_parser = scopes)]
    scope: Vec<String>,
    /// Whom it is meant for
    #[arg(long, default_value = "oathkeeper-proxy")]
    audience: String,
    /// Who vouches for it
    #[arg(long, default_value = "http://token-issuer:8080")]
    issuer: String,
    /// Seconds it lives; by default what is usual for --kind
    #[arg(long, conflicts_with = "kind", value_parser = clap::value_parser!(u32).range(1..))]
    ttl: Option<u32>,
    /// The kind of caller: ci (15 minutes), worker (1 hour), interactive (8 hours)
    #[arg(long, value_parser = ["ci", "worker", "interactive"], default_value = "ci")]
    kind: String,
    /// The key's id, over what its file says
    #[arg(long)]
    kid: Option<String>,
    /// The algorithm, over what the key's file says; RS256 for PEM
    #[arg(long)]
    alg: Option<String>,
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    match token(arguments) {
        Ok(token) => {
            print(&format!("{token}\n"));
            ExitCode::SUCCESS
        }
        Err(problem) => {
            report(&[problem]);
            ExitCode::FAILURE
        }
    }
}

/// Scopes as a token writes them: between single spaces (RFC 6749 section 3.3).
fn scopes(text: &str) -> Result<String, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let allowed = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    match words.iter().find(|word| !word.bytes().all(allowed)) {
        Some(word) => Err(format!("`{word}` is not a scope")),
        None if words.is_empty() => Err("it is empty; name at least one scope".to_owned()),
        None => Ok(words.join(" ")),
    }
}

fn token(arguments: &Arguments) -> Result<String, Diagnostic> {
    let place = Origin::whole(arguments.key.display().to_string());
    let refuse = |problem: String| Diagnostic::error(problem).at(&place);
    let document = key_file::read(&arguments.key).map_err(|error| {
        refuse(format!("the key cannot be read: {error}")).hint("check the path and its permissions")
    })?;
    let algorithm = match &arguments.alg {
        Some(name) => {
            let unknown = || Diagnostic::error(format!("`{name}` is not a supported algorithm"));
            Some(algorithm(name).ok_or_else(unknown)?)
        }
        None => None,
    };
    let key = SigningKey::read(&document, algorithm, arguments.kid.as_deref()).map_err(|error| {
        refuse(format!("the key is not usable: {error}")).hint("`keyward credentials generate` makes one")
    })?;
    let kind = match arguments.kind.as_str() {
        "worker" => CallerKind::Worker,
        "interactive" => CallerKind::Interactive,
        _ => CallerKind::Ci,
    };
    let usual = i64::try_from(kind.usual_ttl().as_secs()).unwrap_or(i64::MAX);
    let request = TokenRequest {
        issuer: arguments.issuer.clone(),
        subject: arguments.sub.clone(),
        audience: arguments.audience.clone(),
        scope: arguments.scope.join(" "),
        ttl: arguments.ttl.map_or(usual, i64::from),
    };
    sign(&key, &request, now()).map_err(|error| Diagnostic::error(error.to_string()))
}
