//! Moving one actor to a certain host, and back to the one that the ring names (PL-5).
//!
//! It is a change of its type's table like any other: the actor's owner by the next table is
//! another one, so the gate shuts here, turns end, and it opens there with the state read anew.
//! Any host asks for it; what may not be is refused here, by the tables that every host has.

use std::sync::Arc;
use std::time::Duration;

use odeon_base::{Execution, HostName, Incarnation};
use odeon_ring::{Chain, Gate, Member, PINS_MAX, Policy, Table};

use super::{Engine, within};
use crate::error::Error;
use crate::invocation::ActorRef;
use crate::membership::Command;
use crate::status::{Relocated, Relocation};
use crate::types::TypeEntry;

/// How long placement may take to make the table: its window, and the time to be asked.
const TABLE: Duration = Duration::from_secs(10);

/// What is to be done for a move.
enum Plan {
    /// Nothing: the actor is there.
    Unchanged(Relocated),
    /// Placement is asked.
    Move {
        /// The host that owns the actor.
        from: HostName,
        /// Whose it shall be; the ring's choice if nobody is named.
        to: Option<Incarnation>,
    },
}

impl Engine {
    /// Gives an actor to the host of this name, or to the one that the ring names, and waits until
    /// it may run there: at most `limit`, while a turn still runs where it was.
    ///
    /// # Errors
    /// [`Error::Arguments`] when that cannot be, and why; [`Error::NotMoved`] when placement, which
    /// decides, cannot be asked, or did not decide in time and may yet.
    ///
    /// # Cancel safety
    /// What was asked of placement happens whether or not it is waited for.
    pub async fn relocate(
        &self,
        actor: &ActorRef,
        to: Option<&str>,
        limit: Duration,
    ) -> Result<Relocated, Error> {
        let entry = self.movable(actor)?;
        let chain = chain_of(&entry).ok_or_else(|| no_host(actor))?;
        let (from, to) = match plan(chain.newest(), actor, to)? {
            Plan::Unchanged(told) => return Ok(told),
            Plan::Move { from, to } => (from, to),
        };
        if !*self.inner.connected.borrow() {
            return Err(not_moved(actor, Execution::None));
        }
        let (actor_type, hash) = (entry.actor_type.clone(), actor.id.hash());
        let told = Command::Move { actor_type, actor: hash, to };
        self.inner.commands.send(told).await.map_err(|_| Error::Closed)?;
        let begun = tokio::time::Instant::now();
        let is_told = |chain: &Chain| chain.newest().pins().get(&hash).copied() == to;
        let told = entry.until(|| chain_of(&entry).is_some_and(|chain| is_told(&chain)));
        let in_time = within(begun.checked_add(TABLE.min(limit)), told).await;
        in_time.ok_or_else(|| not_moved(actor, Execution::Maybe))?;
        let opened = entry.until(|| chain_of(&entry).is_some_and(|chain| is_open(&chain, hash)));
        let in_time = within(begun.checked_add(limit), opened).await;
        let state = if in_time.is_some() { Relocation::Moved } else { Relocation::Moving };
        let chain = chain_of(&entry).ok_or_else(|| no_host(actor))?;
        let owner = chain.newest().owner(hash).ok_or_else(|| no_host(actor))?;
        let is_pinned = chain.newest().pins().contains_key(&hash);
        Ok(Relocated { host: owner.host.clone(), from, is_pinned, state })
    }

    /// The actor's type, if its actors can be moved at all.
    fn movable(&self, actor: &ActorRef) -> Result<Arc<TypeEntry>, Error> {
        let entry = self.known_entry(actor).ok_or_else(|| no_host(actor))?;
        let (standing, _) = entry.standing();
        let policy = standing.hosting.as_ref().map(|hosting| hosting.spec.config.placement);
        if entry.actor_type.is_resource() || policy.is_some_and(|policy| policy != Policy::Ring) {
            return Err(Error::Arguments(format!(
                "type is '{}', whose actors cannot be moved: expected a type that the ring places, \
                 and not what is on every host or where its store is held",
                actor.actor_type
            )));
        }
        drop(standing);
        Ok(entry)
    }
}

fn chain_of(entry: &TypeEntry) -> Option<Arc<Chain>> {
    entry.standing().0.view.chain.clone()
}

fn is_open(chain: &Chain, hash: u64) -> bool {
    let owner = chain.newest().owner(hash).map(|owner| owner.incarnation);
    owner.is_some_and(|owner| matches!(chain.gate(owner, hash), Gate::Open { .. }))
}

/// What the newest table says to a wish.
fn plan(newest: &Table, actor: &ActorRef, to: Option<&str>) -> Result<Plan, Error> {
    let hash = actor.id.hash();
    let owner = newest.owner(hash).ok_or_else(|| no_host(actor))?;
    let (from, is_pinned) = (owner.host.clone(), newest.pins().contains_key(&hash));
    let target = to.map(|to| host_of(newest, actor, to)).transpose()?;
    let is_there = match target {
        Some(target) => target.incarnation == owner.incarnation,
        None => !is_pinned,
    };
    if is_there {
        let state = Relocation::Unchanged;
        return Ok(Plan::Unchanged(Relocated { host: from.clone(), from, is_pinned, state }));
    }
    if target.is_some() && !is_pinned && newest.pins().len() >= PINS_MAX {
        return Err(Error::Arguments(format!(
            "{} actors of type '{}' were moved, its limit of {PINS_MAX}: expected fewer; move \
             some back first",
            newest.pins().len(),
            actor.actor_type
        )));
    }
    Ok(Plan::Move { from, to: target.map(|target| target.incarnation) })
}

fn host_of<'a>(newest: &'a Table, actor: &ActorRef, to: &str) -> Result<&'a Member, Error> {
    let found = newest.members().iter().find(|member| member.host.as_str() == to);
    found.map(AsRef::as_ref).ok_or_else(|| {
        let mut names: Vec<_> = newest.members().iter().map(|m| m.host.as_str()).collect();
        names.sort_unstable();
        let actor_type = &actor.actor_type;
        let expected = match names.as_slice() {
            [only] => {
                format!("only '{only}' serves the type '{actor_type}', there is no other host")
            }
            names => {
                format!("expected a host that serves the type '{actor_type}': {}", names.join(", "))
            }
        };
        Error::Arguments(format!("to is '{}': {expected}", to.escape_debug()))
    })
}

fn no_host(actor: &ActorRef) -> Error {
    let (actor_type, id) = (actor.actor_type.clone(), actor.id.clone());
    Error::NoHost { actor_type, id }
}

fn not_moved(actor: &ActorRef, execution: Execution) -> Error {
    let (actor_type, id) = (actor.actor_type.clone(), actor.id.clone());
    Error::NotMoved { actor_type, id, execution }
}
