//! What an operator may ask an engine: types, counts, lease, connection.

use std::sync::Arc;
use std::time::Duration;

use odeon_base::{ActorId, ActorType, Epoch, Fence, HostName, Incarnation};
use odeon_ring::{Member, Policy};

/// One actor type as this host sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeStatus {
    /// The type.
    pub actor_type: ActorType,
    /// Whether it is hosted here.
    pub is_hosted: bool,
    /// Where its activations may live, if it is hosted here.
    pub placement: Option<Policy>,
    /// Activations in memory here.
    pub active: usize,
    /// The newest table, if there is one.
    pub epoch: Option<Epoch>,
    /// Why it cannot be hosted although it was offered (ACT-5).
    pub blocked: Option<&'static str>,
}

/// Where an activation is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Its memory is being made.
    Activating,
    /// In memory.
    Active,
    /// Saying goodbye.
    Closing,
}

impl Phase {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Activating => "activating",
            Self::Active => "active",
            Self::Closing => "closing",
        }
    }
}

/// An actor in memory here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActorStatus {
    /// Its id.
    pub id: ActorId,
    /// Where it is in its life.
    pub phase: Phase,
    /// What it shows the store with each commit.
    pub fence: Fence,
    /// Turns that run.
    pub running: u32,
    /// How long the turn runs that began last; `None` while none does.
    pub running_for: Option<Duration>,
    /// Calls that wait in its mailbox.
    pub waiting: usize,
    /// How long the first of them has waited.
    pub waiting_for: Option<Duration>,
    /// How long ago its last turn ended; `None` while one runs.
    pub unused_for: Option<Duration>,
}

/// A page of the actors in memory here, in order of their ids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ActorPage {
    /// The actors.
    pub actors: Vec<ActorStatus>,
    /// Whether there are more behind the last one.
    pub has_more: bool,
}

/// A table as an explanation shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableShown {
    /// Its name.
    pub epoch: Epoch,
    /// Whom it names as the actor's owner.
    pub owner: Option<Arc<Member>>,
    /// Whether that one has released the next table, or is gone.
    pub has_let_go: bool,
}

/// Why an actor is served where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// Its place on the ring.
    pub position: u64,
    /// The chain of its type as this host knows it, oldest first.
    pub tables: Vec<TableShown>,
    /// Whether this host may serve it, and if not, what it waits for.
    pub gate: &'static str,
    /// The host to which it was moved, whatever the ring says.
    pub pinned_to: Option<Arc<Member>>,
    /// Whether the owner is this host.
    pub is_here: bool,
    /// How much longer turns may start here without another renewal.
    pub lease_left: Duration,
    /// The actor, if it is in memory here.
    pub activation: Option<ActorStatus>,
}

/// How far the move of an actor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relocation {
    /// It was there already.
    Unchanged,
    /// It may run there, and does with its next call.
    Moved,
    /// It will run there once its turn has ended where it was.
    Moving,
}

/// Where an actor went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relocated {
    /// Its owner now.
    pub host: HostName,
    /// Its owner before.
    pub from: HostName,
    /// Whether it stays there whatever the ring says.
    pub is_pinned: bool,
    /// How far it is.
    pub state: Relocation,
}

/// Another host, or this one, as tables name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostSeen {
    /// Who it is.
    pub member: Arc<Member>,
    /// The types for which it stands in the newest tables.
    pub types: Vec<ActorType>,
}

/// An engine at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// All types known here, by name.
    pub types: Vec<TypeStatus>,
    /// Whether a stream to placement is open.
    pub is_placement_connected: bool,
    /// The incarnation that holds the lease.
    pub incarnation: Option<Incarnation>,
    /// How much longer turns may start without another renewal.
    pub lease_left: Duration,
    /// Whether it was told to leave.
    pub is_leaving: bool,
}
