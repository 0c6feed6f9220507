//! What PromQL asks for: metrics, the labels that it selects and groups by, and the values that it wants of them. Whether a query is
//! PromQL at all, `deploy/chart/check` looks at.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::file;

/// A label, an operator and a value.
type Matcher = (String, String, String);

/// What one query asks for.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    /// Where it stands.
    pub(crate) place: String,
    /// Metrics with what is said of them in braces.
    pub(crate) selected: Vec<(String, Vec<Matcher>)>,
    /// Labels that the result is grouped by.
    pub(crate) grouped: BTreeSet<String>,
}

impl Asked {
    pub(crate) fn of(place: &str, query: &str) -> Self {
        let mut asked = Self { place: place.to_owned(), ..Self::default() };
        let tokens = tokens(query);
        let mut at = 0;
        while at < tokens.len() {
            let (token, next) = (tokens[at].as_str(), tokens.get(at + 1).map(String::as_str));
            if matches!(token, "by" | "without" | "on" | "ignoring" | "group_left" | "group_right") {
                let end = at + tokens[at..].iter().position(|token| token == ")").unwrap();
                asked.grouped.extend(tokens[at + 2..end].iter().filter(|token| *token != ",").cloned());
                at = end;
            } else if is_metric(token)
                && !matches!(next, Some("(" | "by" | "without"))
                && !matches!(token, "and" | "or" | "unless" | "bool")
            {
                let mut matchers = Vec::new();
                if next == Some("{") {
                    let end = at + tokens[at..].iter().position(|token| token == "}").unwrap();
                    for part in tokens[at + 2..end].split(|token| token == ",").filter(|part| !part.is_empty()) {
                        let [label, operator, value] = part else { panic!("{place}: {part:?}") };
                        matchers.push((label.clone(), operator.clone(), value.trim_matches('"').to_owned()));
                    }
                    at = end;
                }
                asked.selected.push((token.to_owned(), matchers));
            }
            at += 1;
        }
        assert!(!asked.selected.is_empty(), "{place} asks for nothing: {query}");
        asked
    }
}

fn is_metric(token: &str) -> bool {
    token.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
}

/// Words, texts in quotation marks, ranges as one token each, operators of matchers, and other characters one by one.
fn tokens(query: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = query.trim_start();
    while let Some(first) = rest.chars().next() {
        let is_word = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | ':' | '.' | '$');
        let length = match first {
            '"' => rest[1..].find('"').unwrap() + 2,
            '[' => rest.find(']').unwrap() + 1,
            first if is_word(first) => rest.find(|char| !is_word(char)).unwrap_or(rest.len()),
            _ if ["=~", "!~", "!=", "==", ">=", "<="].iter().any(|operator| rest.starts_with(operator)) => 2,
            first => first.len_utf8(),
        };
        found.push(rest[..length].to_owned());
        rest = rest[length..].trim_start();
    }
    found
}

/// Every query of the chart's alerts.
pub(crate) fn of_alerts() -> Vec<Asked> {
    let text = file("deploy/chart/keyward/files/alerts.yaml");
    let alerts = text.split("- alert: ").skip(1);
    let found: Vec<Asked> = alerts
        .map(|alert| {
            let (name, rest) = alert.split_once('\n').unwrap();
            let query = rest.split_once("expr: |\n").unwrap().1;
            let lines = query.lines().take_while(|line| line.starts_with("        "));
            let query = lines.collect::<Vec<_>>().join("\n").replace("SERIES", "namespace=\"n\",service=\"s\"");
            Asked::of(name, &query)
        })
        .collect();
    assert_eq!(found.len(), text.matches("expr:").count());
    found
}

/// Every query of the dashboard, those of its variables too.
pub(crate) fn of_the_dashboard() -> Vec<Asked> {
    let dashboard: Value = serde_json::from_str(&file("deploy/chart/keyward/files/dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let mut found: Vec<Asked> = panels
        .flat_map(|panel| {
            let title = panel["title"].as_str().unwrap();
            let targets = panel["targets"].as_array().into_iter().flatten();
            targets.map(move |target| Asked::of(title, target["expr"].as_str().unwrap()))
        })
        .collect();
    let variables = dashboard["templating"]["list"].as_array().unwrap().iter();
    for definition in variables.filter_map(|variable| variable["definition"].as_str()) {
        let inside = definition.strip_prefix("label_values(").unwrap().strip_suffix(')').unwrap();
        let (query, label) = inside.rsplit_once(", ").unwrap();
        let mut asked = Asked::of(definition, query);
        asked.grouped.insert(label.to_owned());
        found.push(asked);
    }
    found
}

#[test]
fn a_query_is_taken_apart() {
    let query = "histogram_quantile(0.99, sum by (le, rule) (rate(a_bucket{b=\"c\",d=~\"e, f\"}[$__rate_interval]))) > 5\n and g unless h{i!=\"\"} * time()";
    let asked = Asked::of("here", query);
    let said = format!("{:?} {:?}", asked.selected, asked.grouped);
    let expected = "[(\"a_bucket\", [(\"b\", \"=\", \"c\"), (\"d\", \"=~\", \"e, f\")]), (\"g\", []), (\"h\", [(\"i\", \"!=\", \"\")])] {\"le\", \"rule\"}";
    assert_eq!(said, expected);
}
