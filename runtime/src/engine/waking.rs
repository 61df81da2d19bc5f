//! Which actors this host should have in memory though nobody calls them.
//!
//! For system actors with work of their own: whoever offers one watches its tables and wakes
//! what has become this host's.

use odeon_base::{ActorId, ActorType};

use super::Engine;

impl Engine {
    /// Of these actors, those that this host owns by the newest table and that are not in memory.
    #[must_use]
    pub fn asleep(&self, actor_type: &ActorType, ids: &[ActorId]) -> Vec<ActorId> {
        let Some(entry) = self.inner.types.get(actor_type.as_str()) else { return Vec::new() };
        let Some(hosting) = entry.hosting() else { return Vec::new() };
        let (standing, _) = entry.standing();
        let Some((chain, me)) = standing.view.chain.as_ref().zip(standing.view.me) else {
            return Vec::new();
        };
        let table = chain.newest();
        let is_own =
            |id: &&ActorId| table.owner(id.hash()).is_some_and(|owner| owner.incarnation == me);
        let is_asleep = |id: &&ActorId| hosting.directory.get(id).is_none();
        ids.iter().filter(is_own).filter(is_asleep).cloned().collect()
    }

    /// Waits until the tables of a type, or how it is hosted here, are not those of the count
    /// `seen` any more; the count as it is then.
    ///
    /// # Cancel safety
    /// Can be dropped at will.
    pub async fn changed(&self, actor_type: &ActorType, seen: u64) -> u64 {
        let now = self.inner.core.lease.now();
        let entry = self.inner.types.get_or_add(actor_type, now);
        entry.until(|| entry.changes() != seen).await;
        entry.changes()
    }
}
