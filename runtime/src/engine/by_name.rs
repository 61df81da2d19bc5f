//! The state of actors, for code that is not the turn itself: workers in other
//! processes, and whoever looks at an actor from outside.
//!
//! A turn in this process has its state through its `Turn`; here somebody comes by
//! name, and may come too late.

use std::sync::Arc;

use odeon_base::{Execution, Fence};

use super::Engine;
use crate::error::Error;
use crate::execute::Detachable;
use crate::invocation::ActorRef;
use crate::state;
use crate::store::{ActorScope, Item, Key, Page, Scan, StateStore};
use crate::turn::{Change, Commit, only_reads, record_of};

impl Engine {
    /// Reads a key of an actor's state, whether or not the actor is active. `activation`
    /// is the one for whose turn it is asked ([`crate::Turn::activation`]), which may have
    /// ended since; `None` for everybody else.
    ///
    /// # Errors
    /// [`Error::NoStore`], [`Error::Fenced`] when another activation is live now, or what
    /// the store says.
    pub async fn read_state(
        &self,
        actor: &ActorRef,
        activation: Option<Fence>,
        key: &str,
    ) -> Result<Option<Item>, Error> {
        let items = self.read_states(actor, activation, &[key.into()]).await?;
        Ok(items.into_iter().next().flatten())
    }

    /// As [`Engine::read_state`], several keys at once, answers in their order.
    ///
    /// # Errors
    /// As [`Engine::read_state`].
    pub async fn read_states(
        &self,
        actor: &ActorRef,
        activation: Option<Fence>,
        keys: &[Arc<str>],
    ) -> Result<Vec<Option<Item>>, Error> {
        keys.iter().try_for_each(|key| state::check_name(key))?;
        match (self.active(actor), activation) {
            (Some(live), shown) => live.read_state(shown, keys.to_vec()).await,
            (None, Some(_)) => Err(superseded(actor)),
            (None, None) => {
                let (store, scope) = self.at_rest(actor)?;
                let named = |key: &Arc<str>| Key::Actor(scope.clone(), Arc::clone(key));
                let keys: Vec<Key> = keys.iter().map(named).collect();
                Ok(match keys.as_slice() {
                    [one] => vec![store.get(one).await?],
                    several => store.bulk_get(several).await?,
                })
            }
        }
    }

    /// A page of an actor's keys that begin with `starts_with`, those behind the key `after`, with
    /// their values, in byte order; at most `limit`, 1 to 1,000. `activation` as in
    /// [`Engine::read_state`].
    ///
    /// # Errors
    /// As [`Engine::read_state`].
    pub async fn list_state(
        &self,
        actor: &ActorRef,
        activation: Option<Fence>,
        starts_with: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page, Error> {
        let after = after.map(Arc::from);
        match (self.active(actor), activation) {
            (Some(live), shown) => live.scan_state(shown, starts_with.into(), after, limit).await,
            (None, Some(_)) => Err(superseded(actor)),
            (None, None) => {
                let (store, scope) = self.at_rest(actor)?;
                let after = after.map(|name| Key::Actor(scope.clone(), name));
                let scan = Scan { scope, starts_with: starts_with.into(), after, limit };
                Ok(state::visible(&**store, scan).await?)
            }
        }
    }

    /// A page of an actor's keys and values as the store has them, whether or not it is active.
    ///
    /// # Errors
    /// [`Error::NoStore`], or what the store says.
    pub async fn keys(
        &self,
        actor: &ActorRef,
        after: Option<Key>,
        limit: usize,
    ) -> Result<Page, Error> {
        let (store, scope) = self.at_rest(actor)?;
        let scan = Scan { scope, starts_with: "".into(), after, limit };
        Ok(state::visible(&**store, scan).await?)
    }

    /// Where the state of an actor lies that is asked for without its activation.
    fn at_rest(&self, actor: &ActorRef) -> Result<(&Arc<dyn StateStore>, ActorScope), Error> {
        if self.is_pooled(&actor.actor_type) {
            return Err(state::pooled(actor));
        }
        let core = &self.inner.core;
        let store = core.store().ok_or(Error::NoStore)?;
        Ok((store, state::scope(&core.config.state_prefix, actor)))
    }

    /// Commits to the state of an actor that is active here. `activation` is the
    /// one for whose turn it is done, if it says so: a commit that was long on its way must
    /// not pass under the fence of the next activation (ST-3).
    ///
    /// # Errors
    /// [`Error::NotActive`] when it is not; [`Error::Fenced`] when another activation is
    /// live now, or none; else as [`crate::Turn::commit`].
    ///
    /// # Cancel safety
    /// A commit that was sent is seen to its end.
    pub async fn write_state(
        &self,
        actor: &ActorRef,
        activation: Option<Fence>,
        commit: impl Into<Commit> + Send,
    ) -> Result<(), Error> {
        let core = &self.inner.core;
        core.store().ok_or(Error::NoStore)?;
        let live = match (self.active(actor), activation) {
            (Some(live), _) => live,
            (None, Some(_)) => return Err(superseded(actor)),
            (None, None) => return Err(Error::NotActive),
        };
        if live.with(|inner| inner.mailbox.only_reads()) {
            return Err(only_reads(actor));
        }
        let commit = commit.into();
        let commit = async move {
            // Whose turn it is cannot be told, so those of all calls with keys say that they have begun.
            let keyed = live.hosting.keyed.of(&live.actor.id);
            let (own, stored): (Vec<Change>, Vec<_>) =
                keyed.iter().map(|once| record_of(once)).unzip();
            live.commit_state(activation, commit, own).await?;
            keyed.iter().zip(stored).for_each(|(once, stored)| once.is_stored(stored));
            Ok(())
        };
        Detachable::new(&core.tasks, commit).await
    }
}

/// The activation that asks is over; its turn has run, at least in part.
fn superseded(actor: &ActorRef) -> Error {
    let ActorRef { actor_type, id } = actor.clone();
    Error::Fenced { actor_type, id, execution: Execution::Maybe }
}
