//! How long requests took. For information only: nothing is asserted of it.

use std::time::Duration;

/// A number of times.
#[derive(Clone, Debug, Default)]
pub struct Latencies {
    micros: Vec<u32>,
}

impl Latencies {
    /// Adds one.
    pub fn note(&mut self, latency: Duration) {
        self.micros.push(u32::try_from(latency.as_micros()).unwrap_or(u32::MAX));
    }

    /// Adds others.
    pub fn add(&mut self, other: Self) {
        self.micros.extend(other.micros);
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.micros.len()
    }

    /// The times that these shares of all were below, in order, such as 0.5 and 0.99; nought when there are none.
    pub fn quantiles<const N: usize>(&self, shares: [f64; N]) -> [Duration; N] {
        let mut sorted = self.micros.clone();
        sorted.sort_unstable();
        shares.map(|share| {
            let place = (share * sorted.len() as f64) as usize;
            let micros = sorted.get(place.min(sorted.len().saturating_sub(1))).copied().unwrap_or(0);
            Duration::from_micros(micros.into())
        })
    }
}
