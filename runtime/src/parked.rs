//! Calls that wait before they have a place in a mailbox: at a shut gate, for the lease,
//! for somebody to host their type.
//!
//! They count as the mailbox's do (TURN-6): a gate that stays shut must not gather calls
//! without end. Only calls that park come here; what they wait for is `router.rs`'s.

use std::collections::HashMap;

use odeon_base::ActorId;

use crate::config::TypeConfig;
use crate::sync::{Mutex, lock};

/// How many calls wait for one actor, and how large their bodies are together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) calls: usize,
    pub(crate) bytes: usize,
}

/// The parked calls of one type.
#[derive(Debug, Default)]
pub(crate) struct Parked {
    actors: Mutex<HashMap<ActorId, Load>>,
}

impl Parked {
    /// Takes room for one more call of this actor, of which `queued` stand in its mailbox
    /// already. They count too: when the gate opens, all of them want to stand there.
    ///
    /// # Errors
    /// How many wait, when no more may.
    pub(crate) fn enter(
        &self,
        id: &ActorId,
        bytes: usize,
        queued: Load,
        limits: &TypeConfig,
    ) -> Result<Room<'_>, usize> {
        let mut actors = lock(&self.actors);
        let parked = actors.get(id).copied().unwrap_or_default();
        let calls = parked.calls + queued.calls;
        let waiting_bytes = parked.bytes + queued.bytes + bytes;
        if calls >= limits.waiting_max || waiting_bytes > limits.waiting_bytes_max {
            return Err(calls);
        }
        let load = Load { calls: parked.calls + 1, bytes: parked.bytes + bytes };
        actors.insert(id.clone(), load);
        Ok(Room { parked: self, id: id.clone(), bytes })
    }

    /// How many calls are parked.
    pub(crate) fn calls(&self) -> usize {
        lock(&self.actors).values().map(|load| load.calls).sum()
    }
}

/// Room that a parked call takes; given back on drop.
#[derive(Debug)]
pub(crate) struct Room<'a> {
    parked: &'a Parked,
    id: ActorId,
    bytes: usize,
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        let mut actors = lock(&self.parked.actors);
        let Some(load) = actors.get_mut(&self.id) else { return };
        load.calls -= 1;
        load.bytes -= self.bytes;
        if load.calls == 0 {
            actors.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_limited_per_actor_and_given_back() {
        let parked = Parked::default();
        let limits = TypeConfig { waiting_max: 3, waiting_bytes_max: 10, ..TypeConfig::default() };
        let [a, b] = ["a", "b"].map(|id| ActorId::parse(id).unwrap());
        let queued = Load { calls: 1, bytes: 2 };
        let first = parked.enter(&a, 4, queued, &limits).unwrap();
        assert_eq!(parked.enter(&a, 5, queued, &limits).unwrap_err(), 2, "11 bytes");
        let second = parked.enter(&a, 4, queued, &limits).unwrap();
        assert_eq!(parked.enter(&a, 0, queued, &limits).unwrap_err(), 3, "three calls");
        let other = parked.enter(&b, 8, queued, &limits).unwrap();
        assert_eq!(parked.calls(), 3);
        drop(second);
        drop(parked.enter(&a, 4, queued, &limits).unwrap());
        drop((first, other));
        assert!(lock(&parked.actors).is_empty(), "nothing is kept of actors nobody waits for");
    }
}
