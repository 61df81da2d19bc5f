//! The ring: hosts to virtual nodes to the owner of an actor.
//!
//! Positions are Dapr's, bit for bit (RING-1), so hosts of both kinds agree on
//! owners. A ring never changes; a membership change makes the next one, mostly
//! out of the one before. It does not know tables, epochs or who has released
//! what: see `table` and `chain`. What moved between two rings is in `moved`.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;

use hashring::HashRing;

use odeon_base::HostName;
use odeon_base::ident::ring_hash;

use crate::change::Member;

/// Virtual nodes of each host.
///
/// Wire: Dapr's default replication factor; another number names other owners.
pub const VIRTUAL_NODES: usize = 100;

/// Most hosts whose positions are remembered; past it the memory starts afresh.
pub const POSITIONS_MAX: usize = 4096;

/// One hundred points of a host, or a key: its hash is the position itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct VirtualNode {
    pub(crate) position: u64,
    /// Index into the ring's members, which are in order of host.
    pub(crate) member: u32,
}

impl Hash for VirtualNode {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.position);
    }
}

/// A key whose hash was computed long ago.
struct Key(u64);

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0);
    }
}

/// Hands the one number that it is given through.
///
/// Invariant: two machines must agree on positions, so no hasher of a library
/// and no `Hash` of std's may have a say in them.
#[derive(Debug, Clone, Copy, Default)]
struct PassThrough(u64);

impl BuildHasher for PassThrough {
    type Hasher = Self;

    fn build_hasher(&self) -> Self {
        Self(0)
    }
}

impl Hasher for PassThrough {
    fn write(&mut self, bytes: &[u8]) {
        // Not reached: nodes and keys write one u64. Still a sound hash if they ever did not.
        self.0 = ring_hash(bytes);
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Remembers where the hosts seen so far stand on every ring.
#[derive(Debug, Default)]
pub struct Positions {
    known: BTreeMap<HostName, Arc<[u64]>>,
}

impl Positions {
    /// The positions of a host's virtual nodes, ascending and each once.
    pub fn of(&mut self, host: &HostName) -> Arc<[u64]> {
        if let Some(known) = self.known.get(host) {
            return Arc::clone(known);
        }
        if self.known.len() >= POSITIONS_MAX {
            self.known.clear();
        }
        let computed = compute(host);
        self.known.insert(host.clone(), Arc::clone(&computed));
        computed
    }
}

/// Wire: the host's name followed at once by the decimal index, nothing between (RING-1).
fn compute(host: &HostName) -> Arc<[u64]> {
    let mut text = String::with_capacity(host.as_str().len() + 3);
    let mut positions: Vec<u64> = (0..VIRTUAL_NODES)
        .map(|index| {
            text.clear();
            // Writing to a string cannot fail.
            let _ = write!(text, "{host}{index}");
            ring_hash(text.as_bytes())
        })
        .collect();
    positions.sort_unstable();
    positions.dedup();
    positions.into()
}

/// An immutable ring over hosts. Equality is by content.
#[derive(Clone)]
pub struct Ring {
    /// In order of host, one for each host.
    members: Vec<Arc<Member>>,
    nodes: HashRing<VirtualNode, PassThrough>,
    /// The same nodes, ascending: `hashring` lends none of its own out.
    points: Arc<[VirtualNode]>,
    /// Whether a host lost a position to another: the text of `ip:5000` with
    /// index 12 is that of `ip:50001` with index 2.
    has_ties: bool,
}

impl Ring {
    /// Builds a ring from nothing. Of two members with one host name the later one stands.
    #[must_use]
    pub fn build(members: &[Arc<Member>], positions: &mut Positions) -> Self {
        let members = by_host(members);
        let mut nodes = Vec::with_capacity(members.len() * VIRTUAL_NODES);
        for (index, member) in (0..).zip(&members) {
            add_nodes(&mut nodes, index, &positions.of(&member.host));
        }
        Self::assemble(members, nodes, false)
    }

    /// Builds a ring for `members` out of this one; the same as [`Ring::build`], sooner.
    #[must_use]
    pub fn next(&self, members: &[Arc<Member>], positions: &mut Positions) -> Self {
        let members = by_host(members);
        let place: BTreeMap<&HostName, u32> = members.iter().map(|m| &m.host).zip(0..).collect();
        let moved: Vec<Option<u32>> =
            self.members.iter().map(|m| place.get(&m.host).copied()).collect();
        if self.has_ties && moved.contains(&None) {
            // A position may fall to a host that lost it to the one that goes.
            return Self::build(&members, positions);
        }
        let mut nodes: Vec<VirtualNode> = Vec::with_capacity(members.len() * VIRTUAL_NODES);
        nodes.extend(self.points.iter().filter_map(|node| {
            let member = moved[node.member as usize]?;
            Some(VirtualNode { position: node.position, member })
        }));
        for (index, member) in (0..).zip(&members) {
            if self.find(&member.host).is_none() {
                add_nodes(&mut nodes, index, &positions.of(&member.host));
            }
        }
        Self::assemble(members, nodes, self.has_ties)
    }

    /// Sorts, breaks ties and only then hands over: `hashring` keeps duplicates,
    /// and between equal hashes the order of insertion would decide.
    fn assemble(members: Vec<Arc<Member>>, mut nodes: Vec<VirtualNode>, had_ties: bool) -> Self {
        // Members are in order of host, so the smaller index is the smaller host.
        // The stable sort is nearly free on runs that are in order already.
        nodes.sort_by_key(|node| (node.position, node.member));
        let given = nodes.len();
        nodes.dedup_by_key(|node| node.position);
        let has_ties = had_ties || nodes.len() < given;
        let points = Arc::from(nodes.as_slice());
        let mut ring = HashRing::with_hasher(PassThrough::default());
        ring.batch_add(nodes);
        Self { members, nodes: ring, points, has_ties }
    }

    /// Who owns the actor with this hash: the first position at or after it, wrapping.
    ///
    /// Takes no lock and allocates nothing. `None` only when the ring is empty.
    #[must_use]
    pub fn owner(&self, hash: u64) -> Option<&Arc<Member>> {
        if let [only] = self.members.as_slice() {
            return Some(only);
        }
        let node = self.nodes.get(&Key(hash))?;
        self.members.get(node.member as usize)
    }

    /// The members, in order of host.
    #[must_use]
    pub fn members(&self) -> &[Arc<Member>] {
        &self.members
    }

    /// Number of virtual nodes that stand on the ring.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether no host stands on the ring.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// All nodes in ascending order.
    pub(crate) fn points(&self) -> &[VirtualNode] {
        &self.points
    }

    fn find(&self, host: &HostName) -> Option<usize> {
        self.members.binary_search_by(|member| member.host.cmp(host)).ok()
    }
}

impl PartialEq for Ring {
    /// The members decide all positions; `hashring` itself would compare nothing but those.
    fn eq(&self, other: &Self) -> bool {
        self.members == other.members
    }
}

impl Eq for Ring {}

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ring").field("members", &self.members).finish_non_exhaustive()
    }
}

fn add_nodes(nodes: &mut Vec<VirtualNode>, member: u32, positions: &[u64]) {
    nodes.extend(positions.iter().map(|&position| VirtualNode { position, member }));
}

/// In order of host, the later of two with one name.
fn by_host(members: &[Arc<Member>]) -> Vec<Arc<Member>> {
    let unique: BTreeMap<&HostName, &Arc<Member>> =
        members.iter().map(|member| (&member.host, member)).collect();
    unique.into_values().map(Arc::clone).collect()
}

#[cfg(test)]
#[path = "ring_tests.rs"]
mod tests;
