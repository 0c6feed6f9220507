//! A strict reader of both text formats: every line has to be what its format says, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

/// A family of metrics.
#[derive(Debug, Default)]
pub(crate) struct Family {
    pub(crate) kind: String,
    pub(crate) unit: Option<String>,
    pub(crate) samples: Vec<Sample>,
}

/// One line with a value.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

impl Family {
    /// Names of labels, without the one that buckets have.
    pub(crate) fn labels(&self) -> BTreeSet<&str> {
        let names = self.samples.iter().flat_map(|sample| sample.labels.keys());
        names.map(String::as_str).filter(|name| *name != "le").collect()
    }
}

/// Reads a scrape: families by name. `open` says which format it is in.
pub(crate) fn read(text: &str, open: bool) -> BTreeMap<String, Family> {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut current = String::new();
    assert!(text.ends_with('\n'));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.iter().position(|line| *line == "# EOF"), open.then_some(lines.len() - 1));
    let mut seen = BTreeSet::new();
    for (number, line) in lines.iter().enumerate().filter(|(_, line)| **line != "# EOF") {
        let place = || format!("line {}: {line}", number + 1);
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap_or_else(|| panic!("{}", place()));
            assert!(is_name(name) && help.ends_with('.') && !help.contains(['\\', '"']), "{}", place());
            assert!(lines[number + 1].starts_with(&format!("# TYPE {name} ")), "{}", place());
            assert!(families.insert(name.to_owned(), Family::default()).is_none(), "twice: {}", place());
            current = name.to_owned();
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let kind = rest.strip_prefix(&format!("{current} ")).unwrap_or_else(|| panic!("{}", place()));
            let known: &[&str] =
                if open { &["counter", "gauge", "histogram", "info"] } else { &["counter", "gauge", "histogram"] };
            assert!(known.contains(&kind), "{}", place());
            families.get_mut(&current).unwrap().kind = kind.to_owned();
        } else if let Some(rest) = line.strip_prefix("# UNIT ") {
            let unit = rest.strip_prefix(&format!("{current} ")).unwrap_or_else(|| panic!("{}", place()));
            assert!(open && current.ends_with(&format!("_{unit}")), "{}", place());
            families.get_mut(&current).unwrap().unit = Some(unit.to_owned());
        } else {
            let sample = sample(line).unwrap_or_else(|| panic!("{}", place()));
            let family = families.get_mut(&current).unwrap();
            assert!(
                endings(&family.kind, open).iter().any(|end| sample.name == format!("{current}{end}")),
                "{}",
                place()
            );
            assert!(seen.insert(line.rsplit_once(' ').unwrap().0.to_owned()), "twice: {}", place());
            family.samples.push(sample);
        }
    }
    for (name, family) in &families {
        assert!(!family.kind.is_empty() && !family.samples.is_empty(), "{name} has nothing");
        assert_eq!(name.ends_with("_total"), family.kind == "counter" && !open, "{name}");
        if family.kind == "histogram" {
            assert_buckets(name, family);
        }
    }
    families
}

/// What samples of a type are called after their family.
fn endings(kind: &str, open: bool) -> &'static [&'static str] {
    match (kind, open) {
        ("counter", true) => &["_total"],
        ("info", _) => &["_info"],
        ("histogram", _) => &["_sum", "_count", "_bucket"],
        _ => &[""],
    }
}

fn is_name(name: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    name.bytes().all(is_word) && !name.starts_with(|first: char| first.is_ascii_digit()) && !name.is_empty()
}

fn sample(line: &str) -> Option<Sample> {
    let end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = BTreeMap::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (key, value) = rest.split_once("=\"")?;
            let (value, after) = quoted(value)?;
            if !is_name(key) || labels.insert(key.to_owned(), value).is_some() {
                return None;
            }
            match after.strip_prefix(',') {
                Some(next) => rest = next,
                None => break rest = after.strip_prefix('}')?,
            }
        }
    }
    let value = rest.strip_prefix(' ')?;
    // No time, and no exemplar: one number and nothing after it.
    let value = value.parse().ok().filter(|_| !value.contains(' '))?;
    is_name(name).then(|| Sample { name: name.to_owned(), labels, value })
}

/// The text up to the quotation mark that ends it, and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let (mut value, mut chars) = (String::new(), text.char_indices());
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match chars.next()?.1 {
                'n' => '\n',
                escaped @ ('\\' | '"') => escaped,
                _ => return None,
            }),
            char => value.push(char),
        }
    }
    None
}

/// Each series of buckets counts upwards to `+Inf`, which is its count.
fn assert_buckets(name: &str, family: &Family) {
    let of = |end: &str| {
        let wanted = format!("{name}{end}");
        family.samples.iter().filter(move |sample| sample.name == wanted)
    };
    for count in of("_count") {
        let is_same = |sample: &&Sample| {
            let labels = sample.labels.iter().filter(|(key, _)| *key != "le");
            labels.eq(count.labels.iter())
        };
        let buckets: Vec<(f64, f64)> =
            of("_bucket").filter(is_same).map(|it| (it.labels["le"].parse().unwrap(), it.value)).collect();
        assert!(buckets.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1), "{name}: {buckets:?}");
        assert_eq!(buckets.last(), Some(&(f64::INFINITY, count.value)), "{name}");
        assert_eq!(of("_sum").filter(is_same).count(), 1, "{name}");
    }
}

#[test]
fn the_reader_refuses_what_is_no_line_of_its_format() {
    let good = "# HELP a_total A.\n# TYPE a_total counter\na_total{b=\"c\\\"\\n\\\\\"} 1\n";
    assert_eq!(read(good, false)["a_total"].samples[0].labels["b"], "c\"\n\\");
    let rows = [
        ("# HELP a A.\n# TYPE a counter\na_total 1\n", false),
        ("# HELP a_total A.\n# TYPE a_total counter\na_total 1\n# EOF\n", true),
        ("# HELP a A.\n# TYPE a counter\na_total 1\n", true),
        ("# HELP a A.\n# TYPE a gauge\na 1\n# EOF\n", false),
        ("# HELP a A.\n# TYPE a gauge\na 1\na 1\n", false),
        ("# HELP a A.\n# TYPE a gauge\na 1 5\n", false),
        ("# HELP a A.\n# TYPE a gauge\na{b=\"c} 1\n", false),
        ("# HELP a A.\n# TYPE a gauge\nb 1\n", false),
        ("# HELP a A.\n# TYPE a gauge\n", false),
        ("# TYPE a gauge\na 1\n", false),
        ("# HELP a_seconds A.\n# TYPE a_seconds gauge\n# UNIT a_seconds bytes\na_seconds 1\n# EOF\n", true),
        ("# HELP a A.\n# TYPE a histogram\na_sum 1\na_count 2\na_bucket{le=\"1\"} 1\n", false),
    ];
    for (text, open) in rows {
        assert!(std::panic::catch_unwind(|| read(text, open)).is_err(), "{text}");
    }
}
