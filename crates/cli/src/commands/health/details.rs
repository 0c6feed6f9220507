//! What `/health/ready?verbose` says, as a table.

use std::fmt::Write;

use serde_json::{Map, Value};

const HEADS: [&str; 5] = ["KIND", "NAME", "STATE", "AGE", "PROBLEM"];

/// The part of an answer that was asked for with `verbose`, taken out of it. A server that knows of no such thing
/// answers without.
pub(super) fn take(body: &mut Map<String, Value>) -> Option<String> {
    let sources = body.remove("sources")?;
    let rules = body.remove("rules").unwrap_or_default();
    let mut text = format!(
        "rules {}: {} loaded, {} of them broken\n\n",
        rules["version"].as_str().unwrap_or("-"),
        rules["loaded"],
        rules["broken"]
    );
    let rows: Vec<[String; 5]> = sources.as_array().into_iter().flatten().map(row).collect();
    let rows: Vec<[String; 5]> = [HEADS.map(str::to_owned)].into_iter().chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 4] = std::array::from_fn(width);
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            // Writing into a string cannot fail.
            let _ = write!(line, "{cell:width$}  ");
        }
        line.push_str(&row[4]);
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text.push('\n');
    Some(text)
}

fn row(source: &Value) -> [String; 5] {
    // One line a source, and nothing that moves the cursor of a terminal, whatever the other side sends.
    let text = |key: &str| -> String {
        let shown = source[key].as_str().unwrap_or("-");
        shown.chars().map(|char| if char.is_control() { ' ' } else { char }).collect()
    };
    let age = source["age_seconds"].as_u64().map_or_else(|| "-".to_owned(), |seconds| format!("{seconds}s"));
    let problem = match source["remedy"].as_str() {
        Some(_) => format!("{} ({})", text("problem"), text("remedy")),
        None => text("problem"),
    };
    [text("kind"), text("name"), text("state"), age, problem]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::take;

    #[test]
    fn one_line_for_each_source_and_the_rest_is_left() {
        let mut body = json!({
            "status": "ok",
            "rules": {"version": "8c59", "loaded": 2, "broken": 0},
            "sources": [
                {"kind": "key_set", "name": "https://issuer/jwks.json", "state": "stale", "age_seconds": 61, "problem": "status\n500",
                    "remedy": "check the URL"},
                {"kind": "secret", "name": "jira", "state": "missing", "age_seconds": null, "problem": null},
            ],
        });
        let text = take(body.as_object_mut().unwrap()).unwrap();
        let expected = "rules 8c59: 2 loaded, 0 of them broken\n\n\
                        KIND     NAME                      STATE    AGE  PROBLEM\n\
                        key_set  https://issuer/jwks.json  stale    61s  status 500 (check the URL)\n\
                        secret   jira                      missing  -    -\n\n";
        assert_eq!((text.as_str(), body), (expected, json!({"status": "ok"})));
        assert!(take(json!({"status": "ok"}).as_object_mut().unwrap()).is_none());
    }
}
