//! Delivers what is due: between the turns of its partition, for a system actor's turn may not
//! wait for an application's.
//!
//! Lives as long as the activation of the partition. What it has under way when that ends goes
//! on, and is told to whoever has the partition then.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use odeon_base::backoff::Backoff;
use odeon_base::{Entropy, Execution, TaskKind, Tasks, WallClock};
use odeon_runtime::schedule::Progress;
use odeon_runtime::{ActorRef, CallKind, Error, Headers, Invocation, WeakEngine};
use tokio_util::sync::CancellationToken;

use super::book::{Due, Firing};
use super::forms::{Ended, READ, SETTLE, Settling};
use super::name::Name;
use super::partition::{Shared, pause};

/// How often the clock is looked at while something waits: it may have been set (REM-15).
const LOOK: Duration = Duration::from_secs(1);
/// Between two deliveries that came to nothing, and two tries to write down how one ended.
const AGAIN: Backoff = Backoff { first: Duration::from_millis(100), max: Duration::from_secs(5) };

/// What delivers for one activation of a partition.
#[derive(Debug, Clone)]
pub(super) struct Courier {
    pub(super) engine: WeakEngine,
    pub(super) partition: ActorRef,
    pub(super) shared: Arc<Shared>,
    pub(super) tasks: Tasks,
    pub(super) wall: Arc<dyn WallClock>,
    pub(super) entropy: Arc<Entropy>,
    /// When the activation ends.
    pub(super) end: CancellationToken,
}

impl Courier {
    /// Delivers until the activation ends, or the host stops.
    pub(super) async fn run(self) {
        let stopping = self.tasks.stopping().clone();
        tokio::select! {
            biased;
            () = stopping.cancelled() => {}
            () = self.deliver_all() => {}
        }
    }

    async fn deliver_all(&self) {
        let mut failures = 0;
        loop {
            let (due, wants) = {
                let mut book = self.shared.book();
                (book.due(self.now()), book.wants(self.now()))
            };
            for due in due {
                let (courier, stopping) = (self.clone(), self.tasks.stopping().clone());
                self.tasks.spawn(TaskKind::Reminders, async move {
                    tokio::select! {
                        biased;
                        () = stopping.cancelled() => {}
                        () = courier.take(due) => {}
                    }
                });
            }
            let mut wait = pause(self.shared.book().next(), self.now()).unwrap_or(LOOK).min(LOOK);
            if wants {
                match self.ask(READ, Bytes::new()).await {
                    Ok(()) => (failures, wait) = (0, Duration::ZERO),
                    Err(error) => {
                        tracing::warn!(partition = %self.partition.id.as_str(), %error, "reminders cannot be read now");
                        wait = wait.max(AGAIN.wait(failures, self.entropy.fraction()));
                        failures += 1;
                    }
                }
            }
            tokio::select! {
                biased;
                () = self.end.cancelled() => return,
                () = self.shared.changed.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp::try_from(self.wall.now()).unwrap_or_default()
    }

    /// A turn of the own partition, wherever it is.
    async fn ask(&self, method: &str, body: Bytes) -> Result<(), Error> {
        let Some(engine) = self.engine.upgrade() else { return Err(Error::Closed) };
        engine.call(Invocation::new(self.partition.clone(), method, body)).await.map(drop)
    }

    async fn take(self, due: Due) {
        let (name, told) = match due {
            Due::Over(name, generation) => {
                let told = telling(&name, generation, None, Ended::Over);
                (name, Some(told))
            }
            Due::Fire(firing) => {
                let told = self.deliver(&firing).await;
                if told.is_none() {
                    let wait = |n| AGAIN.wait(n, self.entropy.fraction());
                    let now = self.now();
                    self.shared.book().returned(&firing.name, firing.generation, now, wait);
                }
                (firing.name, told)
            }
        };
        if let Some(told) = told {
            self.tell(told).await;
        }
        self.shared.book().landed(&name, self.now());
        self.shared.changed.notify_one();
    }

    /// Calls the actor. Nothing comes back if it was certainly not begun: that uses up no
    /// attempt (REM-6).
    async fn deliver(&self, firing: &Firing) -> Option<Settling> {
        let Firing { name, generation, at, data } = firing;
        let (actor_type, id, reminder) = name.parts();
        let engine = self.engine.upgrade()?;
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

    /// Has it written down how a delivery ended. Whoever has the partition by now delivers again
    /// what it was not told of.
    async fn tell(&self, told: Settling) {
        let Ok(body) = serde_json::to_vec(&told) else { return };
        let body = Bytes::from(body);
        for attempt in 0.. {
            match self.ask(SETTLE, body.clone()).await {
                Ok(()) => return,
                Err(error) if self.end.is_cancelled() => {
                    tracing::debug!(%error, "a delivery is not written down, and will be repeated");
                    return;
                }
                Err(_) => {}
            }
            tokio::select! {
                biased;
                () = self.end.cancelled() => {}
                () = tokio::time::sleep(AGAIN.wait(attempt, self.entropy.fraction())) => {}
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
