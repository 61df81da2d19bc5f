//! Where a turn runs: beside the engine, or in a worker beside its host.
//!
//! The same few verbs for both, so that an actor need not know: read, commit, end,
//! and who is waiting. What a turn means to write is kept in `changes.rs`.

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::SystemTime;

use bytes::Bytes;
use odeon_runtime::ActorRef;
use odeon_runtime::turn::{Caller, Commit, Turn};

use crate::error::Cause;
use crate::page::{PAGE_MAX, Page};
use crate::remote::{Activation, Remote};
use crate::timer::Wish;
use crate::wire;

/// Where a turn runs.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place<'a> {
    /// In the process of the engine.
    Engine(&'a Turn),
    /// In a worker.
    Worker(&'a WorkerTurn<'a>),
}

/// What is to happen to the activation after the turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum After {
    /// It stays.
    Stay = 0,
    /// It ends, as if the actor had been idle.
    Deactivate = 1,
    /// Its memory is dropped without goodbye.
    Forget = 2,
}

/// A turn that a host gave to this worker.
#[derive(Debug)]
pub(crate) struct WorkerTurn<'a> {
    pub(crate) host: &'a Remote,
    pub(crate) actor: &'a ActorRef,
    /// The host's word for the activation, if it has one.
    activation: Option<Activation>,
    pub(crate) caller: Caller,
    pub(crate) now: SystemTime,
    after: AtomicU8,
}

impl<'a> WorkerTurn<'a> {
    pub(crate) fn new(
        host: &'a Remote,
        actor: &'a ActorRef,
        activation: Option<Activation>,
        caller: Caller,
        now: SystemTime,
    ) -> Self {
        Self { host, actor, activation, caller, now, after: AtomicU8::new(After::Stay as u8) }
    }

    /// What the turn has asked for.
    pub(crate) fn after(&self) -> After {
        match self.after.load(Ordering::Relaxed) {
            0 => After::Stay,
            1 => After::Deactivate,
            _ => After::Forget,
        }
    }
}

impl Place<'_> {
    pub(crate) fn actor(&self) -> &ActorRef {
        match self {
            Self::Engine(turn) => turn.actor(),
            Self::Worker(turn) => turn.actor,
        }
    }

    /// The caller to name in calls made from this turn.
    pub(crate) fn as_caller(&self) -> Caller {
        match self {
            Self::Engine(turn) => turn.as_caller(),
            // The host has put the actor's own hop into the chain already.
            Self::Worker(turn) => turn.caller.clone(),
        }
    }

    pub(crate) fn now(&self) -> SystemTime {
        match self {
            Self::Engine(turn) => turn.now(),
            Self::Worker(turn) => turn.now,
        }
    }

    pub(crate) async fn get(&self, key: &str) -> Result<Option<Bytes>, Cause> {
        match self {
            Self::Engine(turn) => Ok(turn.get(key).await?.map(|item| item.value)),
            Self::Worker(turn) => {
                turn.host.get_state(turn.actor, turn.activation.as_ref(), key).await
            }
        }
    }

    /// A page of the actor's keys; without values these are empty.
    pub(crate) async fn page(
        &self,
        prefix: &str,
        after: Option<&str>,
        has_values: bool,
    ) -> Result<Page<(String, Bytes)>, Cause> {
        match self {
            Self::Engine(turn) => {
                let page = turn.scan(prefix, after, PAGE_MAX).await?;
                let items = page.items.into_iter();
                Ok(Page {
                    items: items.map(|(key, item)| (key.name().to_owned(), item.value)).collect(),
                    next: page.next.map(|key| key.name().to_owned()),
                })
            }
            Self::Worker(turn) => {
                let activation = turn.activation.as_ref();
                turn.host.list_state(turn.actor, activation, (prefix, after), has_values).await
            }
        }
    }

    pub(crate) async fn commit(&self, commit: Commit) -> Result<(), Cause> {
        match self {
            Self::Engine(turn) => Ok(turn.commit(commit).await?),
            Self::Worker(turn) => {
                turn.host.commit(turn.actor, turn.activation.as_ref(), commit).await
            }
        }
    }

    /// Says what will be answered, before the commit. In a worker nobody needs to know: its host
    /// keeps an answer when it comes.
    pub(crate) fn will_answer(&self, body: &Bytes) {
        match self {
            Self::Engine(turn) => turn.will_answer(|| wire::reply(body.clone())),
            Self::Worker(_) => {}
        }
    }

    /// Sets or drops a timer.
    pub(crate) async fn wish(&self, wish: Wish) -> Result<(), Cause> {
        match (self, wish) {
            (Self::Engine(turn), Wish::Set { name, spec, data }) => {
                Ok(turn.set_timer(&name, &spec, &data)?)
            }
            (Self::Engine(turn), Wish::Drop { name }) => {
                turn.drop_timer(&name);
                Ok(())
            }
            (Self::Worker(turn), wish) => turn.host.wish(turn.actor, wish).await,
        }
    }

    /// Asks for what is to happen after the turn; the strongest wish counts.
    pub(crate) fn after(&self, after: After) {
        match (self, after) {
            (_, After::Stay) => {}
            (Self::Engine(turn), After::Deactivate) => turn.deactivate(),
            (Self::Engine(turn), After::Forget) => turn.end_activation(),
            (Self::Worker(turn), after) => {
                turn.after.fetch_max(after as u8, Ordering::Relaxed);
            }
        }
    }
}
