//! Moving one actor to a certain host, and back to the one that the ring names (PL-5).
//!
//! It is a change of its type's table like any other: the actor's owner by the next table is
//! another one, so the gate shuts here, turns end, and it opens there with the state read anew.
//! Any host asks for it; what may not be is refused here, by the tables that every host has.

use std::time::Duration;

use odeon_base::Execution;
use odeon_ring::{Chain, Gate, Member, PINS_MAX, Policy, Table};

use super::{Engine, too_late, within};
use crate::error::Error;
use crate::invocation::ActorRef;
use crate::membership::Command;
use crate::status::{Relocated, Relocation};

/// How long placement may take to make the table: its window, and the time to be asked.
const TABLE: Duration = Duration::from_secs(10);

impl Engine {
    /// Gives an actor to the host of this name, or to the one that the ring names, and waits until
    /// it may run there: at most `limit`, while a turn still runs where it was.
    ///
    /// # Errors
    /// [`Error::Arguments`] when that cannot be, and why; [`Error::QueueTimeout`] when
    /// placement, which decides, did not in time.
    ///
    /// # Cancel safety
    /// What was asked of placement happens whether or not it is waited for.
    pub async fn relocate(
        &self,
        actor: &ActorRef,
        to: Option<&str>,
        limit: Duration,
    ) -> Result<Relocated, Error> {
        let entry = self.known_entry(actor);
        let entry = entry.ok_or_else(|| no_host(actor))?;
        let (standing, _) = entry.standing();
        let policy = standing.hosting.as_ref().map(|hosting| hosting.spec.config.placement);
        if entry.actor_type.is_resource() || policy.is_some_and(|policy| policy != Policy::Ring) {
            return Err(Error::Arguments(format!(
                "type is '{}', whose actors cannot be moved: expected a type that the ring places, \
                 and not what is on every host or where its store is held",
                actor.actor_type
            )));
        }
        let hash = actor.id.hash();
        let newest = standing.view.chain.as_ref().map(|chain| chain.newest().clone());
        drop(standing);
        let newest = newest.ok_or_else(|| no_host(actor))?;
        let owner = newest.owner(hash).ok_or_else(|| no_host(actor))?;
        let (from, pinned) = (owner.host.clone(), newest.pins().get(&hash));
        let target = to.map(|to| host_of(&newest, actor, to)).transpose()?;
        let is_there = match target {
            Some(target) => target.incarnation == owner.incarnation,
            None => pinned.is_none(),
        };
        if is_there {
            let state = Relocation::Unchanged;
            return Ok(Relocated { host: from.clone(), from, is_pinned: pinned.is_some(), state });
        }
        if target.is_some() && pinned.is_none() && newest.pins().len() >= PINS_MAX {
            return Err(Error::Arguments(format!(
                "{} actors of type '{}' were moved, its limit of {PINS_MAX}: expected fewer; move \
                 some back first",
                newest.pins().len(),
                actor.actor_type
            )));
        }
        let to = target.map(|target| target.incarnation);
        let told = Command::Move(entry.actor_type.clone(), hash, to);
        self.inner.commands.send(told).await.map_err(|_| Error::Closed)?;

        let chain = || entry.standing().0.view.chain.clone();
        let is_told = |chain: &Chain| chain.newest().pins().get(&hash).copied() == to;
        let is_open = |chain: &Chain| {
            let owner = chain.newest().owner(hash).map(|owner| owner.incarnation);
            owner.is_some_and(|owner| matches!(chain.gate(owner, hash), Gate::Open { .. }))
        };
        let begun = tokio::time::Instant::now();
        let until = Some(begun + TABLE.min(limit));
        let told = entry.until(|| chain().is_some_and(|chain| is_told(&chain)));
        within(until, told).await.ok_or_else(|| too_late(actor, Execution::None))?;
        let opened = entry.until(|| chain().is_some_and(|chain| is_open(&chain)));
        let is_open = within(Some(begun + limit), opened).await.is_some();
        let chain = chain().ok_or_else(|| no_host(actor))?;
        let owner = chain.newest().owner(hash).ok_or_else(|| no_host(actor))?;
        let state = if is_open { Relocation::Moved } else { Relocation::Moving };
        let is_pinned = chain.newest().pins().contains_key(&hash);
        Ok(Relocated { host: owner.host.clone(), from, is_pinned, state })
    }
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
