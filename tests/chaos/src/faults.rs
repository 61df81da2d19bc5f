//! What happens to a cluster, one thing after the other, decided by a seed.

use std::time::Duration;

use odeon_base::Entropy;

use crate::spaces::Link;

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
    /// No packet of a host gets anywhere, nor to it, for this long.
    Isolate(usize, Duration),
    /// No packet of the one host gets to the other for this long, and none back if both.
    Cut {
        /// Whose packets are lost.
        from: usize,
        /// On the way to whom.
        to: usize,
        /// Whether the other's are lost as well.
        both: bool,
        /// How long.
        length: Duration,
    },
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
            Self::Isolate(host, length) => format!("host {host} alone for {length:?}"),
            Self::Cut { from, to, both, length } => {
                let way = if both { "and" } else { "to" };
                format!("no packets from host {from} {way} {to} for {length:?}")
            }
        }
    }

    /// The hosts that it happens to, when it does not happen to all.
    #[must_use]
    pub fn victims(self) -> Vec<usize> {
        match self {
            Self::Kill(host) | Self::Stop(host) | Self::Pause(host, _) | Self::Isolate(host, _) => {
                vec![host]
            }
            Self::Cut { from, to, .. } => vec![from, to],
            Self::RollingRestart | Self::KillPlacement => Vec::new(),
        }
    }

    /// What it takes out of the network.
    #[must_use]
    pub fn parts(self) -> Vec<Link> {
        match self {
            Self::Isolate(host, _) => vec![Link::Cable(host)],
            Self::Cut { from, to, both: false, .. } => vec![Link::Way(from, to)],
            Self::Cut { from, to, both: true, .. } => {
                vec![Link::Way(from, to), Link::Way(to, from)]
            }
            Self::Kill(_)
            | Self::Stop(_)
            | Self::Pause(..)
            | Self::RollingRestart
            | Self::KillPlacement => Vec::new(),
        }
    }

    /// Whether calls may fail because of it: promises are made for orderly changes.
    #[must_use]
    pub fn is_hard(self) -> bool {
        !matches!(self, Self::Stop(_) | Self::RollingRestart | Self::KillPlacement)
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
    /// A host is cut off from everybody for two leases.
    Isolate,
    /// Two hosts are cut off from each other for two leases, in one direction or in both.
    Cut,
}

impl Kind {
    /// All that differ and any machine allows, in the order in which they come.
    pub const ALL: [Self; 5] =
        [Self::Kill, Self::Restart, Self::Pause, Self::Placement, Self::Freeze];

    /// Whether it takes a network that is the test's own.
    #[must_use]
    pub fn parts_the_network(self) -> bool {
        matches!(self, Self::Isolate | Self::Cut)
    }
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
        let host = self.below(self.hosts);
        let kind = self.kinds[self.next % self.kinds.len()];
        self.next += 1;
        match kind {
            Kind::Kill => Fault::Kill(host),
            Kind::Stop => Fault::Stop(host),
            Kind::Restart => Fault::RollingRestart,
            Kind::Pause => Fault::Pause(host, self.lease / 2),
            Kind::Placement => Fault::KillPlacement,
            Kind::Freeze => Fault::Pause(host, self.lease * 2),
            Kind::Isolate => Fault::Isolate(host, self.lease * 2),
            Kind::Cut => {
                let to = (host + 1 + self.below(self.hosts - 1)) % self.hosts;
                let both = self.below(2) == 0;
                Fault::Cut { from: host, to, both, length: self.lease * 2 }
            }
        }
    }

    fn below(&self, limit: usize) -> usize {
        usize::try_from(self.entropy.u64() % limit.max(1) as u64).unwrap_or_default()
    }
}
