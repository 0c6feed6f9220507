//! How a record looks on its way to a collector: a line, or a message of syslog (RFC 5424) in a frame that says how long it is
//! (RFC 6587 section 3.4.1).

use crate::config::settings::audit::Syslog;

/// RFC 5424 section 6.2.1: informational, whatever became of the request.
const SEVERITY: u8 = 6;
/// RFC 5424 section 6.2: what stands for what is not known.
const NIL: &[u8] = b"-";
/// A record's beginning, up to the time.
const TIME: &[u8] = b"{\"ts\":\"";
/// The form of that time, which is one of those that syslog knows.
const TIME_FORM: &[u8] = b"0000-00-00T00:00:00.000Z";

/// How records are framed.
pub(super) enum Framing {
    /// As lines, which they are.
    Lines,
    /// As messages of syslog.
    Syslog {
        /// Priority and version.
        start: String,
        /// From the time to the message: who says it.
        middle: String,
    },
}

impl Framing {
    /// Messages that come from here.
    pub(super) fn syslog(settings: &Syslog, host: &str, process: u32) -> Self {
        let host: String = host.trim().chars().filter(char::is_ascii_graphic).take(255).collect();
        let host = if host.is_empty() { "-" } else { &host };
        Self::Syslog {
            start: format!("<{}>1 ", settings.facility * 8 + SEVERITY),
            middle: format!(" {host} {} {process} audit - ", settings.app_name),
        }
    }

    /// Appends a record, which is one line.
    pub(super) fn frame(&self, line: &[u8], out: &mut Vec<u8>) {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        match self {
            Self::Lines => {
                out.extend_from_slice(line);
                out.push(b'\n');
            }
            Self::Syslog { start, middle } => {
                let message = [start.as_bytes(), time_of(line), middle.as_bytes(), line];
                let length: usize = message.iter().map(|part| part.len()).sum();
                out.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
                out.push(b' ');
                message.iter().for_each(|part| out.extend_from_slice(part));
            }
        }
    }
}

/// When the request arrived: the same each time that a record is framed.
fn time_of(line: &[u8]) -> &[u8] {
    let is_time = |text: &&[u8]| {
        let fits = |(byte, form): (&u8, &u8)| if *form == b'0' { byte.is_ascii_digit() } else { byte == form };
        text.iter().zip(TIME_FORM).all(fits)
    };
    line.strip_prefix(TIME).and_then(|rest| rest.get(..TIME_FORM.len())).filter(is_time).unwrap_or(NIL)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(framing: &Framing, lines: &[&str]) -> String {
        let mut out = Vec::new();
        lines.iter().for_each(|line| framing.frame(line.as_bytes(), &mut out));
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn messages_say_how_long_they_are_and_when_the_request_came() {
        let settings = Syslog { facility: 16, app_name: "keyward".to_owned() };
        let framing = Framing::syslog(&settings, "host-1\n", 42);
        let rows = [
            (
                "{\"ts\":\"2026-11-30T20:15:00.123Z\",\"a\":1}\n",
                "97 <134>1 2026-11-30T20:15:00.123Z host-1 keyward 42 audit - {\"ts\":\"2026-11-30T20:15:00.123Z\",\"a\":1}",
            ),
            (
                "{\"audit\":\"gap\",\"lost\":2}\n",
                "59 <134>1 - host-1 keyward 42 audit - {\"audit\":\"gap\",\"lost\":2}",
            ),
            ("{\"ts\":\"[redacted]\"}", "54 <134>1 - host-1 keyward 42 audit - {\"ts\":\"[redacted]\"}"),
            ("{\"a\":\"ä\"}\n", "45 <134>1 - host-1 keyward 42 audit - {\"a\":\"ä\"}"),
        ];
        for (line, expected) in rows {
            let frame = framed(&framing, &[line]);
            assert_eq!(frame, expected);
            let (length, message) = frame.split_once(' ').unwrap_or_default();
            assert_eq!(length.parse(), Ok(message.len()), "{frame}");
        }
        let both = framed(&framing, &[rows[1].0, rows[3].0]);
        assert_eq!(both, [rows[1].1, rows[3].1].concat());
    }

    #[test]
    fn a_host_that_has_no_name_is_told_as_such() {
        let settings = Syslog { facility: 23, app_name: "a".to_owned() };
        assert_eq!(framed(&Framing::syslog(&settings, " \n", 1), &["x\n"]), "24 <190>1 - - a 1 audit - x");
    }

    #[test]
    fn lines_stay_lines() {
        assert_eq!(framed(&Framing::Lines, &["{}\n", "{\"a\":1}"]), "{}\n{\"a\":1}\n");
    }
}
