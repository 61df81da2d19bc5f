//! What an operator asks of one host: who is active, why here, and an end to it.
//!
//! Looking changes nothing. What spans hosts (who else is there, what they say) is put
//! together by `sys.host`, further out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use odeon_base::{Epoch, Execution, TaskKind};
use odeon_ring::{Gate, Member, Policy};

use super::{Engine, within};
use crate::activation::Activation;
use crate::error::Error;
use crate::invocation::{ActorRef, CallChain, Invocation, Reply};
use crate::mailbox::{self, Why};
use crate::metrics::{Gauges, TypeMetrics};
use crate::status::{
    ActorPage, ActorStatus, Explanation, HostSeen, Phase, Status, TableShown, TypeStatus,
};
use crate::turn::Caller;
use crate::types::TypeEntry;

impl Engine {
    /// What an operator may want to know.
    #[must_use]
    pub fn status(&self) -> Status {
        let core = &self.inner.core;
        let types = self.inner.types.all().into_iter().map(|entry| {
            let hosting = entry.hosting();
            let is_blocked =
                hosting.as_ref().is_some_and(|hosting| self.is_blocked(&hosting.spec.config));
            TypeStatus {
                actor_type: entry.actor_type.clone(),
                is_hosted: hosting.is_some(),
                placement: hosting.as_ref().map(|hosting| hosting.spec.config.placement),
                active: hosting.as_ref().map_or(0, |hosting| hosting.directory.len()),
                epoch: entry.standing().0.view.chain.as_ref().map(|chain| chain.newest().epoch()),
                blocked: if self.inner.refusals.borrow().contains_key(&entry.actor_type) {
                    Some("another resource of this name")
                } else {
                    is_blocked.then_some("no state store")
                },
            }
        });
        let has_lease = core.lease.may_answer(core.lease.now());
        Status {
            types: types.collect(),
            is_placement_connected: *self.inner.connected.borrow(),
            incarnation: has_lease.then(|| core.lease.incarnation()),
            lease_left: core.lease.left(),
            is_leaving: self.inner.is_leaving.load(Ordering::Acquire),
        }
    }

    /// The numbers of all types that were ever hosted here.
    #[must_use]
    pub fn metrics(&self) -> Vec<TypeMetrics> {
        let now = self.inner.core.lease.now();
        let numbers = self.inner.types.all().into_iter().map(|entry| {
            let mut gauges = Gauges { waiting: entry.parked.calls(), ..Gauges::default() };
            let mut oldest = now;
            if let Some(hosting) = entry.hosting() {
                gauges.active = hosting.directory.len();
                hosting.directory.each(|activation| {
                    let (running, (waiting, since)) =
                        activation.with(|inner| (inner.mailbox.running(), inner.mailbox.waiting()));
                    gauges.running += u64::from(running);
                    gauges.waiting += waiting;
                    oldest = oldest.min(since.unwrap_or(now));
                });
            }
            gauges.oldest_waiter = Duration::from_nanos(now.saturating_sub(oldest));
            entry.counters.snapshot(&entry.actor_type, gauges)
        });
        numbers.collect()
    }

    /// The actors of a type that are in memory here, those of least id behind `after` first (empty:
    /// from the first).
    ///
    /// All of them are visited; no more than `limit` are held.
    #[must_use]
    pub fn actors(&self, actor_type: &str, after: &str, limit: usize) -> ActorPage {
        let hosting = self.inner.types.get(actor_type).and_then(|entry| entry.hosting());
        let Some(hosting) = hosting else { return ActorPage::default() };
        let mut least: BTreeMap<String, Arc<Activation>> = BTreeMap::new();
        let mut has_more = false;
        hosting.directory.each(|activation| {
            let id = activation.actor.id.as_str();
            if id <= after {
                return;
            }
            let is_full = least.len() >= limit;
            has_more |= is_full;
            if is_full && least.last_key_value().is_none_or(|(last, _)| id > last.as_str()) {
                return;
            }
            least.insert(id.to_owned(), Arc::clone(activation));
            if is_full {
                least.pop_last();
            }
        });
        let now = self.inner.core.lease.now();
        let actors = least.values().filter_map(|activation| shown(activation, now)).collect();
        ActorPage { actors, has_more }
    }

    /// One actor, if it is in memory here.
    #[must_use]
    pub fn actor(&self, actor: &ActorRef) -> Option<ActorStatus> {
        let hosting = self.known_entry(actor)?.hosting()?;
        let activation = hosting.directory.get(&actor.id)?;
        shown(&activation, self.inner.core.lease.now())
    }

    /// Why an actor is served where it is (MG-2); `None` for a type nobody offers.
    #[must_use]
    pub fn explain(&self, actor: &ActorRef) -> Option<Explanation> {
        let entry = self.known_entry(actor)?;
        let hash = actor.id.hash();
        let (standing, _) = entry.standing();
        let view = &standing.view;
        let tables = view.chain.as_ref().map(|chain| {
            let pairs = chain.tables().iter().enumerate().map(|(place, table)| {
                let owner = table.owner(hash).cloned();
                let next = chain.tables().get(place + 1);
                let has_let_go = owner.as_ref().zip(next).is_some_and(|(owner, next)| {
                    chain.has_released(owner.incarnation, next.epoch())
                });
                TableShown { epoch: table.epoch(), owner, has_let_go }
            });
            pairs.collect::<Vec<_>>()
        });
        let tables = tables.unwrap_or_default();
        let newest = view.chain.as_ref().map(|chain| chain.newest());
        let pinned = newest.filter(|table| table.pins().contains_key(&hash));
        let pinned_to = pinned.and_then(|table| table.owner(hash)).cloned();
        let owner = tables.last().and_then(|table| table.owner.as_ref());
        Some(Explanation {
            position: hash,
            gate: self.gate_word(&entry, hash),
            is_here: owner.is_some_and(|owner| Some(owner.incarnation) == view.me),
            pinned_to,
            tables,
            lease_left: self.inner.core.lease.left(),
            activation: self.actor(actor),
        })
    }

    fn gate_word(&self, entry: &TypeEntry, hash: u64) -> &'static str {
        let (standing, _) = entry.standing();
        let policy = standing.hosting.as_ref().map(|hosting| hosting.spec.config.placement);
        if matches!(policy, Some(Policy::Local | Policy::Holder)) {
            return "open: the type has no owner on the ring";
        }
        let (Some(chain), Some(me)) = (&standing.view.chain, standing.view.me) else {
            return "shut: this host has no lease, or no table of the type";
        };
        let lease = &self.inner.core.lease;
        match chain.gate(me, hash) {
            Gate::Open { .. } if !lease.may_start(lease.now()) => {
                "shut: the lease of this host stands still"
            }
            Gate::Open { .. } => "open",
            Gate::Shut { .. } => "shut: an earlier owner has not let go yet",
            Gate::Elsewhere { .. } => "elsewhere: another host is the owner",
            Gate::NoHost => "none: no host offers the type",
        }
    }

    /// All hosts that stand in the newest tables, by name.
    #[must_use]
    pub fn hosts(&self) -> Vec<HostSeen> {
        let mut seen: BTreeMap<(String, u64), HostSeen> = BTreeMap::new();
        for entry in self.inner.types.all() {
            let Some(chain) = entry.standing().0.view.chain.clone() else { continue };
            for member in chain.newest().members() {
                let key = (member.host.to_string(), member.incarnation.0);
                let fresh = || HostSeen { member: Arc::clone(member), types: Vec::new() };
                seen.entry(key).or_insert_with(fresh).types.push(entry.actor_type.clone());
            }
        }
        seen.into_values().collect()
    }

    /// Calls a system actor of one certain host, which answers for itself.
    ///
    /// # Errors
    /// [`Error::Closed`] where there is no way to other hosts; else what came back.
    pub async fn call_on(&self, host: &Member, mut call: Invocation) -> Result<Reply, Error> {
        let Some(peers) = &self.inner.peers else { return Err(Error::Closed) };
        // By no table: whoever is asked does not wait for one.
        call.routed_by = Some(Epoch::default());
        let number = self.inner.core.next_call();
        let asked = within(call.deadline, peers.call(host, number, &call)).await;
        let late = || super::too_late(&call.actor, Execution::Maybe);
        Ok(asked.ok_or_else(late)??)
    }

    /// Whether a turn of this actor waits for whoever has this chain above it, and so cannot be
    /// waited for in return.
    #[must_use]
    pub fn is_above(&self, actor: &ActorRef, chain: &CallChain) -> bool {
        let hosting = self.known_entry(actor).and_then(|entry| entry.hosting());
        hosting.is_some_and(|hosting| chain.hops().contains(&hosting.hop(&actor.id)))
    }

    /// Moves everything away and stays: other hosts take this one's actors over, calls that
    /// enter here are sent on (HO-8). Returns at once; [`Engine::status`] shows how far it is.
    pub fn drain(&self, limit: Duration) {
        let engine = self.clone();
        self.inner.is_leaving.store(true, Ordering::Release);
        self.inner.core.tasks.spawn(TaskKind::Drain, async move {
            match engine.leave(limit).await {
                Ok(()) => tracing::info!("drained: other hosts have the actors of this one"),
                Err(busy) => tracing::warn!("not drained: {busy}"),
            }
        });
    }

    /// Deletes an actor that this host owns: all its keys in one fenced transaction, and its
    /// activation (ST-6). Its memory is not made for that. How many keys there were.
    ///
    /// # Errors
    /// [`Error::Moved`] when another host owns it; else as a call's, or what the store says.
    ///
    /// # Cancel safety
    /// A deletion that was sent to the store is seen to its end there.
    pub async fn delete(&self, actor: &ActorRef) -> Result<usize, Error> {
        let Some(entry) = self.known_entry(actor) else {
            let ActorRef { actor_type, id } = actor.clone();
            return Err(Error::NoHost { actor_type, id });
        };
        // By no table, and it is not sent on from here.
        let path = self.path(&entry, actor, 0, Some(Epoch::default()));
        let limit = Duration::from_secs(60);
        let deadline = Some(tokio::time::Instant::now() + limit);
        let (admitted, _) = path.admit(&mut Caller { deadline, ..Caller::default() }).await?;
        let Some(activation) = admitted.activation().cloned() else { return Err(Error::Closed) };
        let wiped = activation.wipe().await;
        // Whatever became of it, the memory does not say so.
        activation.with(|inner| inner.mailbox.note(Why::Forget));
        drop(admitted);
        wiped
    }
}

fn shown(activation: &Activation, now: u64) -> Option<ActorStatus> {
    let since = |then: u64| Duration::from_nanos(now.saturating_sub(then));
    activation.with(|inner| {
        let phase = match inner.mailbox.phase() {
            mailbox::Phase::New | mailbox::Phase::Activating => Phase::Activating,
            mailbox::Phase::Active => Phase::Active,
            mailbox::Phase::Closing => Phase::Closing,
            mailbox::Phase::Gone => return None,
        };
        let running = inner.mailbox.running();
        let (waiting, first) = inner.mailbox.waiting();
        Some(ActorStatus {
            id: activation.actor.id.clone(),
            phase,
            fence: inner.fence,
            running,
            running_for: (running > 0).then(|| since(inner.last_used)),
            waiting,
            waiting_for: first.map(since),
            unused_for: (running == 0).then(|| since(inner.last_used)),
        })
    })
}
