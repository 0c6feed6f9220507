//! What dashboards expect of any process, from `/proc`.

use std::fmt::Write;

/// Appends resident memory and open files. Where there is no `/proc`, nothing.
pub(super) fn render(text: &mut String) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let resident = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.trim().split(' ').next().and_then(|kib| kib.parse::<u64>().ok()));
    if let Some(kib) = resident {
        let _ = write!(
            text,
            "# HELP process_resident_memory_bytes Resident memory\n# TYPE process_resident_memory_bytes gauge\nprocess_resident_memory_bytes {}\n",
            kib * 1024
        );
    }
    if let Ok(entries) = std::fs::read_dir("/proc/self/fd") {
        let _ = write!(
            text,
            "# HELP process_open_fds Open file descriptors\n# TYPE process_open_fds gauge\nprocess_open_fds {}\n",
            entries.count()
        );
    }
}
