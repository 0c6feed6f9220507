//! Numbers that look random, and are the same each time.

/// Where they come from (xorshift).
pub(super) struct Dice(u64);

impl Dice {
    /// Zero would stay zero.
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.max(1))
    }

    /// One below the limit.
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % limit.max(1)
    }

    /// One time in so many it is one of the others.
    pub(super) fn usually<'a>(&mut self, usual: &'a str, others: &[&'a str], odds: u64) -> &'a str {
        if self.below(odds) == 0 { self.one_of(others) } else { usual }
    }

    /// Any of them.
    pub(super) fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        let index = self.below(of.len() as u64);
        of[usize::try_from(index).unwrap()]
    }
}
