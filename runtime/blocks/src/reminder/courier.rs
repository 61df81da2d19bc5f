//! Delivers what is due: between the turns of its partition, for a system actor's turn may not
//! wait for an application's.
//!
//! Lives as long as the activation of the partition. What it has under way when that ends goes
//! on, and is told to whoever has the partition then.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use odeon_base::{Execution, WallClock};
use odeon_runtime::schedule::Progress;
use odeon_runtime::{ActorRef, CallKind, Error, Headers, Invocation};

use super::bell::Listener;
use super::book::{Due, Firing};
use super::forms::{Ended, READ, SETTLE, Settling};
use super::name::Name;
use super::partition::pause;
use super::rounds::{FAR, Rounds};

/// What delivers for one activation of a partition.
#[derive(Debug, Clone)]
pub(super) struct Courier {
    pub(super) rounds: Rounds,
    pub(super) wall: Arc<dyn WallClock>,
}

impl Courier {
    /// Delivers until the activation ends. The clock may be set meanwhile, and is looked at again
    /// when it `leapt` (REM-15).
    pub(super) async fn run(self, mut leapt: Listener) {
        let mut failures = 0;
        loop {
            let (due, wants) = {
                let mut book = self.rounds.shared.book();
                (book.due(self.now()), book.wants(self.now()))
            };
            for due in due {
                self.rounds.spawn(self.clone().take(due));
            }
            let next = self.rounds.shared.book().next();
            // Without a time of its own it is told when something has landed.
            let mut wait = pause(next, self.now()).unwrap_or(FAR).min(FAR);
            if wants {
                match self.rounds.ask(READ, &()).await {
                    Ok(_) => (failures, wait) = (0, Duration::ZERO),
                    Err(error) => {
                        tracing::warn!(partition = self.rounds.partition.id.as_str(), %error, "reminders cannot be read now");
                        wait = wait.max(self.rounds.wait(failures));
                        failures += 1;
                    }
                }
            }
            tokio::select! {
                biased;
                () = self.rounds.end.cancelled() => return,
                () = self.rounds.shared.changed.notified() => {}
                () = leapt.rung() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp::try_from(self.wall.now()).unwrap_or_default()
    }

    async fn take(self, due: Due) {
        let shared = &self.rounds.shared;
        let (name, told) = match due {
            Due::Over(name, generation) => {
                let told = telling(&name, generation, None, Ended::Over);
                (name, told)
            }
            Due::Fire(firing) => match self.deliver(&firing).await {
                Some(told) => (firing.name, told),
                None => {
                    let (now, wait) = (self.now(), |n| self.rounds.wait(n));
                    shared.book().returned(&firing.name, firing.generation, now, wait);
                    return self.land(&[firing.name]);
                }
            },
        };
        if let Some((_, told)) = shared.end(name, told) {
            self.tell(&[told]).await;
        }
    }

    /// Calls the actor. Nothing comes back if it was certainly not begun: that uses up no
    /// attempt (REM-6).
    async fn deliver(&self, firing: &Firing) -> Option<Settling> {
        let Firing { name, generation, at, data } = firing;
        let (actor_type, id, reminder) = name.parts();
        let engine = self.rounds.engine.upgrade()?;
        // What stands in a row has been parsed before.
        let actor = ActorRef::parse(actor_type, id).ok()?;
        let mut headers = Headers::new();
        headers.push("odeon-reminder-scheduled", at.due.to_string());
        headers.push("odeon-reminder-attempt", at.failures.saturating_add(1).to_string());
        headers.push("odeon-reminder-tick", at.tick.to_string());
        headers.push("odeon-reminder-missed", at.missed.to_string());
        let call = Invocation {
            kind: CallKind::Reminder,
            headers,
            ..Invocation::new(actor, reminder, data.clone())
        };
        let error = match engine.call(call).await {
            Ok(reply) => {
                let ended = if reply.is_last { Ended::Cancelled } else { Ended::Done };
                return Some(telling(name, *generation, Some(firing), ended));
            }
            Err(error) => error,
        };
        if is_undelivered(&error) {
            tracing::debug!(actor_type, actor_id = id, reminder, %error, "a reminder was not delivered");
            return None;
        }
        tracing::warn!(
            actor_type, actor_id = id, reminder, tick = at.tick, %error,
            "the callback of a reminder failed"
        );
        let failed = telling(name, *generation, Some(firing), Ended::Failed);
        Some(Settling { error: Some(error.to_string()), ..failed })
    }

    /// Has it written down how deliveries ended, all together that ended meanwhile, until the
    /// activation ends.
    pub(super) async fn write_down(self) {
        loop {
            let is_last = self.rounds.end.is_cancelled();
            let ended = self.rounds.shared.ended(is_last);
            if !ended.is_empty() {
                let (names, told): (Vec<_>, Vec<_>) = ended.into_iter().unzip();
                self.tell(&told).await;
                self.land(&names);
            } else if !is_last {
                tokio::select! {
                    biased;
                    () = self.rounds.end.cancelled() => {}
                    () = self.rounds.shared.has_ended.notified() => {}
                }
            }
            if is_last {
                return;
            }
        }
    }

    /// Nothing is under way for these any more.
    fn land(&self, names: &[Name]) {
        let now = self.now();
        let mut book = self.rounds.shared.book();
        names.iter().for_each(|name| book.landed(name, now));
        drop(book);
        self.rounds.shared.changed.notify_one();
    }

    /// Tells the partition, wherever it is by now. Whoever has it when this activation has ended
    /// delivers again what it was not told of.
    async fn tell(&self, told: &[Settling]) {
        for attempt in 0.. {
            match self.rounds.ask(SETTLE, &told).await {
                Ok(_) => return,
                Err(error) if self.rounds.end.is_cancelled() => {
                    tracing::debug!(%error, "deliveries are not written down, and will be repeated");
                    return;
                }
                Err(_) => {}
            }
            tokio::select! {
                biased;
                () = self.rounds.end.cancelled() => {}
                () = tokio::time::sleep(self.rounds.wait(attempt)) => {}
            }
        }
    }
}

fn telling(name: &Name, generation: u64, firing: Option<&Firing>, ended: Ended) -> Settling {
    let (actor_type, id, reminder) = name.parts();
    // What is over is so whatever tick it is at.
    let (tick, due, failures, missed) = firing.map_or((u32::MAX, 0, 0, 0), |firing| {
        let Progress { tick, due, failures, missed, .. } = firing.at;
        (tick, due.as_millisecond(), failures, missed)
    });
    Settling {
        r#type: actor_type.to_owned(),
        id: id.to_owned(),
        name: reminder.to_owned(),
        generation,
        tick,
        due,
        failures,
        missed,
        ended,
        error: None,
    }
}

/// Whether the application has certainly not seen it, and may yet.
fn is_undelivered(error: &Error) -> bool {
    let is_refused = matches!(
        error,
        Error::NoMethod { .. } | Error::Arguments(_) | Error::Name(_) | Error::SystemWaits { .. }
    );
    error.execution() == Execution::None && !is_refused
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    // REM-7: found by the simulation, where the second try of a late tick told of none before it.
    #[test]
    fn how_a_delivery_ended_is_told_of_the_tick_as_it_was() {
        let name = Name::new(&ActorRef::parse("Order", "1").unwrap(), "pay").unwrap();
        let due = Timestamp::from_millisecond(1_700_000_000_123).unwrap();
        let at = Progress { tick: 3, due, failures: 1, missed: 2, again: None };
        let firing = Firing { name: name.clone(), generation: 7, at, data: Bytes::new() };
        let told = telling(&name, 7, Some(&firing), Ended::Failed);
        assert_eq!(told.at(), at);
        let told: Settling = serde_json::from_slice(&serde_json::to_vec(&told).unwrap()).unwrap();
        assert_eq!(told.at(), at);
    }
}
