//! What an operator may ask an engine: types, counts, lease, connection.

use std::time::Duration;

use odeon_base::{ActorType, Epoch, Incarnation};
use odeon_ring::Policy;

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
}
