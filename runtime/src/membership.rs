//! The loop that keeps this host's lease, tables and marks: shell of `ownership.rs`.
//!
//! It waits for word from placement, from the engine and from time, asks the pure
//! core, and performs the actions in their order: the right to run turns is taken
//! away before anything else is done about a lapse.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use odeon_base::backoff::Backoff;
#[cfg(feature = "defects")]
use odeon_base::defect::Defect;
use odeon_base::{ActorType, Epoch, Incarnation, TaskKind};
use odeon_ring::{Resource, ToPlacement, TypeOffer};
use tokio::sync::{mpsc, oneshot};

use crate::activation::Cut;
use crate::core::{Core, Notice};
use crate::drain;
use crate::lease::nanos;
use crate::ownership::{Action, Ownership};
use crate::seams::{PlacementLink, PlacementStream};
use crate::types::Types;

/// How long to wait before the next try to reach placement.
const RECONNECT: Backoff =
    Backoff { first: Duration::from_millis(100), max: Duration::from_millis(500) };

/// Messages that may wait for a stream; with more it is given up, and a new one begins
/// with a report of everything.
const UNSENT_MAX: usize = 4_096;

/// Activations of all types up to which the loop itself looks, for one word of placement, whether
/// any has to move.
const LOOK_AT_ONCE_MAX: usize = 1_000;

/// Word from the engine.
#[derive(Debug)]
pub(crate) enum Command {
    /// The types offered from now on, and the resources held.
    Offer(BTreeMap<ActorType, TypeOffer>, Vec<Resource>),
    /// An actor is to be owned by a certain incarnation, or by the ring's again.
    Move {
        /// Its type.
        actor_type: ActorType,
        /// The hash of its id.
        actor: u64,
        /// Who is to own it; the ring's choice if nobody is named.
        to: Option<Incarnation>,
    },
    /// A drain is over.
    Drained(ActorType, Epoch),
    /// Tables without this host, please; told when everything is released.
    Leave(oneshot::Sender<()>),
    /// The stores are closed: end of this life.
    Farewell(oneshot::Sender<()>),
}

/// The membership loop.
#[derive(Debug)]
pub(crate) struct Membership {
    pub(crate) core: Arc<Core>,
    pub(crate) types: Arc<Types>,
    pub(crate) link: Arc<dyn PlacementLink>,
    pub(crate) ownership: Ownership,
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) notices: mpsc::Receiver<Notice>,
    pub(crate) to_self: mpsc::Sender<Command>,
    pub(crate) connected: tokio::sync::watch::Sender<bool>,
    /// Resources that this host holds and must not use, and why.
    pub(crate) refusals: tokio::sync::watch::Sender<BTreeMap<ActorType, String>>,
    /// What placement is to be told, in order.
    pub(crate) unsent: VecDeque<ToPlacement>,
    /// Who waits for everything to be released.
    pub(crate) left: Option<oneshot::Sender<()>>,
    /// Who waits for the farewell to be on its way.
    pub(crate) said: Option<oneshot::Sender<()>>,
}

impl Membership {
    /// Runs until told to stop.
    pub(crate) async fn run(mut self) {
        let stop = self.core.tasks.stopping().clone();
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = self.keep() => {}
        }
    }

    async fn keep(&mut self) {
        let link = Arc::clone(&self.link);
        let mut attempt = 0;
        loop {
            // The lease goes on, and ends in its time, however long connecting takes.
            match self.meanwhile(link.connect()).await {
                Ok(stream) => {
                    attempt = 0;
                    self.serve(stream).await;
                    tracing::warn!(
                        "lost the connection to the placement service; the lease runs on"
                    );
                }
                Err(reason) => {
                    tracing::warn!("cannot reach the placement service: {reason}");
                }
            }
            self.disconnected();
            let wait = RECONNECT.wait(attempt, self.core.entropy.fraction());
            attempt += 1;
            self.meanwhile(tokio::time::sleep(wait)).await;
        }
    }

    /// With placement, until the stream breaks.
    async fn serve(&mut self, mut stream: PlacementStream) {
        let fresh = self.fresh();
        let actions = self.ownership.connected(self.now(), fresh);
        self.connected.send_replace(true);
        self.perform(actions);
        // Time comes first: nothing that is heard late may hide that the lease has ended.
        // What is to be said waits here while placement does not listen, so that a full
        // stream holds up nothing else.
        while self.unsent.len() <= UNSENT_MAX {
            let wait = self.ownership.next_tick(self.now());
            tokio::select! {
                biased;
                () = tokio::time::sleep(wait) => self.tick(),
                room = stream.to.reserve(), if !self.unsent.is_empty() => {
                    let Ok(room) = room else { return };
                    if let Some(message) = self.unsent.pop_front() {
                        room.send(message);
                    }
                    self.farewell_is_said();
                }
                message = stream.from.recv() => {
                    let Some(message) = message else { return };
                    let actions = self.ownership.received(&message, self.now());
                    self.perform(actions);
                }
                Some(command) = self.commands.recv() => self.command(command),
                Some(notice) = self.notices.recv() => self.notice(notice),
            }
        }
    }

    /// Without placement, until `future` is ready: commands and time go on.
    async fn meanwhile<T>(&mut self, future: impl Future<Output = T>) -> T {
        let mut future = std::pin::pin!(future);
        loop {
            let wait = self.ownership.next_tick(self.now());
            tokio::select! {
                biased;
                () = tokio::time::sleep(wait) => self.tick(),
                ready = &mut future => return ready,
                Some(command) = self.commands.recv() => self.command(command),
            }
        }
    }

    fn disconnected(&mut self) {
        self.ownership.disconnected();
        self.unsent.clear();
        self.farewell_is_said();
        self.connected.send_replace(false);
    }

    fn tick(&mut self) {
        let fresh = self.fresh();
        let actions = self.ownership.tick(self.now(), fresh);
        self.perform(actions);
    }

    fn notice(&mut self, notice: Notice) {
        let Notice::FenceAhead(term) = notice;
        let actions = self.ownership.fence_ahead(term);
        self.perform(actions);
    }

    fn command(&mut self, command: Command) {
        let actions = match command {
            Command::Offer(offers, resources) => self.ownership.offer(offers, resources),
            Command::Move { actor_type, actor, to } => {
                self.ownership.relocate(&actor_type, actor, to)
            }
            Command::Drained(actor_type, epoch) => return self.release(actor_type, epoch),
            Command::Leave(left) => {
                self.left = Some(left);
                self.ownership.leave(self.now())
            }
            Command::Farewell(said) => {
                self.said = Some(said);
                self.core.lease.end();
                self.ownership.farewell()
            }
        };
        self.perform(actions);
        self.farewell_is_said();
    }

    /// Tells who waits for it that the farewell has been handed over, or cannot be.
    fn farewell_is_said(&mut self) {
        if self.unsent.is_empty()
            && let Some(said) = self.said.take()
        {
            let _ = said.send(());
        }
    }

    fn perform(&mut self, actions: Vec<Action>) {
        let mut looks = LOOK_AT_ONCE_MAX;
        for action in actions {
            match action {
                Action::Send(message) => {
                    if *self.connected.borrow() {
                        self.say(message);
                    }
                }
                Action::Grant(grant) => self.core.lease.grant(grant),
                Action::Lapse => self.lapse(),
                Action::Publish(actor_type) => self.publish(&actor_type),
                Action::Drain(actor_type, epoch) => {
                    self.release_or_drain(actor_type, epoch, &mut looks);
                }
                Action::Refused(resource, reason) => self.refused(resource, reason),
                Action::Left => {
                    if let Some(left) = self.left.take() {
                        let _ = left.send(());
                    }
                }
            }
        }
    }

    /// Releases that come one after the other go as one: a change concerns many types, and most
    /// hosts have nothing to end for it.
    fn say(&mut self, message: ToPlacement) {
        match (message, self.unsent.back_mut()) {
            (
                ToPlacement::Released { incarnation, up_to },
                Some(ToPlacement::Released { incarnation: same, up_to: earlier }),
            ) if *same == incarnation => {
                // Of one type the later is the higher.
                earlier.extend(up_to);
            }
            (message, _) => self.unsent.push_back(message),
        }
    }

    fn refused(&self, resource: ActorType, reason: String) {
        tracing::error!(%resource, "the placement service refused what this host holds: {reason}");
        if let Some(entry) = self.types.get(resource.as_str()) {
            // A leader that knows another resource of the name is believed, whoever was before.
            entry.publish(|view| view.is_holder = false);
        }
        self.refusals.send_modify(|refusals| {
            refusals.insert(resource, reason);
        });
    }

    fn lapse(&self) {
        self.core.lease.end();
        tracing::warn!("the lease of this host ended; its activations are dropped");
        for entry in self.types.all() {
            // First nobody is let in any more, then who is in is cut: a call that comes
            // in between sees the one or is seen by the other.
            self.publish(&entry.actor_type);
            #[cfg(feature = "defects")]
            if Defect::TurnsOutliveTheLease.is_planted() {
                continue;
            }
            for hosting in entry.hostings() {
                if hosting.is_leased() {
                    drain::cut_all(&hosting, Cut::Lease);
                }
            }
        }
    }

    /// Shuts out the calls of running turns too, and looks whether one has slipped in
    /// since the drain looked: what is released now may run elsewhere at once (O1).
    fn is_empty_behind(&self, actor_type: &ActorType, epoch: Epoch) -> bool {
        let Some(entry) = self.types.get(actor_type.as_str()) else { return true };
        entry.publish(|view| view.released = view.released.max(Some(epoch)));
        let is_empty = entry.hostings().iter().all(|hosting| !drain::is_any_behind(hosting));
        if !is_empty {
            // Turns that run may wait for calls behind the gate: let these in again.
            self.publish(actor_type);
        }
        is_empty
    }

    fn publish(&self, actor_type: &ActorType) {
        let now = self.core.lease.now();
        let entry = self.types.get_or_add(actor_type, now);
        let (chain, released) = self.ownership.view(actor_type);
        let chain = chain.cloned().map(Arc::new);
        let me = self.ownership.incarnation();
        let is_hostless = chain.as_ref().is_none_or(|chain| chain.newest().members().is_empty());
        let is_holder = actor_type.is_resource()
            && chain.as_ref().zip(me).is_some_and(|(chain, me)| chain.newest().has(me));
        if is_holder {
            self.refusals.send_if_modified(|refused| refused.remove(actor_type).is_some());
        }
        entry.publish(|view| {
            view.is_holder |= is_holder;
            view.chain.clone_from(&chain);
            view.me = me;
            view.released = released;
            view.hostless_since = is_hostless.then(|| view.hostless_since.unwrap_or(now));
        });
    }

    /// What has nothing to end is released at once, with all else that the same word of
    /// placement led to.
    fn release_or_drain(&mut self, actor_type: ActorType, epoch: Epoch, looks: &mut usize) {
        let hostings =
            self.types.get(actor_type.as_str()).map(|entry| entry.hostings()).unwrap_or_default();
        // Looking through very many would hold up the lease.
        let count: usize = hostings.iter().map(|hosting| hosting.directory.len()).sum();
        let Some(left) = looks.checked_sub(count) else { return self.drain(actor_type, epoch) };
        *looks = left;
        if hostings.iter().any(|hosting| drain::is_any_behind(hosting)) {
            return self.drain(actor_type, epoch);
        }
        self.release(actor_type, epoch);
    }

    /// Releases what is empty, as far as has been seen; drains it if something slipped in.
    fn release(&mut self, actor_type: ActorType, epoch: Epoch) {
        if !self.is_empty_behind(&actor_type, epoch) {
            return self.drain(actor_type, epoch);
        }
        let actions = self.ownership.drained(&actor_type, epoch);
        self.perform(actions);
    }

    fn drain(&self, actor_type: ActorType, epoch: Epoch) {
        // One that was replaced may still have turns to end.
        let hostings =
            self.types.get(actor_type.as_str()).map(|entry| entry.hostings()).unwrap_or_default();
        let to_self = self.to_self.clone();
        self.core.tasks.spawn(TaskKind::Drain, async move {
            for hosting in hostings {
                drain::behind_shut_gates(&hosting).await;
            }
            let _ = to_self.send(Command::Drained(actor_type, epoch)).await;
        });
    }

    fn now(&self) -> Duration {
        Duration::from_nanos(self.core.lease.now())
    }

    fn fresh(&self) -> Incarnation {
        // Zero stands for nobody.
        Incarnation(self.core.entropy.u64().max(1))
    }
}

/// For a hostless type: how much longer a call may wait for a host, from `since`.
pub(crate) fn patience(since: Option<u64>, now: u64, wait: Duration) -> Duration {
    let end = since.unwrap_or(0).saturating_add(nanos(wait));
    Duration::from_nanos(end.saturating_sub(now))
}
