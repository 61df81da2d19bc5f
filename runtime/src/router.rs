//! From an actor's name to an admitted turn: gate, lease, directory, mailbox.
//!
//! Nothing has begun while a call is in here, so whatever fails here is `none`, and
//! the loop may come round again: after a move, a closed activation, a refused
//! fence (RT-3). How the turn then runs is in `execute.rs`.

use std::ops::Deref;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};
use std::time::Duration;

use odeon_base::backoff::Backoff;
use odeon_base::{Epoch, Execution, Fence};
use odeon_ring::Member;
use tokio::time::Instant;

use crate::activation::{Activation, Arrival, Cut, Hosting, Used};
use crate::config::{Sharing, TypeConfig};
use crate::core::{Core, Waiting};
#[cfg(all(test, feature = "model"))]
use crate::defect::Defect;
use crate::error::Error;
use crate::execute::Admitted;
use crate::idle::Idle;
use crate::invocation::ActorRef;
use crate::mailbox::{Entered, Mailbox};
use crate::membership::patience;
use crate::parked::{Load, Room};
use crate::place::{Place, Turned};
use crate::sync::lock;
use crate::turn::Caller;
use crate::types::{Standing, TypeEntry};
use crate::view::{Route, View};

/// Between tries of a call that did not begin (RT-3).
const RETRY: Backoff = Backoff { first: Duration::from_millis(10), max: Duration::from_secs(1) };
/// How long a call without a time limit of its own waits for a gate or the lease.
pub(crate) const PARK_MAX: Duration = Duration::from_secs(60);

/// What one look at gate, lease and mailbox came to.
pub(crate) enum Step {
    /// The turn begins; the lease clock's time of admission.
    Run(Admitted, u64),
    /// It has a place in the mailbox, since then.
    Queue(Place, u64),
    /// It waits for a gate, a lease or a host.
    Park(Park),
    /// Something changed under way: look again.
    Again,
}

/// What a call waits for before it has a place in a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Park {
    /// The gate is shut, or the lease stands still.
    Gate,
    /// Nobody hosts the type; how long it is worth waiting.
    Host(Duration),
    /// Nobody holds the resource now, or not yet; each call waits for its own time.
    Holder,
}

/// Everything that one call needs to find its way.
#[derive(Debug)]
pub(crate) struct Path<'a> {
    pub(crate) core: &'a Core,
    pub(crate) entry: &'a TypeEntry,
    pub(crate) idle: &'a Idle,
    pub(crate) actor: &'a ActorRef,
    /// What runs, if its type's settings may say something of it (REE-5).
    pub(crate) method: Option<&'a str>,
    /// Size of the body, for as long as it waits.
    pub(crate) bytes: usize,
    /// By which table another host sent the call here, if one did.
    pub(crate) routed_by: Option<Epoch>,
    /// Whether the call may be sent to the host that owns the actor.
    pub(crate) can_forward: bool,
    /// The only life of the actor that the call is meant for; any, if it is not said.
    pub(crate) only: Option<Fence>,
    /// Whether the actor counts as used by it (DEA-7).
    pub(crate) is_use: bool,
    /// Whether somebody waits for the turn.
    pub(crate) is_waited_for: bool,
    /// Whether the host's room for its body was taken already.
    pub(crate) has_room: bool,
}

impl Path<'_> {
    /// One look, without waiting: most calls find their actor free, and that way stays
    /// out of the waiting ones' memory.
    pub(crate) fn first_look(&self, caller: &mut Caller) -> Result<Step, Error> {
        self.in_time(caller)?;
        if caller.chain.is_of_system() {
            self.may_be_waited_for()?;
        }
        self.step(caller)
    }

    /// Lets the call in, or says why not. Returns the lease clock's time of admission.
    ///
    /// # Cancel safety
    /// Nothing has begun; a place in the queue is given up.
    pub(crate) async fn admit(&self, caller: &mut Caller) -> Result<(Admitted, u64), Error> {
        let first = self.first_look(caller)?;
        self.admit_after(first, caller).await
    }

    /// As [`Self::admit`], after a first look.
    ///
    /// # Cancel safety
    /// As [`Self::admit`].
    pub(crate) async fn admit_after(
        &self,
        first: Step,
        caller: &mut Caller,
    ) -> Result<(Admitted, u64), Error> {
        let mut next = first;
        loop {
            next = match self.placed(next, caller).await? {
                Step::Run(admitted, now) => return Ok((admitted, now)),
                queued => self.queue(queued, caller).await?,
            };
        }
    }

    /// Brings the call to its turn or to its place in the queue, after a first look.
    ///
    /// # Cancel safety
    /// Nothing has begun, and there is no place yet.
    pub(crate) async fn placed(&self, first: Step, caller: &mut Caller) -> Result<Step, Error> {
        let (mut parked, mut room) = (None, None);
        let mut next = Some(first);
        loop {
            let step = match next.take() {
                Some(step) => step,
                None => self.step(caller)?,
            };
            match step {
                Step::Run(..) | Step::Queue(..) => return Ok(step),
                Step::Park(park) => {
                    if room.is_none() {
                        room = Some(self.room()?);
                    }
                    let since = *parked.get_or_insert_with(Instant::now);
                    self.park(park, since, caller).await?;
                }
                Step::Again => {}
            }
        }
    }

    /// Waits for the place in the queue, if the call has one: the turn comes, or something
    /// changed and it has to look again.
    ///
    /// # Cancel safety
    /// As [`Self::admit`].
    pub(crate) async fn queue(&self, step: Step, caller: &Caller) -> Result<Step, Error> {
        let Step::Queue(mut place, since) = step else { return Ok(step) };
        let turned = self.wait(&mut place, caller).await?;
        let (activation, now) = (place.activation(), self.core.lease.now());
        activation.hosting.counters.waited(now.saturating_sub(since));
        let admitted = match turned {
            Turned::Run { activate, instance } => {
                let used = if self.is_use { Used::Now } else { Used::AsItWas };
                activation.begins_after_all(self.is_use, now);
                let how = (used, self.sharing(&activation.hosting));
                Admitted::new(Arc::clone(activation), instance, activate, how)
            }
            Turned::Retry => return Ok(Step::Again),
            Turned::Failed(error) => return Err(error),
        };
        self.in_time(caller)?;
        if self.is_current(activation, caller, now) {
            return Ok(Step::Run(admitted, now));
        }
        Ok(Step::Again)
    }

    /// One look, without waiting. On the path of every call: no shared count is touched.
    fn step(&self, caller: &mut Caller) -> Result<Step, Error> {
        let (standing, changes) = self.entry.standing();
        let now = self.core.lease.now();
        let (hosting, epoch) = match self.look(&standing, caller, now)? {
            Look::Here(hosting, epoch) => (hosting, epoch),
            Look::Park(park) => return Ok(Step::Park(park)),
        };
        let config = &hosting.spec.config;
        if config.reentrancy.is_some() {
            let fresh = || self.core.entropy.uuid().into();
            caller.chain.reentrancy.get_or_insert_with(fresh);
        }
        let hops = caller.chain.hops();
        if self.is_waited_for
            && !hops.is_empty()
            && hops.contains(&hosting.hop(&self.actor.id))
            && self.is_cycle(hosting, caller)
        {
            let actor = self.actor.clone();
            return Err(Error::CallCycle { actor_type: actor.actor_type, id: actor.id });
        }
        let flight = caller.chain.reentrancy.as_ref().filter(|_| config.reentrancy.is_some());
        #[cfg(all(test, feature = "model"))]
        let secret = Defect::RootIdIsNotPassedOn.is_planted().then(|| Arc::from("secret"));
        #[cfg(all(test, feature = "model"))]
        let flight = secret.as_ref().filter(|_| caller.chain.hops().is_empty()).or(flight);
        let activation = self.activation(hosting, epoch, now)?;
        let sharing = self.sharing(hosting);
        let arrival = Arrival { flight, sharing, bytes: self.bytes, is_use: self.is_use, now };
        let (entered, instance, used) = activation.enter(&arrival);
        match entered {
            Entered::Run { activate } => {
                let how = (used, sharing);
                let admitted = Admitted::new(activation, instance, activate, how);
                #[cfg(all(test, feature = "model"))]
                if Defect::GateIsNotLookedAtAgain.is_planted() {
                    return Ok(Step::Run(admitted, now));
                }
                // The gate may have shut since this call looked: whoever drains either
                // saw the activation in the directory or is seen here.
                if self.entry.changes() == changes {
                    return Ok(Step::Run(admitted, now));
                }
                Ok(Step::Again)
            }
            Entered::Wait(ticket) => {
                if config.pool.is_some() {
                    activation.event(Mailbox::arrived);
                }
                Ok(Step::Queue(Place::new(activation, ticket), now))
            }
            Entered::Full { waiting } => Err(self.full(waiting)),
            Entered::TooDeep { limit } => Err(Error::StackDepth { limit }),
            Entered::Retry => {
                hosting.directory.remove(&activation);
                Ok(Step::Again)
            }
        }
    }

    /// Whether a call of an actor further up its own chain would wait for itself (REE-4).
    fn is_cycle(&self, hosting: &Hosting, caller: &Caller) -> bool {
        if hosting.spec.config.reentrancy.is_none() {
            return hosting.spec.config.detect_cycles;
        }
        // It may join a turn, but not one whose memory is still being made (ACT-2).
        let flight = caller.chain.reentrancy.as_ref();
        let activation = hosting.directory.get(&self.actor.id);
        activation.is_some_and(|activation| {
            activation.with(|inner| inner.mailbox.is_activating(&hosting.rules, flight))
        })
    }

    fn look<'s>(
        &self,
        standing: &'s Standing,
        caller: &Caller,
        now: u64,
    ) -> Result<Look<'s>, Error> {
        let view = &standing.view;
        let hash = self.actor.id.hash();
        let host_wait =
            |since| Look::Park(Park::Host(patience(since, now, self.core.config.no_host_wait)));
        let Some(hosting) = &standing.hosting else {
            if let Some((_, epoch)) = self.elsewhere(view, false) {
                return Err(self.moved(epoch));
            }
            if self.entry.actor_type.is_resource() {
                return self.without_holder(view);
            }
            return Ok(host_wait(view.hostless_since.max(standing.withdrawn_since)));
        };
        if view.me.is_none() && hosting.is_leased() {
            self.without_lease(view)?;
        }
        let is_nested = !caller.chain.hops().is_empty();
        match hosting.route(view, hash, is_nested) {
            Route::Here(_) if hosting.is_leased() && !self.core.lease.may_start(now) => {
                Ok(Look::Park(Park::Gate))
            }
            Route::Here(epoch) => Ok(Look::Here(hosting, epoch)),
            Route::Shut if self.entry.actor_type.is_resource() => self.without_holder(view),
            // The gate may be waiting for the very turn that calls: the owner before still
            // lets the call in.
            Route::Shut if is_nested && !self.is_meant_here(view) => {
                match self.elsewhere(view, true) {
                    Some((_, epoch)) => Err(self.moved(epoch)),
                    None => Ok(Look::Park(Park::Gate)),
                }
            }
            Route::Shut => Ok(Look::Park(Park::Gate)),
            #[cfg(feature = "defects")]
            Route::Elsewhere(epoch)
                if self.routed_by.is_some()
                    && odeon_base::defect::Defect::StaleTableAccepted.is_planted() =>
            {
                Ok(Look::Here(hosting, epoch))
            }
            Route::Elsewhere(epoch) => Err(self.moved(epoch)),
            Route::NoHost(since) => Ok(host_wait(since)),
        }
    }

    /// Whether another host sent the call here by the newest table: it has seen the gate open.
    /// By an older one it was meant for somebody else, an earlier life at this address.
    fn is_meant_here(&self, view: &View) -> bool {
        let newest = view.chain.as_ref().map(|chain| chain.newest().epoch());
        self.routed_by.is_some_and(|by| Some(by) >= newest)
    }

    /// A host without a lease serves nobody, but it knows where others are.
    fn without_lease(&self, view: &View) -> Result<(), Error> {
        if self.routed_by.is_some() {
            // Whoever sent it here learns of the next owner sooner than this host may.
            return Err(Error::LeaseLost { execution: Execution::None });
        }
        match self.elsewhere(view, false) {
            Some((_, epoch)) if self.can_forward => Err(self.moved(epoch)),
            _ => Ok(()),
        }
    }

    /// Where the call is to be sent, and by which table; `None` if that is here, or nowhere.
    pub(crate) fn target(&self, caller: &Caller) -> Option<(Arc<Member>, Epoch)> {
        self.elsewhere(&self.entry.standing().0.view, !caller.chain.hops().is_empty())
    }

    fn elsewhere(&self, view: &View, is_nested: bool) -> Option<(Arc<Member>, Epoch)> {
        // A resource has one holder at a time, so no turn of an earlier one is waited for.
        let is_nested = is_nested && !self.entry.actor_type.is_resource();
        let (owner, epoch) = view.chain.as_ref()?.target(self.actor.id.hash(), is_nested)?;
        let is_here = match view.me {
            Some(me) => owner.incarnation == me,
            // An earlier life of this host is no other host.
            None => owner.address == self.core.config.address,
        };
        (!is_here).then(|| (Arc::clone(owner), epoch))
    }

    /// A resource that this host does not hold, or not by any table: what placement has not
    /// taken for the one of its name is not used, and calls go to the one that was.
    fn without_holder<'s>(&self, view: &View) -> Result<Look<'s>, Error> {
        if let Some((_, epoch)) = self.elsewhere(view, false) {
            return Err(self.moved(epoch));
        }
        match view.chain.as_ref().map(|chain| chain.newest()) {
            // Whoever sent it here sees the next holder's table as soon as this host does.
            Some(table) if self.routed_by.is_some() => Err(self.moved(table.epoch())),
            _ => Ok(Look::Park(Park::Holder)),
        }
    }

    /// Whether an admitted turn may still begin, after a wait of another kind.
    pub(crate) fn still_admits(&self, admitted: &Admitted, caller: &Caller) -> bool {
        #[cfg(all(test, feature = "model"))]
        if Defect::GateIsNotLookedAtAgain.is_planted() {
            return true;
        }
        let now = self.core.lease.now();
        admitted.activation().is_some_and(|activation| {
            activation.cut_reason() == Cut::Not && self.is_current(activation, caller, now)
        })
    }

    /// Whether a turn of this activation may still begin, after a wait.
    fn is_current(&self, activation: &Activation, caller: &Caller, now: u64) -> bool {
        let (standing, _) = self.entry.standing();
        matches!(
            self.look(&standing, caller, now),
            Ok(Look::Here(hosting, _)) if Arc::ptr_eq(hosting, &activation.hosting)
        ) && self.is_meant(activation)
    }

    /// How its turn stands to others of the actor.
    fn sharing(&self, hosting: &Hosting) -> Sharing {
        let config = &hosting.spec.config;
        match self.method {
            Some(method) if config.shares_turns() => config.sharing(method),
            Some(_) | None => Sharing::Alone,
        }
    }

    /// Whether the call is for this life of the actor.
    fn is_meant(&self, activation: &Activation) -> bool {
        self.only.is_none_or(|only| activation.with(|inner| inner.fence == only))
    }

    fn activation(
        &self,
        hosting: &Arc<Hosting>,
        epoch: Epoch,
        now: u64,
    ) -> Result<Arc<Activation>, Error> {
        if let Some(found) = hosting.directory.get(&self.actor.id)
            && self.is_meant(&found)
        {
            return Ok(found);
        }
        if self.only.is_some() {
            return Err(Error::NotActive);
        }
        if let Some((attempts, until)) = lock(&hosting.failures).get(&self.actor.id)
            && *until > now
        {
            let left = Duration::from_nanos(until - now);
            return Err(Error::Activation {
                actor_type: self.actor.actor_type.clone(),
                id: self.actor.id.clone(),
                reason: format!("it failed {attempts} times in a row; next try in {left:?}"),
            });
        }
        // The name of the type is the hosting's: a caller's own copy would stay in memory for
        // as long as the actor does.
        let actor_type = hosting.spec.actor_type.clone();
        let actor = ActorRef { actor_type, id: self.actor.id.clone() };
        let its_fence = self.core.next_fence(epoch);
        let fresh = Activation::new(actor, Arc::clone(hosting), its_fence, now);
        let (activation, is_new) = hosting.directory.insert(fresh);
        if is_new {
            // Beside the fence of who drains: this call looks at the tables once more.
            fence(Ordering::SeqCst);
            self.idle.watch(&activation);
        }
        Ok(activation)
    }

    /// Room for this call while it is parked; the mailbox's limits hold for it too (TURN-6).
    pub(crate) fn room(&self) -> Result<(Room<'_>, Option<Waiting<&Core>>), Error> {
        let hosting = self.entry.hosting();
        let activation = hosting.as_ref().and_then(|hosting| hosting.directory.get(&self.actor.id));
        let queued = activation.map_or_else(Load::default, |activation| {
            activation.with(|inner| Load {
                calls: inner.mailbox.waiting().0,
                bytes: inner.mailbox.waiting_bytes(),
            })
        });
        // A type that is not hosted here has no settings of its own.
        let unknown = TypeConfig::under(self.core.config.compat);
        let limits = hosting.as_ref().map_or(&unknown, |hosting| &hosting.spec.config);
        let parked = &self.entry.parked;
        let room = parked.enter(&self.actor.id, self.bytes, queued, limits);
        let room = room.map_err(|waiting| self.full(waiting))?;
        Ok((room, self.body_room(self.core)?))
    }

    /// The host's room for the body while the call waits, if it has one.
    pub(crate) fn body_room<C>(&self, core: C) -> Result<Option<Waiting<C>>, Error>
    where
        C: Deref<Target = Core>,
    {
        match self.bytes {
            0 => Ok(None),
            _ if self.has_room => Ok(None),
            bytes => Core::wait_with(core, bytes).map(Some).ok_or_else(|| self.full(0)),
        }
    }

    async fn wait(&self, place: &mut Place, caller: &Caller) -> Result<Turned, Error> {
        let _room = self.body_room(self.core)?;
        match caller.deadline {
            None => Ok(place.await),
            Some(deadline) => {
                tokio::time::timeout_at(deadline, place).await.map_err(|_| self.too_late())
            }
        }
    }

    /// Waits for a change, as long as that is worth it (RT-5, RT-6).
    async fn park(&self, park: Park, since: Instant, caller: &Caller) -> Result<(), Error> {
        let mut type_changed = pin!(self.entry.changed.notified());
        let mut lease_changed = pin!(self.core.lease.changed.notified());
        type_changed.as_mut().enable();
        lease_changed.as_mut().enable();
        // Look once more now that a change cannot be missed.
        let now = self.core.lease.now();
        if let Look::Here(..) = self.look(&self.entry.standing().0, caller, now)? {
            return Ok(());
        }
        let until = match (park, caller.deadline) {
            // A gate opens in the end: the caller's own limit counts, however long (O5).
            (Park::Gate, Some(deadline)) => deadline,
            (Park::Gate, None) => since + PARK_MAX,
            (Park::Host(left), Some(deadline)) => deadline.min(Instant::now() + left),
            (Park::Host(left), None) => Instant::now() + left,
            (Park::Holder, deadline) => {
                let until = since + self.core.config.holder_wait;
                deadline.map_or(until, |deadline| deadline.min(until))
            }
        };
        tokio::select! {
            biased;
            () = type_changed => Ok(()),
            () = lease_changed => Ok(()),
            () = tokio::time::sleep_until(until) => Err(match park {
                _ if caller.deadline.is_some_and(|deadline| deadline <= until) => self.too_late(),
                Park::Gate => Error::LeaseLost { execution: Execution::None },
                Park::Host(_) | Park::Holder => self.no_host(),
            }),
        }
    }

    /// A call whose time is up is never begun (TURN-7).
    fn in_time(&self, caller: &Caller) -> Result<(), Error> {
        match caller.deadline {
            Some(deadline) if deadline <= Instant::now() => Err(self.too_late()),
            _ => Ok(()),
        }
    }

    /// A system actor's turn waits for no application's: that one may wait for the system actor
    /// in its turn, and a drain for both. It delivers between turns (SYS-2).
    fn may_be_waited_for(&self) -> Result<(), Error> {
        #[cfg(feature = "defects")]
        if odeon_base::defect::Defect::SystemActorWaits.is_planted() {
            return Ok(());
        }
        if self.actor.actor_type.is_system() {
            return Ok(());
        }
        let actor = self.actor.clone();
        Err(Error::SystemWaits { actor_type: actor.actor_type, id: actor.id })
    }

    /// No more may wait; it is counted (TURN-10).
    pub(crate) fn full(&self, waiting: usize) -> Error {
        self.entry.counters.refused.fetch_add(1, Ordering::Relaxed);
        let actor = self.actor.clone();
        Error::MailboxFull { actor_type: actor.actor_type, id: actor.id, waiting }
    }

    fn too_late(&self) -> Error {
        let actor = self.actor.clone();
        Error::QueueTimeout { actor_type: actor.actor_type, id: actor.id }
    }

    fn no_host(&self) -> Error {
        let actor = self.actor.clone();
        Error::NoHost { actor_type: actor.actor_type, id: actor.id }
    }

    fn moved(&self, epoch: Epoch) -> Error {
        let actor = self.actor.clone();
        Error::Moved { actor_type: actor.actor_type, id: actor.id, epoch }
    }
}

/// Where a call stands before it has a place in a mailbox.
enum Look<'s> {
    Here(&'s Arc<Hosting>, Epoch),
    Park(Park),
}

/// How long to wait before a call that did not begin is sent again.
pub(crate) fn retry_wait(core: &Core, attempt: u32) -> Duration {
    RETRY.wait(attempt, core.entropy.fraction())
}
