//! The kit's calendar: it runs with the test's time, and somebody may set it.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use odeon_base::WallClock;
use odeon_base::clock::TokioClock;

/// A calendar that can be set forward and back.
#[derive(Debug)]
pub(super) struct Calendar {
    runs: TokioClock,
    /// How far ahead of what runs, and how far behind.
    set: Mutex<(Duration, Duration)>,
}

impl Calendar {
    /// One that begins now.
    pub(super) fn start() -> Self {
        Self { runs: TokioClock::start(), set: Mutex::default() }
    }

    pub(super) fn set_forward(&self, by: Duration) {
        self.set.lock().unwrap_or_else(PoisonError::into_inner).0 += by;
    }

    pub(super) fn set_back(&self, by: Duration) {
        self.set.lock().unwrap_or_else(PoisonError::into_inner).1 += by;
    }
}

impl WallClock for Calendar {
    fn now(&self) -> SystemTime {
        let (ahead, behind) = *self.set.lock().unwrap_or_else(PoisonError::into_inner);
        WallClock::now(&self.runs) + ahead - behind
    }
}
