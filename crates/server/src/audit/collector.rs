//! A collector of records in the network: a syslog server, or anything that reads lines.
//!
//! Neither protocol acknowledges anything. What is promised is that records are with the system, in the buffer of a connection; a record
//! of which only a part is there when the connection ends is sent again, whole, over the next one.

use std::io::{self, Write};

use memchr::memchr;

use super::connection::{Connection, stalled};
use super::framing::Framing;
use super::sink::Sink;
use crate::config::settings::audit::CollectorSettings;
use crate::upstream::outbound::Connector;

/// How much is framed at a time, unless one record is longer.
const CHUNK: usize = 32 * 1024;
/// Where Linux says what this machine is called.
const HOST_NAME: &str = "/proc/sys/kernel/hostname";

/// A collector.
pub(super) struct Collector {
    connection: Connection,
    framing: Framing,
    chunk: Chunk,
    /// The frame that has begun, and how much of it the connection has taken: it must be brought to an end there.
    begun: Option<(Vec<u8>, usize)>,
}

/// Lines, framed.
#[derive(Default)]
struct Chunk {
    frames: Vec<u8>,
    /// Where each line, and its frame, end.
    ends: Vec<(usize, usize)>,
}

impl Chunk {
    /// Frames the lines at the beginning of these.
    fn fill(&mut self, framing: &Framing, mut lines: &[u8]) {
        self.frames.clear();
        self.ends.clear();
        let mut read = 0;
        while !lines.is_empty() && self.frames.len() < CHUNK {
            let (line, rest) = lines.split_at(memchr(b'\n', lines).map_or(lines.len(), |end| end + 1));
            if line != b"\n" {
                framing.frame(line, &mut self.frames);
            }
            read += line.len();
            self.ends.push((read, self.frames.len()));
            lines = rest;
        }
    }

    /// Of what was sent up to a place: where the last whole line and the last whole frame end, and the frame that has begun.
    fn split_at(&self, sent: usize) -> ((usize, usize), Option<&[u8]>) {
        let whole = self.ends.partition_point(|(_, frame)| *frame <= sent);
        let last = whole.checked_sub(1).map_or((0, 0), |last| self.ends[last]);
        let next = self.ends.get(whole).filter(|_| sent > last.1);
        (last, next.map(|(_, end)| &self.frames[last.1..*end]))
    }
}

impl Collector {
    pub(super) fn new(settings: &CollectorSettings, connector: Connector) -> Self {
        let CollectorSettings { url, origin, syslog } = settings;
        let framing = match syslog {
            Some(syslog) => {
                let host = std::fs::read_to_string(HOST_NAME).unwrap_or_default();
                Framing::syslog(syslog, &host, std::process::id())
            }
            None => Framing::Lines,
        };
        let connection = Connection::new(origin.clone(), url.clone(), connector);
        Self { connection, framing, chunk: Chunk::default(), begun: None }
    }

    /// A connection on which a frame can begin, but for one that has begun already.
    fn connect(&mut self) -> io::Result<()> {
        if self.connection.ensure()? {
            // It was cut off with the one before.
            self.begun = None;
        }
        Ok(())
    }

    /// Brings the frame that has begun to an end.
    fn finish_begun(&mut self) -> io::Result<()> {
        let Some((frame, sent)) = self.begun.take() else { return Ok(()) };
        match self.connection.send(&frame, sent) {
            (_, None) => Ok(()),
            (at, Some(error)) => {
                self.begun = Some((frame, at)).filter(|_| self.connection.is_open());
                Err(error)
            }
        }
    }
}

impl Write for Collector {
    /// Takes lines whose frames the connection has taken as a whole.
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        self.connect()?;
        self.chunk.fill(&self.framing, lines);
        let is_again = |(frame, _): &(Vec<u8>, usize)| self.chunk.frames.starts_with(frame);
        let from = match self.begun.take_if(|begun| is_again(begun)) {
            Some((_, sent)) => sent,
            // It was given up by who wrote it; half of it cannot be taken back.
            None => {
                self.finish_begun()?;
                0
            }
        };
        let (at, problem) = self.connection.send(&self.chunk.frames, from);
        // As long as some of the last record is still here, it is not taken.
        let taken = if problem.is_some() { at.min(self.chunk.frames.len().saturating_sub(1)) } else { at };
        let ((line_end, frame_end), next) = self.chunk.split_at(taken);
        if self.connection.is_open() {
            self.begun = next.map(|frame| (frame.to_vec(), at - frame_end));
        }
        match problem {
            Some(error) if line_end == 0 => Err(error),
            _ => Ok(line_end),
        }
    }

    /// Has TLS hand over what it holds. A frame that has begun stays as it is: who wrote it may give it to another sink.
    fn flush(&mut self) -> io::Result<()> {
        self.connection.send(&[], 0).1.map_or(Ok(()), Err)
    }
}

impl Sink for Collector {
    fn tend(&mut self) -> Option<io::Result<()>> {
        let ready = self.connect().and_then(|()| self.finish_begun());
        // Whether it takes something again is found out with the next record.
        Some(ready.and_then(|()| if self.connection.is_stalled() { Err(stalled()) } else { Ok(()) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_is_told_by_whole_lines() {
        let mut chunk = Chunk::default();
        chunk.fill(&Framing::Lines, b"aa\n\nb\nccc");
        assert_eq!(chunk.frames, b"aa\nb\nccc\n");
        // (sent, (lines, frames), what has begun)
        type Row = (usize, (usize, usize), Option<&'static [u8]>);
        let rows: [Row; 7] = [
            (0, (0, 0), None),
            (1, (0, 0), Some(b"aa\n")),
            (3, (4, 3), None),
            (4, (4, 3), Some(b"b\n")),
            (5, (6, 5), None),
            (8, (6, 5), Some(b"ccc\n")),
            (9, (9, 9), None),
        ];
        for (sent, whole, begun) in rows {
            assert_eq!(chunk.split_at(sent), (whole, begun), "{sent}");
        }
    }

    #[test]
    fn a_chunk_is_bounded_but_for_one_long_line() {
        let mut chunk = Chunk::default();
        let long = [vec![b'a'; 3 * CHUNK], vec![b'\n']].concat();
        chunk.fill(&Framing::Lines, &long.repeat(3));
        assert_eq!(chunk.ends, [(long.len(), long.len())]);
        chunk.fill(&Framing::Lines, &b"a\n".repeat(CHUNK));
        assert_eq!(chunk.frames.len(), CHUNK);
    }
}
