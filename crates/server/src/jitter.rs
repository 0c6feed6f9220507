//! Waits that differ from server to server.

use std::time::Duration;

/// A tenth more or less, so that many servers do not ask at once.
pub(crate) fn jittered(interval: Duration) -> Duration {
    let mut random = [0_u8; 1];
    // Without randomness everybody asks at once, which is no reason not to ask.
    let _ = aws_lc_rs::rand::fill(&mut random);
    interval.mul_f64(0.9 + 0.2 * f64::from(random[0]) / 255.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_is_a_tenth() {
        for _ in 0..100 {
            let pause = jittered(Duration::from_secs(100)).as_secs_f64();
            assert!((89.9..=110.1).contains(&pause), "{pause}");
        }
    }
}
