//! What measurements find: a table of each, and the file of all samples.

use serde_json::{Value, json};

/// What was measured of one server, or of one way to use it.
pub(super) struct Row {
    pub(super) title: String,
    pub(super) figures: Vec<Figure>,
}

/// One quantity: a column of the table.
pub(super) struct Figure {
    /// With its unit, such as `us/request`.
    pub(super) name: &'static str,
    pub(super) samples: Vec<f64>,
    pub(super) shown: Shown,
}

/// What the table shows of a figure's samples. The file has all of them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// The largest.
    Most,
    /// The median, the quartiles and the least.
    Spread,
    /// All of them together.
    Sum,
}

/// Prints the table of a measurement, if it was made. Figures of the same name are one column.
pub(super) fn print(name: &str, shows: &str, rows: &[Row]) {
    if rows.is_empty() {
        return;
    }
    println!("\n{name}: {shows}; medians, with (quartiles) and the least");
    let mut columns: Vec<(&str, Shown)> = Vec::new();
    for figure in rows.iter().flat_map(|row| &row.figures) {
        if !columns.iter().any(|(known, _)| *known == figure.name) {
            columns.push((figure.name, figure.shown));
        }
    }
    let heads = columns.iter().map(|(name, shown)| match shown {
        Shown::Most => format!("{name}, most"),
        Shown::Spread => format!("{name} (quartiles) least"),
        Shown::Sum => format!("{name}, in all"),
    });
    let mut lines = vec![std::iter::once(String::new()).chain(heads).collect::<Vec<_>>()];
    for row in rows {
        let cells = columns.iter().map(|(name, _)| {
            let figure = row.figures.iter().find(|figure| figure.name == *name);
            figure.map(Figure::cell).unwrap_or_default()
        });
        lines.push(std::iter::once(row.title.clone()).chain(cells).collect());
    }
    let widths: Vec<usize> = (0..=columns.len())
        .map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0))
        .collect();
    for line in lines {
        let padded = line.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column {
            0 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        println!("{}", padded.collect::<Vec<_>>().join("   ").trim_end());
    }
}

/// A measurement as the file of all samples has it.
pub(super) fn document(name: &str, shows: &str, rows: &[Row]) -> Value {
    let rows = rows.iter().map(|row| {
        let figures = row.figures.iter().map(|figure| {
            json!({
                "name": figure.name,
                "median": quantile(&figure.samples, 0.5),
                "quartiles": [quantile(&figure.samples, 0.25), quantile(&figure.samples, 0.75)],
                "least": quantile(&figure.samples, 0.0),
                "samples": figure.samples,
            })
        });
        json!({"name": row.title, "figures": figures.collect::<Vec<_>>()})
    });
    json!({"name": name, "shows": shows, "rows": rows.collect::<Vec<_>>()})
}

impl Figure {
    /// One whose spread matters.
    pub(super) fn spread(name: &'static str, samples: Vec<f64>) -> Self {
        Self { name, samples, shown: Shown::Spread }
    }

    fn cell(&self) -> String {
        let at = |quantile_of| quantile(&self.samples, quantile_of).unwrap_or(f64::NAN);
        match self.shown {
            Shown::Most => format!("{:.1}", at(1.0)),
            Shown::Spread => format!("{:.2} ({:.2} - {:.2}) {:.2}", at(0.5), at(0.25), at(0.75), at(0.0)),
            Shown::Sum => format!("{:.0}", self.samples.iter().sum::<f64>()),
        }
    }
}

/// A quantile: 0 is the least, 0.5 the median, 1 the most. `None` where there are no samples.
fn quantile(values: &[f64], quantile: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let index = (sorted.len().saturating_sub(1) as f64 * quantile).round() as usize;
    sorted.get(index).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells() {
        let samples = [5.0, 1.0, 4.0, 2.0, 3.0];
        let rows = [
            (Shown::Most, &samples[..], "5.0"),
            (Shown::Spread, &samples[..], "3.00 (2.00 - 4.00) 1.00"),
            (Shown::Sum, &samples[..], "15"),
            (Shown::Spread, &samples[..1], "5.00 (5.00 - 5.00) 5.00"),
            (Shown::Most, &[], "NaN"),
        ];
        for (shown, samples, expected) in rows {
            assert_eq!(Figure { name: "x", samples: samples.to_vec(), shown }.cell(), expected);
        }
    }

    #[test]
    fn the_file_has_every_sample() {
        let row = Row { title: "one".to_owned(), figures: vec![Figure::spread("us/request", vec![3.0, 1.0])] };
        let document = document("requests", "what it shows", &[row]);
        let figure = &document["rows"][0]["figures"][0];
        assert_eq!(figure["samples"], json!([3.0, 1.0]));
        assert_eq!((&figure["least"], &figure["name"]), (&json!(1.0), &json!("us/request")));
    }
}
