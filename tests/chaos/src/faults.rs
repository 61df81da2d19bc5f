//! What happens to a cluster, one thing after the other, decided by a seed.

use std::time::Duration;

use odeon_base::Entropy;

/// Something that is done to the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A host's process is killed, and started again a little later.
    Kill(usize),
    /// A host is stopped in order, and started again a little later.
    Stop(usize),
    /// A host's process is held still for this long.
    Pause(usize, Duration),
    /// Each host in turn is stopped in order, and started again.
    RollingRestart,
    /// Placement is killed, and started again a little later.
    KillPlacement,
}

impl Fault {
    /// In words.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Kill(host) => format!("kill -9 of host {host}"),
            Self::Stop(host) => format!("orderly stop of host {host}"),
            Self::Pause(host, length) => format!("SIGSTOP of host {host} for {length:?}"),
            Self::RollingRestart => "rolling restart".to_owned(),
            Self::KillPlacement => "kill -9 of placement".to_owned(),
        }
    }

    /// Whether calls may fail because of it: promises are made for orderly changes.
    #[must_use]
    pub fn is_hard(self) -> bool {
        matches!(self, Self::Kill(_) | Self::Pause(..))
    }
}

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// A host is killed.
    Kill,
    /// A host is stopped in order.
    Stop,
    /// Every host in turn is stopped in order, and started again.
    Restart,
    /// A host is held still for half a lease.
    Pause,
    /// Placement is killed.
    Placement,
    /// A host is held still for two leases.
    Freeze,
}

impl Kind {
    /// All that differ, in the order in which they come.
    pub const ALL: [Self; 5] =
        [Self::Kill, Self::Restart, Self::Pause, Self::Placement, Self::Freeze];
}

/// Faults without end, each kind in its turn, which host and for how long by chance.
#[derive(Debug)]
pub struct Plan {
    entropy: Entropy,
    hosts: usize,
    lease: Duration,
    kinds: Vec<Kind>,
    next: usize,
}

impl Plan {
    /// A plan of these kinds of faults for this many hosts.
    #[must_use]
    pub fn new(seed: u64, hosts: usize, lease: Duration, kinds: &[Kind]) -> Self {
        let kinds = if kinds.is_empty() { &Kind::ALL } else { kinds };
        Self { entropy: Entropy::seeded(seed), hosts, lease, kinds: kinds.to_vec(), next: 0 }
    }

    /// What happens next.
    pub fn next_fault(&mut self) -> Fault {
        let host = usize::try_from(self.entropy.u64() % self.hosts as u64).unwrap_or_default();
        let kind = self.kinds[self.next % self.kinds.len()];
        self.next += 1;
        match kind {
            Kind::Kill => Fault::Kill(host),
            Kind::Stop => Fault::Stop(host),
            Kind::Restart => Fault::RollingRestart,
            Kind::Pause => Fault::Pause(host, self.lease / 2),
            Kind::Placement => Fault::KillPlacement,
            Kind::Freeze => Fault::Pause(host, self.lease * 2),
        }
    }
}
