//! How the rest of the process speaks to placement: streams in, published tables out.
//!
//! Queries are answered from what was published last and never wait for the task that
//! decides. What that task does is in `embedded`; what it decides is in `core`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use odeon_base::{ActorId, Incarnation, LeaseClock};
use odeon_ring::{ToHost, ToPlacement, TypeKey};

use crate::core::{HostPhase, Owner, Role, Snapshot};
use crate::probe::Network;

/// A host's two ends of a stream.
type Pair = (mpsc::Sender<ToPlacement>, mpsc::Receiver<ToHost>);

/// Speaks to a running placement. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Handle {
    published: watch::Receiver<Published>,
    arrivals: mpsc::Sender<Arrival>,
    leases: Leases,
    queue: usize,
}

/// The network that the host of a stream is in; set once it has said so, if that can be believed.
pub(crate) type Origin = Arc<OnceLock<Network>>;

/// How long leases run, as far as placement waits for them. Renewals change nothing else that
/// can be seen, and are far too many to publish everything anew for each.
#[derive(Debug, Clone)]
pub(crate) struct Leases {
    clock: Arc<dyn LeaseClock>,
    deadlines: Arc<Mutex<BTreeMap<Incarnation, Duration>>>,
}

impl Leases {
    pub(crate) fn new(clock: Arc<dyn LeaseClock>) -> Self {
        Self { clock, deadlines: Arc::default() }
    }

    pub(crate) fn granted(&self, incarnation: Incarnation, until: Duration) {
        self.deadlines().insert(incarnation, until);
    }

    pub(crate) fn retain(&self, is_known: impl Fn(Incarnation) -> bool) {
        self.deadlines().retain(|incarnation, _| is_known(*incarnation));
    }

    fn deadlines(&self) -> std::sync::MutexGuard<'_, BTreeMap<Incarnation, Duration>> {
        self.deadlines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How placement is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Whether it decides.
    pub role: Role,
    /// The leader's number.
    pub term: u64,
    /// Incarnations with a lease.
    pub hosts: usize,
    /// Incarnations that wait to be admitted.
    pub joining: usize,
    /// Types that have tables.
    pub types: usize,
    /// Types that are being handed over.
    pub moving: usize,
    /// Whether the ledger refused the latest record, so that nobody new is admitted.
    pub is_ledger_failing: bool,
    /// Whether the task that decides still runs.
    pub is_running: bool,
}

/// What the task shows to the outside.
#[derive(Debug, Clone)]
pub(crate) struct Published {
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) is_ledger_failing: bool,
}

/// Placement's two ends of a stream that a host opened.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) incoming: mpsc::Receiver<ToPlacement>,
    pub(crate) outgoing: mpsc::Sender<ToHost>,
    pub(crate) origin: Origin,
}

impl Handle {
    /// A handle on a task that publishes here and takes streams from there, each with
    /// room for `queue` messages either way.
    pub(crate) fn new(
        published: watch::Receiver<Published>,
        arrivals: mpsc::Sender<Arrival>,
        leases: Leases,
        queue: usize,
    ) -> Self {
        Self { published, arrivals, leases, queue }
    }

    /// Opens a stream within the process: where a host sends, and where it hears.
    ///
    /// A stream that cannot be taken in is closed from the start, as one that broke at
    /// once. A host that reads slower than placement writes is disconnected likewise;
    /// it connects again and reports.
    #[must_use]
    pub fn connect(&self) -> Pair {
        self.connect_from(Origin::default())
    }

    /// The same for a host in this network.
    pub(crate) fn connect_from(&self, origin: Origin) -> Pair {
        let (to_placement, incoming) = mpsc::channel(self.queue);
        let (outgoing, from_placement) = mpsc::channel(self.queue);
        // Refused with a full backlog or after the end: both its ends are dropped here.
        let _ = self.arrivals.try_send(Arrival { incoming, outgoing, origin });
        (to_placement, from_placement)
    }

    /// Who owns an actor, by the newest published table; `None` while nobody offers the type.
    #[must_use]
    pub fn owner(&self, key: &TypeKey, id: &ActorId) -> Option<Owner> {
        self.tables().owner(key, id)
    }

    /// All that placement publishes: hosts, tables and marks.
    #[must_use]
    pub fn tables(&self) -> Arc<Snapshot> {
        Arc::clone(&self.published.borrow().snapshot)
    }

    /// How long placement still waits for an incarnation before it takes it for gone, if it
    /// granted it a lease; zero when that is due.
    #[must_use]
    pub fn lease_left(&self, incarnation: Incarnation) -> Option<Duration> {
        let until = self.leases.deadlines().get(&incarnation).copied();
        until.map(|until| until.saturating_sub(self.leases.clock.now()))
    }

    /// How placement is.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status_of(&self.published.borrow())
    }

    fn status_of(&self, published: &Published) -> Status {
        let Published { snapshot, is_ledger_failing } = published;
        let joining = snapshot.hosts.values().filter(|host| host.phase == HostPhase::Joining);
        let joining = joining.count();
        Status {
            role: snapshot.role,
            term: snapshot.term,
            hosts: snapshot.hosts.len() - joining,
            joining,
            types: snapshot.types.len(),
            moving: snapshot.moving(),
            is_ledger_failing: *is_ledger_failing,
            is_running: !self.arrivals.is_closed(),
        }
    }

    /// Waits until placement is as wanted; `None` if it ends before.
    ///
    /// # Cancel safety
    /// Nothing is lost when this is dropped.
    pub async fn wait_for_status(&self, is_met: impl Fn(&Status) -> bool) -> Option<Status> {
        let mut published = self.published.clone();
        let met = published.wait_for(|published| is_met(&self.status_of(published))).await.ok()?;
        Some(self.status_of(&met))
    }

    /// Waits until what is published satisfies `is_met`; `None` if placement ends before.
    ///
    /// # Cancel safety
    /// Nothing is lost when this is dropped.
    pub async fn wait_for(&self, is_met: impl Fn(&Snapshot) -> bool) -> Option<Arc<Snapshot>> {
        let mut published = self.published.clone();
        let met = published.wait_for(|published| is_met(&published.snapshot)).await.ok()?;
        Some(Arc::clone(&met.snapshot))
    }
}
