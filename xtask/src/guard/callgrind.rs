//! What callgrind writes, as far as it is needed here.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde::Deserialize;

/// What something cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
pub(super) struct Cost {
    pub(super) instructions: f64,
    pub(super) allocations: f64,
}

impl Cost {
    pub(super) fn less(self, other: Self) -> Self {
        Self { instructions: self.instructions - other.instructions, allocations: self.allocations - other.allocations }
    }

    pub(super) fn per(self, count: usize) -> Self {
        let count = count as f64;
        Self { instructions: self.instructions / count, allocations: self.allocations / count }
    }
}

/// The allocator's functions that make room; those that it calls itself do not count.
fn is_allocation(caller: &str, called: &str) -> bool {
    const MAKING: [&str; 3] = ["mi_malloc", "mi_zalloc", "mi_realloc"];
    MAKING.iter().any(|name| called.starts_with(name)) && !caller.starts_with("mi_") && !caller.starts_with("_mi_")
}

/// Reads a file of counts, with names written out.
pub(super) fn read(path: &Path) -> Result<Cost, String> {
    let file = File::open(path).map_err(|error| format!("valgrind wrote no counts: {}: {error}", path.display()))?;
    sum(BufReader::new(file)).map_err(|problem| format!("{}: {problem}", path.display()))
}

fn sum(lines: impl BufRead) -> Result<Cost, String> {
    let (mut caller, mut called) = (String::new(), String::new());
    let (mut allocations, mut instructions) = (0_u64, None);
    for line in lines.lines() {
        let line = line.map_err(|error| error.to_string())?;
        if let Some(name) = line.strip_prefix("fn=") {
            name.clone_into(&mut caller);
        } else if let Some(name) = line.strip_prefix("cfn=") {
            name.clone_into(&mut called);
        } else if let Some(calls) = line.strip_prefix("calls=") {
            if is_allocation(&caller, &called) {
                let count = calls.split(' ').next().and_then(|count| count.parse::<u64>().ok());
                allocations += count.ok_or_else(|| format!("`{line}` is not understood"))?;
            }
        } else if let Some(total) = line.strip_prefix("totals: ").or_else(|| line.strip_prefix("summary: ")) {
            instructions = total.split(' ').next().and_then(|total| total.parse::<u64>().ok()).or(instructions);
        }
    }
    let instructions = instructions.ok_or("there is no total")?;
    Ok(Cost { instructions: instructions as f64, allocations: allocations as f64 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_and_calls_of_the_allocator_are_found() {
        let text = "version: 1\nevents: Ir\n\nfn=serve\n10 5\ncfn=mi_malloc_aligned\ncalls=3 20\n10 60\ncfn=other\n\
                    calls=9 30\n11 9\n\nfn=mi_malloc_aligned\ncfn=mi_malloc\ncalls=3 40\n20 30\n\nfn=grow\ncfn=mi_realloc\n\
                    calls=2 50\n1 8\n\ntotals: 1234\n";
        assert_eq!(sum(text.as_bytes()), Ok(Cost { instructions: 1234.0, allocations: 5.0 }));
        assert!(sum("fn=x\n".as_bytes()).is_err());
    }
}
