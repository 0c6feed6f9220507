//! Frames of HTTP/2 (RFC 9113 section 4.1) and field blocks of literals alone (RFC 7541 section 6.2.3), as bytes.

use std::io::{self, Read};

/// What a client says first (RFC 9113 section 3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The type of frames with payload.
pub const DATA: u8 = 0;
/// The type of those that begin a field block.
pub const HEADERS: u8 = 1;
/// The type of those about priority.
pub const PRIORITY: u8 = 2;
/// The type of those that end a stream.
pub const RST_STREAM: u8 = 3;
/// The type of those with settings.
pub const SETTINGS: u8 = 4;
/// The type of those that servers announce streams with.
pub const PUSH_PROMISE: u8 = 5;
/// The type of those that are sent back.
pub const PING: u8 = 6;
/// The type of those that end a connection.
pub const GOAWAY: u8 = 7;
/// The type of those that ask for more.
pub const WINDOW_UPDATE: u8 = 8;
/// The type of those that go on with a field block.
pub const CONTINUATION: u8 = 9;

/// The flag of the last frame of a stream.
pub const END_STREAM: u8 = 1;
/// The flag of what answers settings and pings.
pub const ACK: u8 = 1;
/// The flag of the last frame of a field block.
pub const END_HEADERS: u8 = 4;

// Error codes (section 7).
/// The rules of the protocol are broken.
pub const PROTOCOL_ERROR: u32 = 1;
/// More was sent than was asked for.
pub const FLOW_CONTROL_ERROR: u32 = 3;
/// A frame has the wrong length.
pub const FRAME_SIZE_ERROR: u32 = 6;
/// The stream is not needed any more.
pub const CANCEL: u32 = 8;
/// The peer costs too much.
pub const ENHANCE_YOUR_CALM: u32 = 11;

/// A frame as it came.
#[derive(Debug)]
pub struct Frame {
    /// Its type.
    pub kind: u8,
    /// Its flags.
    pub flags: u8,
    /// The stream it is of; 0 for the connection.
    pub stream: u32,
    /// Everything behind the first 9 octets.
    pub payload: Vec<u8>,
}

impl Frame {
    /// The next frame.
    pub fn read(reader: &mut impl Read) -> io::Result<Self> {
        let mut head = [0; 9];
        reader.read_exact(&mut head)?;
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        reader.read_exact(&mut payload)?;
        let stream = u32::from_be_bytes([head[5] & 0x7f, head[6], head[7], head[8]]);
        Ok(Self { kind: head[3], flags: head[4], stream, payload })
    }

    /// Whether it has a flag.
    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// The number at a place of the payload: an error code, an increment.
    pub fn number(&self, at: usize) -> u32 {
        self.payload[at..at + 4].iter().fold(0, |number, byte| number << 8 | u32::from(*byte))
    }

    /// The status that a field block begins with. The peer was told to keep no table, so it writes either an entry of
    /// the static one, or its name and three digits.
    pub fn status(&self) -> u16 {
        let mut block = &self.payload[..];
        while block[0] & 0xe0 == 0x20 {
            // A change of the table's size.
            block = &block[1 + usize::from(block[0] == 0x3f)..];
        }
        match block {
            [0x88, ..] => 200,
            [0x89, ..] => 204,
            [0x8a, ..] => 206,
            [0x8b, ..] => 304,
            [0x8c, ..] => 400,
            [0x8d, ..] => 404,
            [0x8e, ..] => 500,
            [0x08 | 0x18 | 0x48, 0x03, digits @ ..] => std::str::from_utf8(&digits[..3]).unwrap().parse().unwrap(),
            [0x08 | 0x18 | 0x48, length, code @ ..] => huffman_digits(&code[..usize::from(length & 0x7f)]),
            other => panic!("no status: {other:02x?}"),
        }
    }
}

/// Three digits in the code of RFC 7541 appendix B.
fn huffman_digits(code: &[u8]) -> u16 {
    let bits = code.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (32 - 8 * code.len());
    let (mut number, mut at) = (0, 0);
    for _ in 0..3 {
        let five = bits << at >> 27;
        let (digit, length) = if five < 3 { (five, 5) } else { ((bits << at >> 26) - 0x16, 6) };
        number = number * 10 + u16::try_from(digit).unwrap();
        at += length;
    }
    number
}

/// A frame.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// A whole field section in one frame.
pub fn headers(stream: u32, flags: u8, fields: &[(&str, &str)]) -> Vec<u8> {
    frame(HEADERS, flags | END_HEADERS, stream, &block(fields))
}

/// A frame with payload.
pub fn data(stream: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    frame(DATA, flags, stream, payload)
}

/// The end of a stream, by its caller.
pub fn reset(stream: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &CANCEL.to_be_bytes())
}

/// Asks for more.
pub fn window_update(stream: u32, increment: u32) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, stream, &increment.to_be_bytes())
}

/// Settings by number (section 6.5.2).
pub fn settings(values: &[(u16, u32)]) -> Vec<u8> {
    let entry = |(name, value): &(u16, u32)| [&name.to_be_bytes()[..], &value.to_be_bytes()].concat();
    frame(SETTINGS, 0, 0, &values.iter().flat_map(entry).collect::<Vec<_>>())
}

/// Fields as literals that are never indexed. Characters are octets, so nothing that could be sent cannot be written.
pub fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in fields {
        bytes.push(0x10);
        for text in [name, value] {
            let octets: Vec<u8> = text.chars().map(|octet| u8::try_from(u32::from(octet)).unwrap()).collect();
            push_length(&mut bytes, octets.len());
            bytes.extend(octets);
        }
    }
    bytes
}

/// An integer with a prefix of seven bits (RFC 7541 section 5.1).
fn push_length(bytes: &mut Vec<u8>, length: usize) {
    if length < 127 {
        return bytes.push(u8::try_from(length).unwrap());
    }
    bytes.push(127);
    let mut rest = length - 127;
    while rest >= 128 {
        bytes.push(u8::try_from(rest % 128).unwrap() | 128);
        rest /= 128;
    }
    bytes.push(u8::try_from(rest).unwrap());
}
