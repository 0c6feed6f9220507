//! How Go writes integers: what stands in front of the digits says their base.

/// The base of a number without its sign, and its digits: `0x1f`, `0o17`, `017`, `0b101`, `10`. What follows the prefix need
/// not be digits.
pub fn radix(unsigned: &str) -> (u32, &str) {
    match unsigned.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &unsigned[2..]),
        [b'0', b'o' | b'O', ..] => (8, &unsigned[2..]),
        [b'0', b'b' | b'B', ..] => (2, &unsigned[2..]),
        [b'0', _, ..] => (8, &unsigned[1..]),
        _ => (10, unsigned),
    }
}
