//! Answers that the h2 crate gives on its own: 431 where a field section is too large to be read (RFC 9113 section 10.5.1).
//! It tells nobody. They are seen by what goes out: every other answer has a date at least, these have a status alone.

use super::frames::{DATA, END_HEADERS, END_STREAM, Frame, HEADERS, KEPT, RST_STREAM};

/// Follows what goes out.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// Streams whose answer has begun and not ended: what comes of fields are trailers, which may be as short.
    begun: Vec<u32>,
}

impl Answers {
    /// Takes the next frame, and says whether it is a whole answer that has nothing but its status.
    pub(super) fn is_bare(&mut self, frame: &Frame<'_>) -> bool {
        let ends = frame.flags & END_STREAM != 0;
        match frame.kind {
            HEADERS if ends => !self.end(frame.stream) && frame.flags & END_HEADERS != 0 && has_one_field(frame.begin),
            HEADERS => {
                if !self.begun.contains(&frame.stream) {
                    self.begun.push(frame.stream);
                }
                false
            }
            DATA if ends => {
                self.end(frame.stream);
                false
            }
            RST_STREAM => {
                self.end(frame.stream);
                false
            }
            _ => false,
        }
    }

    /// A stream has ended, whoever ended it. Whether its answer had begun.
    pub(super) fn end(&mut self, stream: u32) -> bool {
        let found = self.begun.iter().position(|begun| *begun == stream);
        found.map(|index| self.begun.swap_remove(index)).is_some()
    }
}

/// Whether that is a whole field block with one field in it.
fn has_one_field(block: &[u8]) -> bool {
    block.len() < KEPT && fields(block) == Some(1)
}

/// How many fields a block has (RFC 7541 section 6); nothing when it breaks off.
fn fields(mut block: &[u8]) -> Option<usize> {
    let mut count = 0;
    while let Some(first) = block.first() {
        // What it begins with: the bits of its number, and whether strings follow that.
        let (bits, is_field, is_literal) = match first {
            0x80.. => (7, true, false),
            0x40.. => (6, true, true),
            // A new size of the table.
            0x20.. => (5, false, false),
            _ => (4, true, true),
        };
        let index;
        (index, block) = integer(block, bits)?;
        // A name that has no index is written out, too.
        let strings = if is_literal { 1 + usize::from(index == 0) } else { 0 };
        for _ in 0..strings {
            let length;
            (length, block) = integer(block, 7)?;
            block = block.get(length..)?;
        }
        count += usize::from(is_field);
    }
    Some(count)
}

/// A number whose first octet has so many bits of it (RFC 7541 section 5.1), and what follows it.
fn integer(bytes: &[u8], bits: u32) -> Option<(usize, &[u8])> {
    let (first, mut rest) = bytes.split_first()?;
    let most = (1_usize << bits) - 1;
    let mut value = usize::from(*first) & most;
    if value < most {
        return Some((value, rest));
    }
    for shift in [0, 7, 14] {
        let (next, after) = rest.split_first()?;
        rest = after;
        value += usize::from(next & 0x7f) << shift;
        if next & 0x80 == 0 {
            return Some((value, rest));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_blocks_are_counted() {
        let rows: [(&[u8], Option<usize>); 11] = [
            (&[], Some(0)),
            (&[0x88], Some(1)),
            // `:status: 431`, to be remembered, as it is and in Huffman's code; then as it was remembered.
            (b"\x48\x03431", Some(1)),
            (b"\x48\x83\x68\x4e\x07", Some(1)),
            (&[0xbe], Some(1)),
            // The table changes its size first.
            (&[0x20, 0x3f, 0xe1, 0x1f, 0xbe], Some(1)),
            // Remembered by neither side, and the same of a date.
            (b"\x18\x03431\x0f\x12\x01x", Some(2)),
            (&[0xbe, 0xbf], Some(2)),
            // A name that is written out.
            (b"\x00\x01a\x01b", Some(1)),
            (b"\x48\x03", None),
            (&[0xff, 0x80, 0x80, 0x80, 0x80], None),
        ];
        for (block, expected) in rows {
            assert_eq!(fields(block), expected, "{block:02x?}");
        }
    }

    #[test]
    fn trailers_are_no_answers_however_short() {
        const WHOLE: u8 = END_STREAM | END_HEADERS;
        let frame = |kind, flags, stream, begin| Frame { kind, flags, stream, begin };
        let begins = |stream| frame(HEADERS, END_HEADERS, stream, &[0x88, 0xbf]);
        let bare = |stream| frame(HEADERS, WHOLE, stream, &[0xbe]);
        // What goes out, what the peer ends then, and whether something bare that goes out then is an answer.
        let rows: [(&[Frame<'_>], u32, bool); 8] = [
            (&[], 0, true),
            (&[begins(1)], 0, false),
            (&[begins(1), begins(1), frame(DATA, 0, 1, b"x")], 0, false),
            (&[begins(3), begins(1), frame(DATA, END_STREAM, 3, b"x")], 0, false),
            // No stream is used again; that nothing is remembered of them is seen by it.
            (&[begins(1), frame(DATA, END_STREAM, 1, b"x")], 0, true),
            (&[begins(1), bare(1)], 0, true),
            (&[begins(1), frame(RST_STREAM, 0, 1, &[0; 4])], 0, true),
            (&[begins(1)], 1, true),
        ];
        for (number, (frames, ended, expected)) in rows.into_iter().enumerate() {
            let mut answers = Answers::default();
            assert!(frames.iter().all(|frame| !answers.is_bare(frame)), "{number}");
            answers.end(ended);
            assert_eq!(answers.is_bare(&bare(1)), expected, "{number}");
        }
        let cut = frame(HEADERS, END_STREAM, 1, &[0xbe]);
        assert!(!Answers::default().is_bare(&cut), "it goes on in another frame");
        assert!(!Answers::default().is_bare(&frame(HEADERS, WHOLE, 1, &[0xbe; KEPT])), "its end is not known");
    }
}
