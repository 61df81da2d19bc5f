//! A turn as the code that runs in it sees it.
//!
//! Who the actor is, who is waiting, until when, and the actor's state. How the
//! turn came about and how it ends is not known here.

use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use odeon_base::{Execution, Fence};
use tokio::time::Instant;

use crate::effect::Effect;
use crate::error::Error;
use crate::invocation::{ActorRef, Awaits, Call, CallChain, CallKind, Invocation, Reply, TurnKind};
use crate::once::{Once, Stored};
use crate::schedule::TimerSpec;
use crate::store::{self, Condition, Expiry, Item, Page};

/// One write to an actor's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Stores a value.
    Set {
        /// The key.
        name: Arc<str>,
        /// The value.
        value: Bytes,
        /// When the write is allowed.
        condition: Condition,
        /// For how long it is kept.
        expiry: Expiry,
    },
    /// Removes a value.
    Remove {
        /// The key.
        name: Arc<str>,
        /// When the removal is allowed.
        condition: Condition,
    },
}

impl Change {
    /// Stores a value without condition, for ever.
    #[must_use]
    pub fn set(name: &str, value: impl Into<Bytes>) -> Self {
        Self::Set {
            name: name.into(),
            value: value.into(),
            condition: Condition::None,
            expiry: Expiry::Never,
        }
    }

    /// Removes a value without condition.
    #[must_use]
    pub fn remove(name: &str) -> Self {
        Self::Remove { name: name.into(), condition: Condition::None }
    }

    /// The key it is about.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        match self {
            Self::Set { name, .. } | Self::Remove { name, .. } => name,
        }
    }
}

/// What a turn commits at once: what it writes, and what it sends out with that.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Commit {
    /// Writes to the actor's own state.
    pub changes: Vec<Change>,
    /// What is carried out once they are committed, and only then (ST-7, DX-2).
    pub effects: Vec<Effect>,
}

impl Commit {
    /// Whether there is nothing to commit.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.effects.is_empty()
    }
}

impl From<Vec<Change>> for Commit {
    fn from(changes: Vec<Change>) -> Self {
        Self { changes, effects: Vec::new() }
    }
}

/// A method that was declared to write nothing wants to write (REE-5).
pub(crate) fn only_reads(actor: &ActorRef) -> Error {
    let reason = format!(
        "a method that is listed in readOnlyMethods of actor type '{}' may not write state",
        actor.actor_type
    );
    Error::Store(store::Error::Invalid { reason })
}

/// What a commit now has to say of a call that is to run only once.
pub(crate) fn record_of(once: &Once) -> (Change, Stored) {
    let (value, stored) = once.record();
    let expiry = Expiry::After(once.ttl());
    let name = Arc::clone(once.name());
    (Change::Set { name, value, condition: Condition::None, expiry }, stored)
}

/// Who calls, as far as the engine has to know.
#[derive(Debug, Clone, Default)]
pub struct Caller {
    /// When the caller stops waiting (TURN-7).
    pub deadline: Option<Instant>,
    /// Who is waiting for this call.
    pub chain: CallChain,
}

impl Caller {
    /// Whoever makes a call: as long as it takes to be let in, a turn above does wait.
    pub(crate) fn of(call: &Invocation) -> Self {
        Self { deadline: call.deadline, chain: call.chain.clone() }
    }
}

/// What a turn needs of its activation.
pub(crate) trait Port: Any + Send + Sync + Debug {
    fn actor(&self) -> &ActorRef;
    fn fence(&self) -> Fence;
    fn hop(&self) -> u64;
    fn is_reentrant(&self) -> bool;
    fn read(
        self: Arc<Self>,
        keys: Vec<Arc<str>>,
    ) -> BoxFuture<'static, Result<Vec<Option<Item>>, Error>>;
    fn scan(
        self: Arc<Self>,
        starts_with: Arc<str>,
        after: Option<Arc<str>>,
        limit: usize,
    ) -> BoxFuture<'static, Result<Page, Error>>;
    fn read_own(self: Arc<Self>, name: Arc<str>)
    -> BoxFuture<'static, Result<Option<Item>, Error>>;
    fn commit(
        self: Arc<Self>,
        commit: Commit,
        own: Vec<Change>,
    ) -> BoxFuture<'static, Result<(), Error>>;
    fn end(&self, forget: bool);
    fn set_timer(&self, name: &Arc<str>, spec: &Arc<TimerSpec>, data: &Bytes) -> Result<(), Error>;
    fn drop_timer(&self, name: &str);
    fn is_live(&self) -> bool;
    fn engine(&self) -> Option<Arc<dyn Any + Send + Sync>>;
    fn wall(&self) -> std::time::SystemTime;
}

/// Whether a turn may still commit and answer, for whoever watches it from outside.
#[derive(Debug, Clone)]
pub struct Right {
    port: Arc<dyn Port>,
}

impl Right {
    /// Whether it still may: its lease runs and nobody has cut it. What comes after the
    /// turn's end says nothing about it any more.
    #[must_use]
    pub fn stands(&self) -> bool {
        self.port.is_live()
    }
}

/// One call being run.
#[derive(Debug)]
pub struct Turn {
    port: Arc<dyn Port>,
    caller: Caller,
    /// What its commits have to say of the call, if that is to run only once.
    once: Option<Arc<Once>>,
    /// It may not write.
    is_read_only: bool,
}

impl Turn {
    pub(crate) fn new(port: Arc<dyn Port>, caller: Caller) -> Self {
        Self { port, caller, once: None, is_read_only: false }
    }

    /// The same turn, which may not write.
    pub(crate) fn read_only(self) -> Self {
        Self { is_read_only: true, ..self }
    }

    /// Whether its method was declared to write nothing (REE-5).
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.is_read_only
    }

    /// The same turn, whose commits carry the record of its call.
    pub(crate) fn only_once(&self, once: &Arc<Once>) -> Self {
        let (port, caller) = (Arc::clone(&self.port), self.caller.clone());
        Self { port, caller, once: Some(Arc::clone(once)), is_read_only: self.is_read_only }
    }

    /// Whether another turn of the actor waits for this one.
    pub(crate) fn is_inside_itself(&self) -> bool {
        self.caller.chain.hops().contains(&self.port.hop())
    }

    pub(crate) async fn read_own(&self, name: &Arc<str>) -> Result<Option<Item>, Error> {
        Arc::clone(&self.port).read_own(Arc::clone(name)).await
    }

    /// The activation, for whoever knows what it is.
    pub(crate) fn port(&self) -> &(dyn Any + Send + Sync) {
        &*self.port
    }

    /// Whose turn it is.
    #[must_use]
    pub fn actor(&self) -> &ActorRef {
        self.port.actor()
    }

    /// Names the activation whose turn it is, among all that its actor ever had. Code in
    /// another process shows it with its state calls ([`crate::Engine::write_state`]).
    #[must_use]
    pub fn activation(&self) -> Fence {
        self.port.fence()
    }

    /// The turn's right to commit and answer, as something that can be kept and asked.
    #[must_use]
    pub fn right(&self) -> Right {
        Right { port: Arc::clone(&self.port) }
    }

    /// The chain for calls made from this turn: the caller's, and this actor below it.
    #[must_use]
    pub fn chain(&self) -> CallChain {
        let is_of_system = self.actor().actor_type.is_system();
        self.caller.chain.below(self.port.hop()).made_by(is_of_system)
    }

    /// The id that lets calls of this chain join the turn, if the type is reentrant.
    #[must_use]
    pub fn reentrancy(&self) -> Option<&Arc<str>> {
        self.caller.chain.reentrancy.as_ref().filter(|_| self.port.is_reentrant())
    }

    /// When the caller stops waiting, if it said so.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.caller.deadline
    }

    /// The caller to name in calls made from this turn.
    #[must_use]
    pub fn as_caller(&self) -> Caller {
        Caller { deadline: self.caller.deadline, chain: self.chain() }
    }

    /// The time of the calendar.
    #[must_use]
    pub fn now(&self) -> std::time::SystemTime {
        self.port.wall()
    }

    /// Reads one key of the actor's state.
    ///
    /// # Errors
    /// [`Error::Fenced`] when a newer activation has the state, [`Error::NoStore`],
    /// or what the store says.
    pub async fn get(&self, key: &str) -> Result<Option<Item>, Error> {
        let items = Arc::clone(&self.port).read(vec![key.into()]).await?;
        Ok(items.into_iter().next().flatten())
    }

    /// Reads several keys at once, answers in their order.
    ///
    /// # Errors
    /// As [`Turn::get`].
    pub async fn get_many(&self, keys: &[Arc<str>]) -> Result<Vec<Option<Item>>, Error> {
        Arc::clone(&self.port).read(keys.to_vec()).await
    }

    /// Reads a page of the actor's keys that begin with `starts_with`, those behind the key
    /// `after`, in byte order; at most `limit`, 1 to 1,000.
    ///
    /// # Errors
    /// As [`Turn::get`].
    pub async fn scan(
        &self,
        starts_with: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page, Error> {
        Arc::clone(&self.port).scan(starts_with.into(), after.map(Arc::from), limit).await
    }

    /// Writes, all or nothing, behind the activation's fence; durable when it returns. What is
    /// sent out with it is then carried out, even if this host dies.
    ///
    /// # Errors
    /// As [`Turn::get`]; [`Error::TooLarge`], [`Error::NoOutbox`] and what [`Effect::check`] says
    /// before anything is written; [`Error::LeaseLost`] when the host may not commit any more.
    ///
    /// # Cancel safety
    /// When dropped, the outcome is unknown; the engine drops it only together with
    /// the activation.
    pub async fn commit(&self, commit: impl Into<Commit> + Send) -> Result<(), Error> {
        if self.is_read_only {
            return Err(only_reads(self.actor()));
        }
        let commit = commit.into();
        match &self.once {
            None => Arc::clone(&self.port).commit(commit, Vec::new()).await,
            Some(once) => {
                let (record, stored) = record_of(once);
                Arc::clone(&self.port).commit(commit, vec![record]).await?;
                once.is_stored(stored);
                Ok(())
            }
        }
    }

    /// Says what the turn will answer, before it commits. If the call has an idempotency key the
    /// answer is stored in that same commit; else this does nothing.
    pub fn will_answer(&self, reply: impl FnOnce() -> Reply) {
        if let Some(once) = &self.once {
            once.will_answer(reply());
        }
    }

    /// Gives the call back: the application refused it before it began. The engine sends
    /// it again, a few times, as if it had just come (RT-3); a timer has its next tick.
    #[must_use = "the turn fails with it"]
    pub fn refuse(&self, call: Call, reason: impl Into<String>) -> Error {
        let Call { kind, method, body, headers, once } = call;
        let kind = match kind {
            TurnKind::Method => CallKind::Method,
            TurnKind::Reminder => CallKind::Reminder,
            TurnKind::Timer(_) => {
                return Error::AppLost { reason: reason.into(), execution: Execution::None };
            }
        };
        let Caller { deadline, chain } = self.caller.clone();
        let actor = self.actor().clone();
        // The table by which it was sent here is known by now.
        let routed_by = None;
        // Whoever sends it again waits for it.
        let awaits = Awaits::Answer;
        let call = Invocation {
            actor,
            kind,
            method,
            body,
            headers,
            deadline,
            chain,
            routed_by,
            once,
            awaits,
        };
        Error::Refused { reason: reason.into(), call: Box::new(call) }
    }

    /// Sets a timer of the actor in place of the one of this name; it lasts as long as the
    /// actor is in memory. `data` is JSON, or nothing.
    ///
    /// # Errors
    /// [`Error::Arguments`] names what says no time; there may be
    /// [`crate::timers::TIMERS_MAX`] of them.
    pub fn set_timer(
        &self,
        name: &Arc<str>,
        spec: &Arc<TimerSpec>,
        data: &Bytes,
    ) -> Result<(), Error> {
        self.port.set_timer(name, spec, data)
    }

    /// The actor has no timer of this name any more.
    pub fn drop_timer(&self, name: &str) {
        self.port.drop_timer(name);
    }

    /// Ends the activation after this turn and forgets its memory.
    pub fn end_activation(&self) {
        self.port.end(true);
    }

    /// Deactivates after this turn, as if the actor had been idle.
    pub fn deactivate(&self) {
        self.port.end(false);
    }

    pub(crate) fn engine(&self) -> Option<Arc<dyn Any + Send + Sync>> {
        self.port.engine()
    }
}
