//! Go's complex numbers, which only literals make.

/// A `complex128`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::template) struct Complex {
    pub(in crate::template) real: f64,
    pub(in crate::template) imaginary: f64,
}

impl Complex {
    /// Zero, of either sign.
    pub(in crate::template) const ZERO: Self = Self { real: 0.0, imaginary: 0.0 };
}
