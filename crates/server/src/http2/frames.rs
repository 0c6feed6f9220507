//! Where frames begin and end in a stream of bytes (RFC 9113 section 4.1), and no more: reading them is the h2 crate's.

pub(super) const DATA: u8 = 0x0;
pub(super) const HEADERS: u8 = 0x1;
pub(super) const RST_STREAM: u8 = 0x3;
pub(super) const GOAWAY: u8 = 0x7;
pub(super) const CONTINUATION: u8 = 0x9;

/// A flag of DATA and HEADERS.
pub(super) const END_STREAM: u8 = 0x1;
/// A flag of HEADERS and CONTINUATION.
pub(super) const END_HEADERS: u8 = 0x4;
/// What every frame begins with: length, type, flags, stream.
const HEAD: usize = 9;
/// Length of the client's connection preface (section 3.4).
const PREFACE: usize = 24;
/// As much of a payload as GOAWAY has before its debug data, and as the field block of a status alone.
pub(super) const KEPT: usize = 16;

/// A frame that has come to its end.
pub(super) struct Frame<'f> {
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
    /// How its payload begins: all of it, where that is less than [`KEPT`].
    pub(super) begin: &'f [u8],
}

/// Cuts one direction of a connection into frames.
#[derive(Debug, Default)]
pub(super) struct Frames {
    head: [u8; HEAD],
    /// How much of the head is there.
    have: usize,
    /// How much of the payload is not.
    left: usize,
    begin: [u8; KEPT],
    kept: usize,
}

impl Frames {
    /// Takes the next bytes, and hands out the frames that end in them.
    pub(super) fn feed(&mut self, mut bytes: &[u8], mut ended: impl FnMut(Frame<'_>)) {
        while !bytes.is_empty() {
            if self.have < HEAD {
                let taken = bytes.len().min(HEAD - self.have);
                self.head[self.have..self.have + taken].copy_from_slice(&bytes[..taken]);
                self.have += taken;
                bytes = &bytes[taken..];
                if self.have < HEAD {
                    return;
                }
                self.left =
                    usize::from(self.head[0]) << 16 | usize::from(self.head[1]) << 8 | usize::from(self.head[2]);
                self.kept = 0;
            } else {
                let taken = bytes.len().min(self.left);
                let keep = taken.min(KEPT - self.kept);
                self.begin[self.kept..self.kept + keep].copy_from_slice(&bytes[..keep]);
                self.kept += keep;
                self.left -= taken;
                bytes = &bytes[taken..];
            }
            if self.left == 0 {
                let [.., kind, flags, a, b, c, d] = self.head;
                let stream = u32::from_be_bytes([a & 0x7f, b, c, d]);
                ended(Frame { kind, flags, stream, begin: &self.begin[..self.kept] });
                self.have = 0;
            }
        }
    }

    /// The type of the frame that has begun, as soon as it is known.
    fn kind(&self) -> Option<u8> {
        (self.have > 3).then_some(self.head[3])
    }

    /// Whether the last frame that has begun has ended.
    pub(super) fn is_between(&self) -> bool {
        self.have == 0
    }
}

/// What comes from a client.
#[derive(Debug)]
pub(super) struct Incoming {
    /// How much of the preface has not come.
    preface: usize,
    frames: Frames,
    /// A field block goes on in another frame.
    is_open: bool,
    /// Field blocks that have ended.
    blocks: u64,
    last_stream: u32,
}

impl Default for Incoming {
    fn default() -> Self {
        Self { preface: PREFACE, frames: Frames::default(), is_open: false, blocks: 0, last_stream: 0 }
    }
}

impl Incoming {
    /// Takes the next bytes, and hands out the streams that end in them before their time.
    pub(super) fn feed(&mut self, bytes: &[u8], mut reset: impl FnMut(u32)) {
        let skipped = bytes.len().min(self.preface);
        self.preface -= skipped;
        let (is_open, blocks, last_stream) = (&mut self.is_open, &mut self.blocks, &mut self.last_stream);
        self.frames.feed(&bytes[skipped..], |frame| {
            if frame.kind == RST_STREAM {
                reset(frame.stream);
            }
            if !matches!(frame.kind, HEADERS | CONTINUATION) {
                return;
            }
            *is_open = frame.flags & END_HEADERS == 0;
            if !*is_open {
                *blocks += 1;
                *last_stream = frame.stream.max(*last_stream);
            }
        });
    }

    /// Whether the preface or a field block has begun and not ended.
    pub(super) fn is_inside_head(&self) -> bool {
        let is_in_preface = (1..PREFACE).contains(&self.preface);
        is_in_preface || self.is_open || matches!(self.frames.kind(), Some(HEADERS | CONTINUATION))
    }

    /// How many field blocks have ended.
    pub(super) fn blocks(&self) -> u64 {
        self.blocks
    }

    /// The last stream whose field block has ended.
    pub(super) fn last_stream(&self) -> u32 {
        self.last_stream
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 0, u8::try_from(payload.len()).unwrap_or_default(), kind, flags, 0, 0, 0, stream];
        bytes.extend(payload);
        bytes
    }

    #[test]
    fn frames_are_the_same_however_they_are_cut() {
        let frames =
            [frame(4, 0, 0, b""), frame(0, 1, 3, b"0123456789"), frame(GOAWAY, 0, 0, b"0123456789abcdefdebug")];
        let bytes = frames.concat();
        for cut in 0..=bytes.len() {
            let mut seen = Vec::new();
            let mut scanner = Frames::default();
            for part in [&bytes[..cut], &bytes[cut..]] {
                scanner.feed(part, |frame| seen.push((frame.kind, frame.flags, frame.stream, frame.begin.to_vec())));
            }
            let expected =
                [(4, 0, 0, b"".to_vec()), (0, 1, 3, b"0123456789".to_vec()), (7, 0, 0, b"0123456789abcdef".to_vec())];
            assert_eq!(seen, expected, "{cut}");
            assert!(scanner.is_between());
        }
    }

    #[test]
    fn heads_last_from_their_first_frame_to_the_flag_that_ends_them() {
        let preface = [0; PREFACE];
        let whole = frame(HEADERS, END_HEADERS, 5, b"block");
        let open = frame(HEADERS, 1, 7, b"block");
        let goes_on = frame(CONTINUATION, 0, 7, b"more");
        let ends = frame(CONTINUATION, END_HEADERS, 7, b"");
        // (what came, whether a head is unfinished, blocks, the last stream)
        let rows: [(&[&[u8]], bool, u64, u32); 10] = [
            (&[], false, 0, 0),
            (&[&preface[..23]], true, 0, 0),
            (&[&preface], false, 0, 0),
            (&[&preface, &whole[..3]], false, 0, 0),
            (&[&preface, &whole[..4]], true, 0, 0),
            (&[&preface, &whole[..13]], true, 0, 0),
            (&[&preface, &whole], false, 1, 5),
            (&[&preface, &whole, &open, &goes_on], true, 1, 5),
            (&[&preface, &whole, &open, &goes_on, &ends[..5]], true, 1, 5),
            (&[&preface, &whole, &open, &goes_on, &ends, &frame(0, 0, 7, b"data")[..12]], false, 2, 7),
        ];
        for (parts, inside, blocks, last) in rows {
            let mut incoming = Incoming::default();
            incoming.feed(&parts.concat(), |_| {});
            let seen = (incoming.is_inside_head(), incoming.blocks(), incoming.last_stream());
            assert_eq!(seen, (inside, blocks, last), "{parts:?}");
        }
    }
}
