//! Who is active here: the activations of one type by id.
//!
//! A map that holds nothing but the activations themselves; the key is the id
//! inside. Looking up takes no lock and writes no shared line, since that is on the
//! path of every call and workers would pull such a line back and forth. The hash
//! of an id is known (it is its place on the ring), but strangers choose ids, so it
//! is mixed with a number that they do not know.

use std::borrow::Borrow;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;

use odeon_base::ActorId;
use papaya::Guard as _;

/// What has an id.
pub(crate) trait Keyed {
    fn id(&self) -> &ActorId;
}

#[derive(Debug)]
struct Slot<T>(Arc<T>);

impl<T: Keyed> Borrow<ActorId> for Slot<T> {
    fn borrow(&self) -> &ActorId {
        self.0.id()
    }
}

impl<T: Keyed> PartialEq for Slot<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0.id() == other.0.id()
    }
}

impl<T: Keyed> Eq for Slot<T> {}

impl<T: Keyed> Hash for Slot<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Hash::hash(self.0.id(), state);
    }
}

/// Mixes the one word that an id hashes to with a secret.
#[derive(Debug, Clone, Copy)]
struct Secret(u64);

#[derive(Debug)]
struct Mixer(u64);

impl BuildHasher for Secret {
    type Hasher = Mixer;

    fn build_hasher(&self) -> Mixer {
        Mixer(self.0)
    }
}

impl Hasher for Mixer {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u64(&mut self, word: u64) {
        // A folded multiplication: both halves of the wide product count.
        let wide = u128::from(self.0 ^ word).wrapping_mul(u128::from(0x9e37_79b9_7f4a_7c15_u64));
        let (low, high) = (wide & u128::from(u64::MAX), wide >> 64);
        self.0 = u64::try_from(low ^ high).unwrap_or_default();
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The activations of one type.
#[derive(Debug)]
pub(crate) struct Directory<T: Keyed + 'static> {
    slots: papaya::HashMap<Slot<T>, (), Secret>,
}

impl<T: Keyed + Send + Sync + 'static> Directory<T> {
    pub(crate) fn new(secret: u64) -> Self {
        Self { slots: papaya::HashMap::with_hasher(Secret(secret)) }
    }

    /// The activation of this id, if there is one.
    pub(crate) fn get(&self, id: &ActorId) -> Option<Arc<T>> {
        self.slots.pin().get_key_value(id).map(|(slot, ())| Arc::clone(&slot.0))
    }

    /// Puts in what was made because [`Self::get`] found nothing, unless somebody was faster;
    /// says whether it is in.
    pub(crate) fn insert(&self, made: Arc<T>) -> (Arc<T>, bool) {
        let slots = self.slots.pin();
        loop {
            if slots.try_insert(Slot(Arc::clone(&made)), ()).is_ok() {
                return (made, true);
            }
            // Unless theirs has gone again already.
            if let Some((slot, ())) = slots.get_key_value(made.id()) {
                return (Arc::clone(&slot.0), false);
            }
        }
    }

    /// Takes this very activation out; another one of the same id stays.
    pub(crate) fn remove(&self, activation: &Arc<T>) {
        let is_it = |slot: &Slot<T>, (): &()| Arc::ptr_eq(&slot.0, activation);
        // A refusal means that another one stands there: just what was wanted.
        let _ = self.slots.pin().remove_if(activation.id(), is_it);
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Those that pass the test, in no order.
    pub(crate) fn collect(&self, pick: impl Fn(&Arc<T>) -> bool) -> Vec<Arc<T>> {
        let slots = self.slots.pin();
        slots.keys().filter(|slot| pick(&slot.0)).map(|slot| Arc::clone(&slot.0)).collect()
    }

    /// Whether one passes the test.
    pub(crate) fn any(&self, pick: impl Fn(&Arc<T>) -> bool) -> bool {
        self.slots.pin().keys().any(|slot| pick(&slot.0))
    }

    /// Visits all, in no order.
    pub(crate) fn each(&self, mut visit: impl FnMut(&Arc<T>)) {
        self.slots.pin().keys().for_each(|slot| visit(&slot.0));
    }

    /// Forgets all, and frees at once what this thread took out before: until then it would
    /// wait in the map for more to be freed with, and keep what holds the map alive.
    pub(crate) fn clear(&self) {
        let guard = self.slots.guard();
        self.slots.clear(&guard);
        guard.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Holds {
        id: ActorId,
        _map: Arc<Directory<Self>>,
    }

    impl Keyed for Holds {
        fn id(&self) -> &ActorId {
            &self.id
        }
    }

    #[test]
    fn what_holds_its_map_is_freed_when_the_map_is_cleared_whether_or_not_it_was_taken_out() {
        let map = Arc::new(Directory::new(7));
        for id in ["taken-out", "still-in"] {
            let id = ActorId::parse(id).unwrap();
            map.insert(Arc::new(Holds { id, _map: Arc::clone(&map) }));
        }
        let first = map.get(&ActorId::parse("taken-out").unwrap()).unwrap();
        map.remove(&first);
        drop(first);
        map.clear();
        assert_eq!(Arc::strong_count(&map), 1);
    }
}
