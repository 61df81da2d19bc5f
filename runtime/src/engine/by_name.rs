//! The state of actors, for code that is not the turn itself: workers in other
//! processes, and whoever looks at an actor from outside.
//!
//! A turn in this process has its state through its `Turn`; here somebody comes by
//! name, and may come too late.

use odeon_base::{Execution, Fence};

use super::Engine;
use crate::error::Error;
use crate::execute::Detachable;
use crate::invocation::ActorRef;
use crate::state;
use crate::store::{Item, Key};
use crate::turn::Change;

impl Engine {
    /// Reads a key of an actor's state, whether or not the actor is active.
    ///
    /// # Errors
    /// [`Error::NoStore`], [`Error::Fenced`], or what the store says.
    pub async fn read_state(&self, actor: &ActorRef, key: &str) -> Result<Option<Item>, Error> {
        self.read_state_of(actor, None, key).await
    }

    /// As [`Engine::read_state`], for the turn of an activation
    /// ([`crate::Turn::activation`]) that may have ended since.
    ///
    /// # Errors
    /// As [`Engine::read_state`]; [`Error::Fenced`] when another activation is live now.
    pub async fn read_state_of(
        &self,
        actor: &ActorRef,
        activation: Option<Fence>,
        key: &str,
    ) -> Result<Option<Item>, Error> {
        match (self.active(actor), activation) {
            (Some(live), shown) => {
                let items = live.read_state(shown, vec![key.into()]).await?;
                Ok(items.into_iter().next().flatten())
            }
            (None, Some(_)) => Err(superseded(actor)),
            (None, None) => {
                let core = &self.inner.core;
                let store = core.store().ok_or(Error::NoStore)?;
                let scope = state::scope(&core.config.state_prefix, actor);
                Ok(store.get(&Key::Actor(scope, key.into())).await?)
            }
        }
    }

    /// Commits changes to the state of an actor that is active here.
    ///
    /// # Errors
    /// [`Error::NotActive`] when it is not; else as [`crate::Turn::commit`].
    ///
    /// # Cancel safety
    /// A commit that was sent is seen to its end.
    pub async fn write_state(&self, actor: &ActorRef, changes: Vec<Change>) -> Result<(), Error> {
        self.write_state_of(actor, None, changes).await
    }

    /// As [`Engine::write_state`], for the turn of an activation ([`crate::Turn::activation`])
    /// that may have ended since: a commit that was long on its way must not pass under
    /// the fence of the next activation (ST-3).
    ///
    /// # Errors
    /// As [`Engine::write_state`]; [`Error::Fenced`] when another activation is live
    /// now, or none.
    ///
    /// # Cancel safety
    /// A commit that was sent is seen to its end.
    pub async fn write_state_of(
        &self,
        actor: &ActorRef,
        activation: Option<Fence>,
        changes: Vec<Change>,
    ) -> Result<(), Error> {
        let core = &self.inner.core;
        core.store().ok_or(Error::NoStore)?;
        let live = match (self.active(actor), activation) {
            (Some(live), _) => live,
            (None, Some(_)) => return Err(superseded(actor)),
            (None, None) => return Err(Error::NotActive),
        };
        let commit = async move { live.commit_state(activation, changes).await };
        Detachable::new(&core.tasks, commit).await
    }
}

/// The activation that asks is over; its turn has run, at least in part.
fn superseded(actor: &ActorRef) -> Error {
    let ActorRef { actor_type, id } = actor.clone();
    Error::Fenced { actor_type, id, execution: Execution::Maybe }
}
