//! What happened, in order.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use odeon_test_history::{Event, What};
use tokio::time::Instant;

/// The list of events. Times are made unequal, so that their order is that of the list.
#[derive(Debug)]
pub(crate) struct Log {
    start: Instant,
    events: Mutex<Vec<Event>>,
}

impl Log {
    pub(crate) fn new(start: Instant) -> Self {
        Self { start, events: Mutex::default() }
    }

    pub(crate) fn add(&self, what: What) {
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let at = self.start.elapsed() + Duration::from_nanos(events.len() as u64);
        events.push(Event { at, what });
    }

    /// A point in time as events have it.
    pub(crate) fn time(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.start)
    }

    pub(crate) fn take(&self) -> Vec<Event> {
        std::mem::take(&mut self.events.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
