//! What turns send out, on its way into the inbox of their partition.
//!
//! The rows go into the store with the actor's own commit, whoever has the partition; afterwards
//! it is told, once at a time for all that was committed meanwhile. It looks by itself, too, so
//! what it is not told of comes later.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use odeon_base::backoff::Backoff;
use odeon_base::ident::Invalid;
use odeon_base::{ActorType, TaskKind, Tasks};
use odeon_runtime::effect::{Effect, Emitted, Stored};
use odeon_runtime::seams;
use odeon_runtime::store::{ActorScope, Key};
use odeon_runtime::{ActorRef, Engine, Error, Invocation, WeakEngine};

use super::actor::{partition_of, partition_ref, type_of};
use super::forms::{POST, Posting};
use super::{keep, letter};

/// Senders that wait to be told of, for each partition; it finds more by itself.
const TOLD_MAX: usize = 256;
/// How often it is told in vain before it is left alone.
const TRIES_MAX: u32 = 8;
/// Between two tries.
const AGAIN: Backoff = Backoff { first: Duration::from_millis(100), max: Duration::from_secs(5) };

/// The outbox of the actors of a host.
#[derive(Debug)]
pub struct Outbox {
    teller: Teller,
    tasks: Tasks,
    prefix: Arc<str>,
    partitions: u32,
}

/// Tells partitions what came for them.
#[derive(Clone)]
struct Teller {
    engine: WeakEngine,
    actor_type: ActorType,
    /// Of each partition that is being told: what came meanwhile.
    news: Arc<Mutex<BTreeMap<u32, News>>>,
}

impl fmt::Debug for Teller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Teller").field("of", &self.actor_type).finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct News {
    has_reminders: bool,
    senders: BTreeSet<Arc<str>>,
}

impl News {
    fn join(&mut self, other: Self) {
        self.has_reminders |= other.has_reminders;
        let room = TOLD_MAX.saturating_sub(self.senders.len());
        self.senders.extend(other.senders.into_iter().take(room));
    }
}

impl Outbox {
    /// That of the actors whose state is kept in this store; what it starts belongs to the tasks.
    ///
    /// # Errors
    /// The name's own when application and store make no name of a type.
    pub fn new(
        engine: &Engine,
        store: &str,
        partitions: u32,
        tasks: Tasks,
    ) -> Result<Self, Invalid> {
        let actor_type = type_of(&engine.config().app, store)?;
        let teller = Teller { engine: engine.downgrade(), actor_type, news: Arc::default() };
        let prefix = Arc::clone(&engine.config().state_prefix);
        Ok(Self { teller, tasks, prefix, partitions })
    }
}

impl seams::Outbox for Outbox {
    fn rows(&self, emitted: &Emitted<'_>, effects: Vec<Effect>) -> Vec<(Key, Bytes)> {
        let partition = partition_of(&emitted.actor.id, self.partitions);
        let scope = ActorScope {
            prefix: Arc::clone(&self.prefix),
            actor_type: self.teller.actor_type.as_str().into(),
            actor_id: partition.to_string().into(),
        };
        let rows = (0..).zip(effects).filter_map(|(n, effect)| {
            let (name, value) = letter::encode(emitted, n, effect)?;
            Some((Key::Actor(scope.clone(), name.into()), value))
        });
        rows.collect()
    }

    fn stored(&self, actor: &ActorRef, stored: Stored) {
        let partition = partition_of(&actor.id, self.partitions);
        let mut all = self.teller.news();
        let is_told = all.contains_key(&partition);
        let news = all.entry(partition).or_default();
        news.has_reminders |= stored.reminders > 0;
        if stored.calls > 0 && news.senders.len() < TOLD_MAX {
            news.senders.insert(letter::sender(actor));
        }
        drop(all);
        if !is_told {
            let (teller, stopping) = (self.teller.clone(), self.tasks.stopping().clone());
            self.tasks.spawn(TaskKind::Reminders, async move {
                tokio::select! {
                    biased;
                    () = stopping.cancelled() => {}
                    () = teller.tell_all(partition) => {}
                }
            });
        }
    }

    fn keep(&self, call: Invocation) -> BoxFuture<'_, Result<(), Error>> {
        async move {
            let engine = self.teller.engine.upgrade().ok_or(Error::Closed)?;
            keep::ask(&engine, &self.teller.actor_type, self.partitions, call).await
        }
        .boxed()
    }
}

impl Teller {
    fn news(&self) -> MutexGuard<'_, BTreeMap<u32, News>> {
        // Each section leaves it whole.
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells a partition until there is nothing more to tell. What it was not told is told again
    /// for a while, with what came since; then it is left to find that by itself.
    async fn tell_all(&self, partition: u32) {
        let mut failures = 0;
        loop {
            let news = {
                let mut all = self.news();
                match all.get_mut(&partition) {
                    Some(news) if news.has_reminders || !news.senders.is_empty() => {
                        std::mem::take(news)
                    }
                    _ => {
                        all.remove(&partition);
                        return;
                    }
                }
            };
            let Err(error) = self.tell(partition, &news).await else {
                failures = 0;
                continue;
            };
            tracing::debug!(partition, %error, "a partition was not told what came for it");
            failures += 1;
            if failures < TRIES_MAX {
                self.news().entry(partition).or_default().join(news);
                tokio::time::sleep(AGAIN.wait(failures - 1, 1.0)).await;
            }
        }
    }

    async fn tell(&self, partition: u32, news: &News) -> Result<(), Error> {
        let engine = self.engine.upgrade().ok_or(Error::Closed)?;
        let senders = news.senders.iter().map(|sender| sender.as_ref().to_owned()).collect();
        let told = Posting { reminders: news.has_reminders, senders, ..Posting::default() };
        let body = crate::json::bytes(&told)?;
        let actor = partition_ref(&self.actor_type, partition)?;
        engine.call(Invocation::new(actor, POST, body)).await.map(drop)
    }
}
