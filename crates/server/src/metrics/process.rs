//! What dashboards expect of any process, from `/proc`, under the names that Prometheus' own libraries give it.

use std::fmt;
use std::fs;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;
use rustix::process::{Resource, getrlimit};

/// Clock ticks in a second, as `/proc` counts them: `USER_HZ`, the same on every architecture that this runs on.
const TICKS: f64 = 100.0;

/// Reads the process's figures for each scrape. What cannot be read is left out.
#[derive(Debug)]
pub(super) struct Process;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut tell = |name: &str, help: &str, unit: Option<Unit>, metric: &dyn EncodeMetric| {
            metric.encode(encoder.encode_descriptor(name, help, unit.as_ref(), metric.metric_type())?)
        };
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        if let Some(bytes) = bytes(&status, "VmRSS:") {
            tell("process_resident_memory", "Resident memory.", Some(Unit::Bytes), &ConstGauge::new(bytes))?;
        }
        if let Some(bytes) = bytes(&status, "VmSize:") {
            tell("process_virtual_memory", "Virtual memory.", Some(Unit::Bytes), &ConstGauge::new(bytes))?;
        }
        if let Ok(open) = fs::read_dir("/proc/self/fd") {
            let open = u64::try_from(open.count()).unwrap_or(u64::MAX);
            tell("process_open_fds", "Open file descriptors.", None, &ConstGauge::new(open))?;
        }
        if let Some(most) = getrlimit(Resource::Nofile).current {
            tell("process_max_fds", "The most file descriptors that may be open.", None, &ConstGauge::new(most))?;
        }
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let Some(times) = Times::of(&stat) else { return Ok(()) };
        let help = "CPU time, of the process and of the system for it.";
        tell("process_cpu", help, Some(Unit::Seconds), &ConstCounter::new(times.cpu))?;
        let booted = fs::read_to_string("/proc/stat").unwrap_or_default();
        let Some(booted) = booted.lines().find_map(|line| line.strip_prefix("btime ")?.trim().parse::<f64>().ok())
        else {
            return Ok(());
        };
        let help = "When the process began, since 1970.";
        tell("process_start_time", help, Some(Unit::Seconds), &ConstGauge::new(booted + times.began))
    }
}

/// A line of `/proc/self/status` such as `VmRSS:  5124 kB`.
fn bytes(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kib| kib * 1024)
}

/// What `/proc/self/stat` says, in seconds.
#[derive(Debug, PartialEq)]
struct Times {
    cpu: f64,
    /// After the machine.
    began: f64,
}

impl Times {
    fn of(stat: &str) -> Option<Self> {
        // The name of the program may hold anything, and ends with the last parenthesis.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
        // Fields are numbered from 1 in proc(5), and the first two are gone.
        let seconds = |number: usize| fields.get(number - 3)?.parse::<f64>().ok().map(|ticks| ticks / TICKS);
        Some(Self { cpu: seconds(14)? + seconds(15)?, began: seconds(22)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_found_whatever_the_program_is_called() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194560 2 3 4 5 250 50 8 9 20 0 4 0 12345 1000 200\n";
        assert_eq!(Times::of(stat), Some(Times { cpu: 3.0, began: 123.45 }));
        assert_eq!(Times::of("7 (a) S 1"), None);
        let status = "VmSize:\t   2048 kB\nVmRSS:\t    1024 kB\n";
        assert_eq!((bytes(status, "VmRSS:"), bytes(status, "VmSize:")), (Some(1 << 20), Some(2 << 20)));
        assert_eq!(bytes(status, "VmSwap:"), None);
    }
}
