//! Timers: an actor sets one whenever a reminder comes, and knows which are its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use odeon_runtime::schedule::TimerSpec;
use odeon_runtime::{Error, Turn};
use odeon_test_history::What;
use tokio::time::Instant;

use crate::world::World;

/// When each timer of an activation was set, and after how long it comes next at the earliest.
#[derive(Debug, Default)]
pub(crate) struct Timers(BTreeMap<u64, (Instant, Duration)>);

impl Timers {
    /// Sets one that is named by its turn; some come again and again.
    pub(crate) fn set(&mut self, turn: &Turn, number: u64) -> Result<(), Error> {
        let due = Duration::from_millis(20 + number % 1_900);
        let is_repeated = number.is_multiple_of(3);
        let [due_time, callback] = [format!("{}ms", due.as_millis()), "timed".to_owned()];
        let [period, ttl] = if is_repeated { ["700ms", "5s"] } else { [""; 2] }.map(str::to_owned);
        let spec = TimerSpec { due_time, period, ttl, callback, ..TimerSpec::default() };
        turn.set_timer(&number.to_string().into(), &Arc::new(spec), &Bytes::new())?;
        self.0.insert(number, (Instant::now(), due));
        Ok(())
    }

    /// One came: what is known of it is told.
    pub(crate) fn came(&mut self, world: &World, turn: u64, name: &str) {
        let timer = name.parse().unwrap_or_default();
        let known = self.0.get_mut(&timer);
        let since = known.as_ref().map(|(set, _)| set.elapsed());
        let due = known.map_or(Duration::ZERO, |(_, due)| {
            let this = *due;
            // What was late goes back to its grid, so the next is a whole period later or more.
            *due = this + Duration::from_millis(700);
            this
        });
        world.log.add(What::Timed { timer, turn, since, due });
    }
}
