//! `keyward secrets check`

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Subcommand;
use keyward_core::diagnostic::Diagnostic;
use keyward_server::config::load::load;
use keyward_server::secrets::check::{Row, check};
use serde_json::{Value, json};
use tokio::task::LocalSet;

use crate::output::{Format, count, environment, print, print_json, report};
use crate::progress::Progress;

const CHECK: &str = "\
Examples:
  keyward secrets check -c oathkeeper.yaml
  keyward secrets check -c oathkeeper.yaml --format json

Reads every file and asks every place that `secrets` in the configuration names, as `serve` would from here, and shows
names, versions, and how long ago a version was written where the version says when. Values are never shown.
Ends with 1 when one is missing.";

/// Subcommands of `secrets`.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Try every source of secrets; names, versions and problems, never values
    #[command(after_help = CHECK)]
    Check {
        /// For people, or for programs
        #[arg(long, default_value = "text")]
        format: Format,
    },
}

pub(crate) fn run(command: &Command, files: &[PathBuf]) -> ExitCode {
    let Command::Check { format } = command;
    let progress = Progress::of("trying every source of secrets");
    let rows = rows(files);
    drop(progress);
    let rows = match rows {
        Ok(rows) => rows,
        Err(findings) => {
            report(&findings);
            return ExitCode::FAILURE;
        }
    };
    let missing = rows.iter().filter(|row| row.problem.is_some()).count();
    match format {
        Format::Json => {
            let secrets: Vec<Value> = rows.iter().map(row_json).collect();
            print_json(&json!({"complete": missing == 0, "secrets": secrets}));
        }
        Format::Text => {
            print(&table(&rows));
            print(&match (rows.len(), missing) {
                (0, _) => {
                    "no source of secrets is configured: `env` finds the environment's variables only\n".to_owned()
                }
                (all, 0) => format!("{}, nothing missing\n", count(all, "secret", "secrets")),
                (_, missing) => format!("{missing} missing\n"),
            });
        }
    }
    if missing == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn rows(files: &[PathBuf]) -> Result<Vec<Row>, Vec<Diagnostic>> {
    let loaded = load(files, &environment())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| vec![Diagnostic::error(format!("the runtime cannot be started: {error}"))])?;
    LocalSet::new().block_on(&runtime, check(&loaded.settings)).map_err(|problem| vec![problem])
}

fn row_json(row: &Row) -> Value {
    json!({
        "name": row.name,
        "source": row.source,
        "version": row.version,
        "age_seconds": row.age.map(|age| age.as_secs()),
        "problem": row.problem.as_ref().map(|problem| &problem.cause),
        "remedy": row.problem.as_ref().and_then(|problem| problem.remedy.as_ref()),
    })
}

/// Columns as wide as what is in them; problems and remedies on lines of their own.
fn table(rows: &[Row]) -> String {
    let name = |row: &Row| row.name.clone().unwrap_or_else(|| "-".to_owned());
    let width = |of: &dyn Fn(&Row) -> String| rows.iter().map(|row| of(row).chars().count()).max().unwrap_or(0);
    let (names, sources) = (width(&name), width(&|row| row.source.clone()));
    let mut text = String::new();
    for row in rows {
        let state = match (&row.version, row.age) {
            (Some(version), Some(age)) => format!("version {version}, {} old", shown(age)),
            (Some(version), None) => format!("version {version}"),
            (None, _) => "missing".to_owned(),
        };
        text.push_str(&format!("{:names$}  {:sources$}  {state}\n", name(row), row.source));
        if let Some(problem) = &row.problem {
            text.push_str(&format!("  {problem}\n"));
            text.extend(problem.remedy.iter().map(|remedy| format!("  hint: {remedy}\n")));
        }
    }
    text
}

/// In the largest unit of which there are two.
fn shown(age: Duration) -> String {
    let seconds = age.as_secs();
    let units = [("d", 24 * 60 * 60), ("h", 60 * 60), ("min", 60)];
    let unit = units.iter().find(|(_, length)| seconds >= 2 * length);
    unit.map_or_else(|| format!("{seconds} s"), |(name, length)| format!("{} {name}", seconds / length))
}
