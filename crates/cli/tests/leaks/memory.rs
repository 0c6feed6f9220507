//! What the kernel would give away of a process.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use keyward_testkit::process::{Keyward, Running};

/// Whatever the machine allows.
const WITH_CORES: &str = "ulimit -S -c \"$(ulimit -H -c)\"";
/// Root may look at everything, so this looks as somebody else where tests run as root.
const AS_NOBODY: &str = "exec setpriv --reuid 65534 --regid 65534 --clear-groups";

fn keyward() -> Keyward {
    Keyward::new(env!("CARGO_BIN_EXE_keyward"))
}

/// The soft and the hard limit of core files.
fn limits(running: &Running) -> Vec<u64> {
    let limits = fs::read_to_string(format!("/proc/{}/limits", running.id())).unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max core file size")).unwrap();
    line.split_whitespace().take(2).map(|number| number.parse().unwrap_or(u64::MAX)).collect()
}

#[test]
fn a_server_that_crashes_leaves_no_core_dump() {
    // Not SIGQUIT: what a shell starts in the background ignores it.
    for signal in ["ABRT", "SEGV", "ILL"] {
        let mut running = keyward().after(WITH_CORES).with("", "[]").start();
        // Pipes to programs pass over every limit but one byte; a machine may allow nothing anyway.
        assert!(limits(&running).iter().all(|limit| *limit <= 1), "{signal}: {:?}", limits(&running));
        // Rust's own handler of SIGSEGV lets one pass that no memory access caused.
        let again = format!("for i in $(seq 100); do kill -{signal} {} || exit; sleep 0.1; done", running.id());
        let mut sender = Command::new("sh").args(["-c", &again]).stderr(Stdio::null()).spawn().unwrap();
        let status = running.wait();
        sender.kill().unwrap();
        sender.wait().unwrap();
        assert!(status.signal().is_some(), "{signal}: {status}");
        assert!(!status.core_dumped(), "{signal}: {status}");
        let left: Vec<_> = fs::read_dir(running.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(!left.iter().any(|name| name.to_string_lossy().starts_with("core")), "{signal}: {left:?}");
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// What another process of the server's user can read of it.
fn shown(running: &Running, file: &str) -> String {
    let script = format!("{} cat /proc/{}/{file}", if is_root() { AS_NOBODY } else { "exec" }, running.id());
    let read = Command::new("sh").args(["-c", &script]).output().unwrap();
    String::from_utf8_lossy(&read.stdout).into_owned()
}

#[test]
fn a_server_that_is_not_traceable_shows_nobody_its_environment_and_memory() {
    for traceable in [true, false] {
        let mut keyward = keyward().env("SECRETS_TRACEABLE", &traceable.to_string()).with("", "[]");
        if is_root() {
            // Where it was built, others may not be able to look.
            let binary = keyward.path("keyward");
            fs::hard_link(env!("CARGO_BIN_EXE_keyward"), &binary)
                .or_else(|_| fs::copy(env!("CARGO_BIN_EXE_keyward"), &binary).map(drop))
                .unwrap();
            chown(keyward.path(""), Some(65534), Some(65534)).unwrap();
            keyward = keyward.after(&format!("{AS_NOBODY} {} \"$@\"", binary.display()));
        }
        let running = keyward.start();
        assert_eq!(shown(&running, "environ").contains("SERVE_PROXY_PORT"), traceable);
        assert_eq!(shown(&running, "maps").contains("[heap]"), traceable);
        assert!(shown(&running, "status").contains("VmRSS"), "what monitoring needs stays there");
        // It can still look at itself.
        assert!(running.metric("process_open_fds").unwrap() > 0.0);
        assert!(running.metric("process_resident_memory_bytes").unwrap() > 0.0);
    }
}
