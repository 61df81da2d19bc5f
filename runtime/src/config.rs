//! Settings of the engine and of each actor type, with their defaults.
//!
//! Parsed and valid: whoever reads flags, files or an app's own configuration
//! does so further out and hands these in by value.

use std::sync::Arc;
use std::time::Duration;

use odeon_base::{ActorType, AppId, HostName, Namespace};
use odeon_ring::Policy;

use crate::compat::Compat;
use crate::seams::Behaviour;

/// Settings of one engine.
#[derive(Debug, Clone)]
pub struct Config {
    /// The application beside this host; first part of its actors' state keys (ST-4).
    pub app: AppId,
    /// The namespace of all types of this host.
    pub namespace: Namespace,
    /// The name by which the ring knows this host.
    pub host: HostName,
    /// Where peers reach this host.
    pub address: Arc<str>,
    /// Whose behaviour counts where ours differs from Dapr's on purpose. Default: ours.
    pub compat: Compat,
    /// First part of the stored keys of actors; default: the app id (ST-4).
    pub state_prefix: Arc<str>,
    /// How long a call waits for somebody to host its type: counted from the start,
    /// and again from when the last host of the type went away. Default: 3 s (RT-6).
    pub no_host_wait: Duration,
    /// How long a call waits for somebody to hold the resource that it needs, such as a store
    /// whose holder is being replaced. Default: 10 s.
    pub holder_wait: Duration,
    /// Bodies that may wait on this host, in bytes. Default: 1 GiB (TURN-6).
    pub waiting_bytes_max: usize,
    /// Operations in one state transaction. Default: 1,000 (ST-2).
    pub transaction_ops_max: usize,
    /// Bytes of keys and values in one state transaction. Default: 4 MiB (ST-2).
    pub transaction_bytes_max: usize,
    /// Calls whose answers nobody waits for, on their way on this host at once; more are refused like
    /// those that find a mailbox full. Default: 100,000 (OW-1).
    pub one_way_max: usize,
    /// How often a call that certainly did not run is sent again. Default: 5 (RT-3).
    pub attempts_max: u32,
    /// How many activations are deactivated at once when a host leaves. Default: 256 (DEA-8).
    pub deactivations_max: usize,
}

impl Config {
    /// Defaults for an app on a host.
    #[must_use]
    pub fn new(app: AppId, host: HostName) -> Self {
        Self {
            state_prefix: app.as_str().into(),
            app,
            namespace: Namespace::default(),
            compat: Compat::default(),
            address: host.as_str().into(),
            host,
            no_host_wait: Duration::from_secs(3),
            holder_wait: Duration::from_secs(10),
            waiting_bytes_max: 1 << 30,
            transaction_ops_max: 1_000,
            transaction_bytes_max: 4 << 20,
            one_way_max: 100_000,
            attempts_max: 5,
            deactivations_max: 256,
        }
    }
}

/// How many turns of one actor may run at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TurnPolicy {
    /// One at a time (TURN-1).
    #[default]
    Exclusive,
    /// Interleaved up to a limit: for a system actor that orders its own writes.
    Concurrent {
        /// How many at once.
        max: u32,
    },
}

/// How a turn stands to others of its actor (REE-5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sharing {
    /// It runs alone, beside interleaving ones only.
    #[default]
    Alone,
    /// It changes nothing, and runs beside others that do not either.
    ReadOnly,
    /// It runs beside any.
    Interleaving,
}

/// Calls that join a turn of their own chain (REE-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reentrancy {
    /// How deep. Default: 32.
    pub stack_depth_max: u32,
}

/// From when an actor counts as unused (DEA-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IdleFrom {
    /// From the end of its last turn; while one runs it is in use.
    #[default]
    TurnEnd,
    /// From the beginning of its last turn, as in Dapr: one that takes longer than the idle time
    /// is the last of its activation. It ends in order all the same, which in Dapr it does not.
    TurnBegin,
}

/// What is read from the store when an actor is activated (ACT-4).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Preload {
    /// Nothing.
    #[default]
    None,
    /// These keys, in one read; kept in the activation's cache.
    Keys(Arc<[Arc<str>]>),
    /// All keys of the actor; kept in the activation's cache.
    All,
}

/// Actors without state that run where they are called, several turns at once (PL-3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    /// Turns of one actor that run at once on this host, at most.
    pub max_per_host: u32,
    /// Calls that wait for the running turns before one more begins. Default: 0.
    pub scale_at: u32,
}

/// Settings of one actor type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeConfig {
    /// Where activations live. Default: placed by the ring.
    pub placement: Policy,
    /// The id that is kept in the resource, for a type that is a resource ([`Policy::Holder`]).
    pub resource: Option<Arc<str>>,
    /// How many turns run at once. Default: one.
    pub turns: TurnPolicy,
    /// An actor unused for this long is deactivated. Default: 60 min, as Dapr's.
    pub idle_timeout: Duration,
    /// From when on that is counted. Default: from the end of its last turn (DEA-1).
    pub idle_from: IdleFrom,
    /// How long a running turn may go on when its actor moves away. Default: 60 s, as
    /// Dapr's documentation says; its code uses 2 s, and so do we under [`Compat::Dapr`].
    pub drain_timeout: Duration,
    /// Whether running turns may end at all when their actor moves. Default: yes.
    pub drain_rebalanced: bool,
    /// Reentrancy; off by default, as in Dapr.
    pub reentrancy: Option<Reentrancy>,
    /// Methods that write no state and run beside each other, sorted. Default: none (REE-5).
    pub read_only: Arc<[Arc<str>]>,
    /// Methods that run beside any, sorted. Default: none (REE-5).
    pub interleaving: Arc<[Arc<str>]>,
    /// Answer a call cycle with an error instead of waiting for ever. Default: yes (REE-4).
    pub detect_cycles: bool,
    /// A turn that runs longer ends its activation. Default: no limit (TURN-5).
    pub turn_max: Option<Duration>,
    /// Calls that may wait for one actor. Default: 10,000 (TURN-6).
    pub waiting_max: usize,
    /// Bodies that may wait for one actor, in bytes. Default: 64 MiB (TURN-6).
    pub waiting_bytes_max: usize,
    /// Turns of the whole type that may run at once on this host. Default: no limit (TURN-8).
    pub turns_max: Option<u32>,
    /// Whether the actors may have state; a type without is hosted without a store (ACT-5).
    pub stateless: bool,
    /// Whether calls run on the host that they came to, several at once; only for a type without
    /// state. Default: no (PL-3).
    pub pool: Option<Pool>,
    /// For how long the answer to a call with an idempotency key is kept. Default: 24 h (RT-4).
    pub idempotency_ttl: Duration,
    /// Keep what was read and written in memory while the actor is active (ST-1).
    pub cache: bool,
    /// What to read at activation (ACT-4).
    pub preload: Preload,
}

impl Default for TypeConfig {
    fn default() -> Self {
        Self {
            placement: Policy::Ring,
            resource: None,
            turns: TurnPolicy::Exclusive,
            idle_timeout: Duration::from_secs(3600),
            idle_from: IdleFrom::TurnEnd,
            drain_timeout: Duration::from_secs(60),
            drain_rebalanced: true,
            reentrancy: None,
            read_only: Arc::default(),
            interleaving: Arc::default(),
            detect_cycles: true,
            turn_max: None,
            waiting_max: 10_000,
            waiting_bytes_max: 64 << 20,
            turns_max: None,
            stateless: false,
            pool: None,
            idempotency_ttl: Duration::from_secs(24 * 3_600),
            cache: false,
            preload: Preload::None,
        }
    }
}

/// More than any memory holds, and room left to add to it.
const UNBOUNDED: usize = usize::MAX / 2;

impl TypeConfig {
    /// What holds for an application's type that says nothing of its own. Under [`Compat::Dapr`]:
    /// no bound to the calls that wait (TURN-6), no look for call cycles (REE-4), 2 s for running
    /// turns when their actor moves, as Dapr's code has it, and idle times that are counted from
    /// the beginning of a turn (DEA-1).
    #[must_use]
    pub fn under(compat: Compat) -> Self {
        let ours = Self::default();
        match compat {
            Compat::Odeon => ours,
            Compat::Dapr => Self {
                idle_from: IdleFrom::TurnBegin,
                drain_timeout: Duration::from_secs(2),
                detect_cycles: false,
                waiting_max: UNBOUNDED,
                waiting_bytes_max: UNBOUNDED,
                ..ours
            },
        }
    }

    /// How a turn of this method stands to others of its actor.
    #[must_use]
    pub fn sharing(&self, method: &str) -> Sharing {
        let is_in = |all: &[Arc<str>]| all.binary_search_by(|one| (**one).cmp(method)).is_ok();
        if is_in(&self.read_only) {
            Sharing::ReadOnly
        } else if is_in(&self.interleaving) {
            Sharing::Interleaving
        } else {
            Sharing::Alone
        }
    }

    /// Whether turns of an actor may run beside each other by their methods.
    #[must_use]
    pub fn shares_turns(&self) -> bool {
        !self.read_only.is_empty() || !self.interleaving.is_empty()
    }

    /// Whether actors of the type can be hosted only where there is a store for their
    /// state (ACT-5); what has no owner on the ring has no fenced state either.
    #[must_use]
    pub fn needs_store(&self) -> bool {
        !self.stateless && self.placement == Policy::Ring
    }
}

/// A type that this host offers: its settings and the code that runs its turns.
#[derive(Debug, Clone)]
pub struct TypeSpec {
    /// The type.
    pub actor_type: ActorType,
    /// Its settings.
    pub config: TypeConfig,
    /// Who runs the turns.
    pub behaviour: Arc<dyn Behaviour>,
}
