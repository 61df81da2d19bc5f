//! What was done to the cluster, as it is judged and reported.

use std::collections::BTreeSet;
use std::time::Duration;

use odeon_test_history::{Host, Trouble as Kind};

/// Something that was done to the cluster.
#[derive(Debug, Clone)]
pub struct Trouble {
    /// What.
    pub name: String,
    /// When it began, since the run did.
    pub began: Duration,
    /// When it was over.
    pub ended: Duration,
    /// Whether calls may fail because of it.
    pub is_hard: bool,
    /// The host that it was done to; the first, if it was done to two.
    pub victim: Option<usize>,
    /// The actors that lived on its victims when it began; all, if one held the store.
    pub concerned: BTreeSet<usize>,
    /// Where the host's share moved without it: how long one of these was not answered, at most.
    pub silence: Option<Duration>,
    /// What the history is told of it.
    pub marks: Vec<Mark>,
    /// The host that said nothing any more.
    pub silences: Option<Silence>,
}

impl Trouble {
    /// Whether a host died.
    #[must_use]
    pub fn is_death(&self) -> bool {
        matches!(self.silences, Some(Silence::Dead(_)))
    }

    /// When all that the history is told of was over.
    #[must_use]
    pub fn calm(&self) -> Duration {
        self.marks.iter().map(|mark| mark.ended).max().unwrap_or(self.ended)
    }
}

/// What the history is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// What happened.
    pub trouble: Kind,
    /// Since when.
    pub began: Duration,
    /// Until when.
    pub ended: Duration,
}

/// A host that says nothing any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// For ever.
    Dead(Host),
    /// Until it goes on, or is reached again.
    Still(Host),
}

impl Silence {
    /// Which.
    #[must_use]
    pub fn host(self) -> Host {
        match self {
            Self::Dead(host) | Self::Still(host) => host,
        }
    }
}
