//! Tells when the calendar is not where passing time has brought it: somebody has set the clock,
//! or the machine slept (REM-15).
//!
//! Whoever waits for a time of the calendar sleeps until then and listens here, so one look now
//! and then serves all partitions of a host.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use odeon_base::WallClock;
use tokio::time::Instant;

use super::bell::{Bell, Listener};

/// More than two readings of two clocks are apart on a busy machine.
const TOLERANCE: Duration = Duration::from_millis(20);

/// Compares the calendar with the time that passes.
#[derive(Debug)]
pub(super) struct Calendar {
    wall: Arc<dyn WallClock>,
    /// Since when the one is measured by the other.
    began: (Instant, SystemTime),
    leapt: Bell,
}

impl Calendar {
    pub(super) fn new(wall: Arc<dyn WallClock>, now: Instant) -> Self {
        let began = (now, wall.now());
        Self { wall, began, leapt: Bell::default() }
    }

    /// Hears of each leap from now on.
    pub(super) fn listen(&self) -> Listener {
        self.leapt.listen()
    }

    /// Looks, and tells if it has leapt. Small steps are told of once they add up.
    pub(super) fn look(&mut self, now: Instant) {
        let (then, at) = self.began;
        let shown = self.wall.now();
        let passed = now.saturating_duration_since(then);
        let has_leapt = at.checked_add(passed).is_none_or(|expected| {
            let apart = shown.duration_since(expected).unwrap_or_else(|early| early.duration());
            apart > TOLERANCE
        });
        if has_leapt {
            self.began = (now, shown);
            self.leapt.ring();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use odeon_base::clock::ManualClock;

    use super::*;

    #[test]
    fn rem_15_a_leap_is_told_once_either_way() {
        let wall = Arc::new(ManualClock::at(Duration::from_secs(1_000)));
        let mut now = Instant::now();
        let mut calendar = Calendar::new(Arc::<ManualClock>::clone(&wall), now);
        let mut leapt = calendar.listen();
        let mut leaps = |passed, shown| {
            now += Duration::from_millis(passed);
            wall.advance(Duration::from_millis(shown));
            calendar.look(now);
            leapt.rung().now_or_never().is_some()
        };
        assert!(!leaps(1_000, 1_000), "in step");
        assert!(leaps(1_000, 61_000), "set forward, or the machine slept");
        assert!(!leaps(1_000, 1_000));
        assert!(leaps(30_000, 1_000), "set back");
        assert!(!leaps(0, 15), "two readings");
        assert!(leaps(1_000, 1_015), "a drift that adds up");
    }
}
