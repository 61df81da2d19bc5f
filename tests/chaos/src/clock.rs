//! The one clock that all processes of a run share.

use std::time::Duration;

use odeon_base::LeaseClock as _;
use odeon_base::clock::SystemClock;

/// Time since the machine started, the same in every process of it.
#[must_use]
pub(crate) fn now() -> Duration {
    SystemClock.now()
}
