//! How long to wait before the next try: exponential, bounded, with jitter.

use std::time::Duration;

/// A schedule of growing waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The first wait.
    pub first: Duration,
    /// The longest wait.
    pub max: Duration,
}

impl Backoff {
    /// The wait before try `attempt` (0 is the first repetition), between half
    /// and the whole of the doubled wait; `fraction` is a random number from 0 to 1.
    #[must_use]
    pub fn wait(&self, attempt: u32, fraction: f64) -> Duration {
        let full = self.first.saturating_mul(2_u32.saturating_pow(attempt.min(31))).min(self.max);
        full.mul_f64(0.5 + fraction.clamp(0.0, 1.0) / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_limit() {
        let backoff = Backoff { first: Duration::from_millis(10), max: Duration::from_secs(1) };
        assert_eq!(backoff.wait(0, 1.0), Duration::from_millis(10));
        assert_eq!(backoff.wait(0, 0.0), Duration::from_millis(5));
        assert_eq!(backoff.wait(3, 1.0), Duration::from_millis(80));
        assert_eq!(backoff.wait(60, 1.0), Duration::from_secs(1));
    }
}
