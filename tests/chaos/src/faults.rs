//! What happens to a cluster, one thing after the other, decided by a seed.

use std::time::Duration;

use odeon_base::Entropy;

/// Something that is done to the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A host's process is killed, and started again a little later.
    Kill(usize),
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

/// Faults without end, each kind in its turn, which host and for how long by chance.
#[derive(Debug)]
pub struct Plan {
    entropy: Entropy,
    hosts: usize,
    lease: Duration,
    next: usize,
}

impl Plan {
    /// A plan for this many hosts.
    #[must_use]
    pub fn new(seed: u64, hosts: usize, lease: Duration) -> Self {
        Self { entropy: Entropy::seeded(seed), hosts, lease, next: 0 }
    }

    /// What happens next.
    pub fn next_fault(&mut self) -> Fault {
        let host = usize::try_from(self.entropy.u64() % self.hosts as u64).unwrap_or_default();
        let kind = self.next % 5;
        self.next += 1;
        match kind {
            0 => Fault::Kill(host),
            1 => Fault::RollingRestart,
            2 => Fault::Pause(host, self.lease / 2),
            3 => Fault::KillPlacement,
            _ => Fault::Pause(host, self.lease * 2),
        }
    }
}
