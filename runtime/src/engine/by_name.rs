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
use crate::turn::Commit;

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
        let commit = commit.into();
        let commit = async move { live.commit_state(activation, commit).await };
        Detachable::new(&core.tasks, commit).await
    }
}

/// The activation that asks is over; its turn has run, at least in part.
fn superseded(actor: &ActorRef) -> Error {
    let ActorRef { actor_type, id } = actor.clone();
    Error::Fenced { actor_type, id, execution: Execution::Maybe }
}
