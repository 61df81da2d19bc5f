//! Time as something that is handed in.
//!
//! Elapsed time inside a turn is `tokio::time`, which a test can pause. Two other
//! clocks come through seams: the wall clock, because pausing tokio does not stop
//! the calendar, and the lease clock, because a lease must count the time in which
//! the machine slept (`design/ownership.md`, "Epoch, lease, fence").

use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// Calendar time: when state expires, when a reminder is due.
pub trait WallClock: Send + Sync + Debug {
    /// The time now.
    fn now(&self) -> SystemTime;
}

/// Elapsed time that goes on while the process is stopped or the machine sleeps.
pub trait LeaseClock: Send + Sync + Debug {
    /// Time since an arbitrary point, never going backwards.
    fn now(&self) -> Duration;
}

/// The machine's own clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl WallClock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the seam that everyone else goes through"
    )]
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

impl LeaseClock for SystemClock {
    /// Source: clock_gettime(2), `CLOCK_BOOTTIME` counts suspend; tokio's clock does not.
    fn now(&self) -> Duration {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
        let nanos = u32::try_from(now.tv_nsec).unwrap_or_default();
        Duration::new(seconds, nanos)
    }
}

/// A clock that a test moves by hand; serves as both kinds.
#[derive(Debug, Default)]
pub struct ManualClock {
    nanos: AtomicU64,
}

impl ManualClock {
    /// A clock that stands at `start`.
    #[must_use]
    pub fn at(start: Duration) -> Self {
        let clock = Self::default();
        clock.advance(start);
        clock
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        let nanos = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        self.nanos.fetch_add(nanos, Ordering::SeqCst);
    }

    fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.nanos.load(Ordering::SeqCst))
    }
}

impl WallClock for ManualClock {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + self.elapsed()
    }
}

impl LeaseClock for ManualClock {
    fn now(&self) -> Duration {
        self.elapsed()
    }
}

/// A lease clock that follows `tokio::time`, so that paused time moves leases too.
#[derive(Debug)]
pub struct TokioClock {
    start: tokio::time::Instant,
}

impl TokioClock {
    /// A clock that begins now.
    #[must_use]
    pub fn start() -> Self {
        Self { start: tokio::time::Instant::now() }
    }
}

impl LeaseClock for TokioClock {
    fn now(&self) -> Duration {
        self.start.elapsed()
    }
}

impl WallClock for TokioClock {
    /// Begins at one billion seconds after the epoch, so that nothing is due before the start.
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000) + self.start.elapsed()
    }
}
