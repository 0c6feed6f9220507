//! Settings that cannot be used are named with the place where they stand.

use keyward_testkit::conformance::recorder::Recorder;

use crate::keyward;

#[test]
fn what_cannot_be_used_is_told_with_its_place() {
    // (settings with `^` before the place that is named, or else all of them are; what is wrong)
    let rows = [
        ("sink: file, path: a, rotate: {max_bytes: ^1}", "`audit.rotate.max_bytes`: write at least 65536"),
        ("sink: file, path: a, rotate: {every: ^999ms}", "`audit.rotate.every`: write at least `1s`"),
        ("sink: file, path: a, rotate: {every: 1h, keep: ^0}", "`audit.rotate.keep`: write at least 1"),
        ("sink: file, path: a, rotate: ^{keep: 1}", "`audit.rotate`: write `max_bytes`, `every`, or both"),
        ("sink: file, path: a, rotate: {^max_size: 1}", "unknown key `max_size` in `audit.rotate`"),
        ("sink: stdout, ^rotate: {every: 24h}", "`audit.rotate`: only the sink `file` rotates"),
        ("sink: off, ^rotate: {every: 24h}", "`audit.rotate`: only the sink `file` rotates"),
        ("^rotate: {every: 24h}", "`audit.rotate`: only the sink `file` rotates"),
        ("sink: tcp, url: 'tcp://h:1', ^rotate: {max_bytes: 65536}", "`audit.rotate`: only the sink `file` rotates"),
        ("sink: file, path: a, ^url: 'tcp://h:1'", "`audit.url`: only the sinks `syslog` and `tcp` have a collector"),
        ("sink: tcp, url: 'tcp://h:1', ^syslog: {}", "`audit.syslog`: only the sink `syslog` sends such messages"),
        ("sink: syslog", "`audit`: the syslog sink needs `url`"),
        ("sink: tcp", "`audit`: the tcp sink needs `url`"),
        ("sink: tcp, url: ^'udp://h:1'", "`audit.url`: write `tcp://host:port`, or `tls://host:port`"),
        ("sink: tcp, url: ^'tcp://h'", "`audit.url`: write `tcp://host:port`, or `tls://host:port`"),
        ("sink: tcp, url: ^'tcp://ann:hunter2@h:1'", "`audit.url`: write `tcp://host:port`, or `tls://host:port`"),
        ("sink: ^udp", "`audit.sink` must be one of"),
        ("sink: syslog, url: 'tcp://h:1', syslog: {facility: ^mail}", "`audit.syslog.facility` must be one of"),
        ("sink: syslog, url: 'tcp://h:1', syslog: {app_name: ^a b}", "`audit.syslog.app_name`: write 1 to 48"),
    ];
    let upstream = Recorder::start(true);
    for (audit, problem) in rows {
        // They stand behind `audit: {`.
        let column = audit.find('^').map_or(8, |place| place + 9);
        let (code, output, errors) = keyward(&upstream, &audit.replace('^', "")).run(&["config", "check"]);
        let (told, place) = (format!("{output}{errors}"), format!("config.yaml:4:{column}"));
        assert!(!told.contains("hunter2"), "{told}");
        assert!(code != 0 && told.contains(problem) && told.contains(&place), "{audit}: {place}\n{told}");
    }
}
