//! The calendar that all hosts look at; somebody may set it.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use odeon_base::WallClock;
use odeon_base::clock::TokioClock;

/// The calendar of all hosts.
#[derive(Debug)]
pub(crate) struct Calendar {
    runs: TokioClock,
    /// By how much it was set forward, and the latest that it has shown.
    set: Mutex<(i64, Duration)>,
}

impl Calendar {
    pub(crate) fn start() -> Self {
        // It may be set back before its beginning, too.
        Self { runs: TokioClock::start(), set: Mutex::default() }
    }

    /// What it says, since 1970.
    pub(crate) fn time(&self) -> Duration {
        let runs = WallClock::now(&self.runs).duration_since(SystemTime::UNIX_EPOCH);
        let runs = runs.unwrap_or_default();
        let mut set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        let by = Duration::from_millis(set.0.unsigned_abs());
        let time = if set.0 < 0 { runs.saturating_sub(by) } else { runs + by };
        set.1 = set.1.max(time);
        time
    }

    /// The latest that it has said to anybody.
    pub(crate) fn latest(&self) -> Duration {
        self.time();
        self.set.lock().unwrap_or_else(PoisonError::into_inner).1
    }

    /// Sets it forward by so many milliseconds, or back.
    pub(crate) fn set_by(&self, millis: i64) {
        self.time();
        self.set.lock().unwrap_or_else(PoisonError::into_inner).0 += millis;
    }
}

impl WallClock for Calendar {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + self.time()
    }
}
