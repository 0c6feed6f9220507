//! `keyward config check|schema`

use std::path::PathBuf;
use std::process::ExitCode;

use keyward_core::diagnostic::Severity;
use keyward_server::check::{self, Checked};
use keyward_server::config::notes::Note;
use keyward_server::schema;
use serde_json::{Value, json};

use crate::output::{Format, count, environment, findings_json, print, print_json, report};
use crate::progress::Progress;

const CHECK: &str = "\
Examples:
  keyward config check -c oathkeeper.yaml
  keyward config check -c base.yaml -c production.yaml --format json

Ends with 0 when everything works, with warnings or without, and with 1 when the configuration is not usable,
when a setting is wrong that a rule uses, when there are errors in rules, or when their file cannot be read: it
will do for a pipeline. What is wrong in the rules themselves, and what each will do, `keyward rules lint` shows.";

const SCHEMA: &str = "\
Examples:
  keyward config schema > keyward.schema.json
  keyward config schema --rules > keyward-rules.schema.json

Editors with the YAML language server read it from a comment in the first line of a file:
  # yaml-language-server: $schema=./keyward.schema.json";

/// Subcommands of `config`.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Check a configuration (-c FILE) with the environment's overrides; every finding with its place
    #[command(after_help = CHECK)]
    Check {
        /// For people, or for programs
        #[arg(long, default_value = "text")]
        format: Format,
    },
    /// Print the JSON Schema of configuration files, or of rule files
    #[command(after_help = SCHEMA)]
    Schema {
        /// Of rule files
        #[arg(long)]
        rules: bool,
    },
}

pub(crate) fn run(command: &Command, files: &[PathBuf]) -> ExitCode {
    match command {
        Command::Check { format } => check_settings(files, *format),
        Command::Schema { rules } => {
            print_json(&if *rules { schema::rules() } else { schema::configuration() });
            ExitCode::SUCCESS
        }
    }
}

fn check_settings(files: &[PathBuf], format: Format) -> ExitCode {
    let progress = Progress::of("checking the configuration and what its rules use of it");
    let checked = check::settings(files, &environment());
    drop(progress);
    let (findings, rule_errors, notes) = match checked {
        Ok(Checked { findings, rule_errors, notes }) => (findings, rule_errors, notes),
        Err(findings) => (findings, 0, Vec::new()),
    };
    let usable = !findings.iter().any(|finding| finding.severity == Severity::Error);
    match format {
        Format::Json => {
            let differences: Vec<Value> = notes.iter().map(difference_json).collect();
            print_json(&json!({
                "usable": usable,
                "findings": findings_json(&findings),
                "rule_errors": rule_errors,
                "differences": differences,
            }));
        }
        Format::Text => {
            report(&findings);
            print(&differences(&notes));
            print(&match (usable, findings.len()) {
                (true, found) => format!("the configuration is usable, {}\n", count(found, "warning", "warnings")),
                (false, found) => format!("the configuration is not usable, {}\n", count(found, "finding", "findings")),
            });
            if rule_errors > 0 {
                let errors = count(rule_errors, "error", "errors");
                print(&format!("in its rules: {errors}; `keyward rules lint` shows what is wrong\n"));
            }
        }
    }
    // Serving goes on without a rule that denies; whoever is about to deploy one wants to know.
    if usable && rule_errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What means something different from Oathkeeper, a line each.
fn differences(notes: &[Note]) -> String {
    let line = |note: &Note| {
        let place = note.finding.origin.as_ref().map(ToString::to_string).unwrap_or_default();
        format!("  {place}: {} [{}]\n", note.finding.message, note.row)
    };
    match notes {
        [] => String::new(),
        notes => {
            let lines: String = notes.iter().map(line).collect();
            format!(
                "different from Oathkeeper (rows of conformance/differences.toml in brackets; `keyward rules lint` shows what \
                 is different for each rule):\n{lines}"
            )
        }
    }
}

fn difference_json(note: &Note) -> Value {
    let origin = note.finding.origin.as_ref();
    json!({
        "row": note.row,
        "message": note.finding.message,
        "source": origin.map(|origin| &*origin.source),
        "line": origin.map(|origin| origin.line),
        "column": origin.map(|origin| origin.column),
    })
}
