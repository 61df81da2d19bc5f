//! Those who register reminders at the same time share a turn of the partition, and its commit.
//!
//! A host asks a partition for one such turn at a time. What its callers ask meanwhile gathers,
//! and goes into the next one together: without this each would wait for the commits of all
//! before it.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use odeon_base::{ActorType, Execution, TaskKind};
use odeon_runtime::{Caller, Engine, Error, Invocation};
use tokio::sync::oneshot;

use super::actor::partition_ref;
use super::forms::{REGISTER, Registration};
use super::partition::SHEETS_AT_ONCE;
use crate::json;

/// Bytes from which on a turn takes no more of them; one is at most as long as the body of a call.
const BYTES_AT_ONCE: usize = 1 << 20;
/// Callers of one host that wait for one partition; more are refused as by a mailbox that is full.
const WAITING_MAX: usize = 10_000;

/// What was asked of the partitions of a store, and is not answered yet.
#[derive(Clone)]
pub(super) struct Gather {
    engine: Engine,
    actor_type: ActorType,
    all: Arc<Mutex<Waiting>>,
}

#[derive(Debug, Default)]
struct Waiting {
    /// Counts who asked.
    count: u64,
    /// Of each partition that is being asked: what is to be asked next.
    queues: BTreeMap<u32, VecDeque<Asked>>,
}

#[derive(Debug)]
struct Asked {
    number: u64,
    form: Registration,
    tell: oneshot::Sender<Result<bool, Error>>,
}

impl fmt::Debug for Gather {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gather").field("of", &self.actor_type).finish_non_exhaustive()
    }
}

impl Gather {
    pub(super) fn new(engine: Engine, actor_type: ActorType) -> Self {
        Self { engine, actor_type, all: Arc::default() }
    }

    /// Registers a reminder in the partition that has it; `false` if one of its name stands and
    /// was not to be replaced.
    ///
    /// # Errors
    /// As [`Engine::call`]; [`Error::Arguments`] for a schedule that says no time.
    ///
    /// # Cancel safety
    /// It may be registered all the same, unless its turn has not been asked for yet.
    pub(super) async fn register(
        &self,
        partition: u32,
        form: Registration,
        caller: Caller,
    ) -> Result<bool, Error> {
        let (tell, told) = oneshot::channel();
        let number = self.enter(partition, form, tell)?;
        let told = match caller.deadline {
            Some(deadline) => tokio::time::timeout_at(deadline, told).await,
            None => Ok(told.await),
        };
        match told {
            Ok(Ok(answer)) => answer,
            // Whoever asks ends before its answers only where the host is stopped by force.
            Ok(Err(_)) => Err(Error::LeaseLost { execution: Execution::Maybe }),
            Err(_) => Err(self.too_late(partition, number)?),
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Each section leaves it whole.
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(
        &self,
        partition: u32,
        form: Registration,
        tell: oneshot::Sender<Result<bool, Error>>,
    ) -> Result<u64, Error> {
        let actor = partition_ref(&self.actor_type, partition)?;
        let mut waiting = self.waiting();
        waiting.count += 1;
        let number = waiting.count;
        let is_asked = waiting.queues.contains_key(&partition);
        let queue = waiting.queues.entry(partition).or_default();
        if queue.len() >= WAITING_MAX {
            let (actor_type, id, waiting) = (actor.actor_type, actor.id, queue.len());
            return Err(Error::MailboxFull { actor_type, id, waiting });
        }
        queue.push_back(Asked { number, form, tell });
        drop(waiting);
        if !is_asked {
            self.engine.tasks().spawn(TaskKind::Reminders, self.clone().ask_all(partition));
        }
        Ok(number)
    }

    /// Its time is up: whether that was before its turn was asked for.
    fn too_late(&self, partition: u32, number: u64) -> Result<Error, Error> {
        let actor = partition_ref(&self.actor_type, partition)?;
        let (actor_type, id) = (actor.actor_type, actor.id);
        let mut waiting = self.waiting();
        let mut queue = waiting.queues.get_mut(&partition);
        let at = queue.as_ref().and_then(|queue| queue.iter().position(|one| one.number == number));
        Ok(match (&mut queue, at) {
            (Some(queue), Some(at)) => {
                queue.remove(at);
                Error::QueueTimeout { actor_type, id }
            }
            _ => Error::TurnTimeout { actor_type, id },
        })
    }

    /// Asks the partition until nothing waits for it.
    async fn ask_all(self, partition: u32) {
        while let Some(mut batch) = self.next(partition) {
            let answers = match self.ask(partition, &batch).await {
                Ok(answers) if answers.is_empty() => Err(Error::Arguments(
                    "the partition answered nothing to who registers".to_owned(),
                )),
                other => other,
            };
            match answers {
                Ok(answers) => {
                    for answer in answers {
                        let Some(asked) = batch.pop_front() else { break };
                        // Who has left is not told.
                        let _ = asked.tell.send(answer.map_err(Error::Arguments));
                    }
                    self.put_back(partition, batch);
                }
                Err(error) => {
                    for asked in batch {
                        let _ = asked.tell.send(Err(error.clone()));
                    }
                }
            }
        }
    }

    /// What goes into one turn; nothing if nobody waits, and then nobody asks any more.
    fn next(&self, partition: u32) -> Option<VecDeque<Asked>> {
        let mut waiting = self.waiting();
        let queue = waiting.queues.get_mut(&partition)?;
        queue.retain(|asked| !asked.tell.is_closed());
        let mut bytes = 0;
        let fits = |asked: &&Asked| {
            bytes += asked.form.bytes();
            bytes <= BYTES_AT_ONCE
        };
        let count =
            queue.iter().take(SHEETS_AT_ONCE).take_while(fits).count().max(1).min(queue.len());
        if count == 0 {
            waiting.queues.remove(&partition);
            return None;
        }
        Some(queue.drain(..count).collect())
    }

    /// What there was no room for comes first in the next turn.
    fn put_back(&self, partition: u32, batch: VecDeque<Asked>) {
        if let Some(queue) = self.waiting().queues.get_mut(&partition) {
            batch.into_iter().rev().for_each(|asked| queue.push_front(asked));
        }
    }

    async fn ask(
        &self,
        partition: u32,
        batch: &VecDeque<Asked>,
    ) -> Result<Vec<Result<bool, String>>, Error> {
        let forms: Vec<&Registration> = batch.iter().map(|asked| &asked.form).collect();
        let actor = partition_ref(&self.actor_type, partition)?;
        let call = Invocation::new(actor, REGISTER, json::bytes(&forms)?);
        json::answer(&self.engine.call(call).await?.body)
    }
}
