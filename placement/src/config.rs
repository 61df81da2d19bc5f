//! The settings of placement, parsed and valid.
//!
//! Names, units and defaults stand here and nowhere else. Where a value comes from
//! (flags, files) is the host's business; what follows from it is in `core`.

use std::time::Duration;

use crate::error::Error;

/// Settings of a placement service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// L: how long an incarnation may run turns after it sent the renewal that was granted.
    ///
    /// Default: 5 s. A host's crash is noticed after 1.1 of it.
    /// Source: ownership.md, "Epoch, lease, fence".
    pub lease: Duration,
    /// When a draining turn is cut at the latest; one L later its host is renewed no more.
    ///
    /// Default: 60 s. Source: ownership.md, "A membership change", steps 4 and 7.
    pub drain_limit: Duration,
    /// How long a change waits for others, counted from the latest of them.
    ///
    /// Default: 50 ms. Source: ownership.md, step 1; DIS-7.
    pub window: Duration,
    /// How long a change waits at most while others keep coming.
    ///
    /// Default: 500 ms. Source: ownership.md, step 1.
    pub window_max: Duration,
    /// How long an expiry waits at most, whatever else keeps coming.
    ///
    /// Default: 50 ms. Source: ownership.md, step 1.
    pub expiry_window: Duration,
    /// How long marks wait for others once some were passed on; the first go on at once.
    ///
    /// Default: 5 ms. A change makes every host release at about the same time, and without
    /// this each release is a message to everybody. What moves waits so much longer at most.
    pub marks_window: Duration,
    /// Tables in the chain of a type from which on joins and leaves wait; expiries never do.
    ///
    /// Default: 8. Source: ownership.md, step 2.
    pub chain_max: usize,
    /// Whether the lock of the data directory proves that no host of the roster lives.
    ///
    /// Default: no. `standalone` says yes: its only host is this very process, so the
    /// roster is cleared at the start and nobody is waited for.
    pub former_hosts_gone: bool,
    /// Whether an empty ledger means that no host has a lease, and not that it was lost.
    ///
    /// Default: no, so that a placement that knows no roster waits 1.1 L for hosts of one
    /// whose ledger is gone. Whoever starts the whole cluster says yes.
    /// Source: ownership.md, "Placement that survives".
    pub is_new_cluster: bool,
    /// The term to begin with when the ledger is empty.
    ///
    /// Default: 1. Whoever knows the time should give the seconds of the calendar: then a
    /// placement whose ledger was lost begins above all terms it ever had, and no table can
    /// bear the name of another. (A store's `FenceAhead` shows a higher term, never an equal
    /// one.)
    pub first_term: u64,
    /// Messages that wait on a connection in each direction; a host that lets twice as many
    /// gather is disconnected, and reports again when it reads again.
    ///
    /// Default: 1024.
    pub queue: usize,
    /// Connections that wait to be taken in; one more is refused, which its host sees as closed.
    ///
    /// Default: 64.
    pub backlog: usize,
    /// How long to wait before a record that could not be saved is saved again.
    ///
    /// Default: 500 ms. Meanwhile nobody new is admitted and leases are renewed as ever.
    pub save_retry: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(5),
            drain_limit: Duration::from_secs(60),
            window: Duration::from_millis(50),
            window_max: Duration::from_millis(500),
            expiry_window: Duration::from_millis(50),
            marks_window: Duration::from_millis(5),
            chain_max: 8,
            former_hosts_gone: false,
            is_new_cluster: false,
            first_term: 1,
            queue: 1024,
            backlog: 64,
            save_retry: Duration::from_millis(500),
        }
    }
}

impl Config {
    /// 1.1 L: after it, counted from a grant here, the incarnation has stopped by itself,
    /// if no clock runs more than a tenth off.
    #[must_use]
    pub fn grant_limit(&self) -> Duration {
        self.lease.saturating_mul(11) / 10
    }

    /// Drain limit + L: a host that has not released a table by then is renewed no more.
    #[must_use]
    pub fn release_limit(&self) -> Duration {
        self.drain_limit.saturating_add(self.lease)
    }

    /// Refuses what could not work.
    ///
    /// # Errors
    /// [`Error::Config`] names the first setting that is out of range.
    pub fn check(&self) -> Result<(), Error> {
        let wrong = |setting, expected| Err(Error::Config { setting, expected });
        if self.lease.is_zero() {
            return wrong("lease", "more than zero");
        }
        if self.window > self.window_max {
            return wrong("window", "at most window_max");
        }
        if self.chain_max < 2 {
            return wrong("chain_max", "at least 2");
        }
        if self.first_term == 0 {
            return wrong("first_term", "at least 1");
        }
        if self.queue == 0 {
            return wrong("queue", "at least 1");
        }
        if self.backlog == 0 {
            return wrong("backlog", "at least 1");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_valid_and_nonsense_is_named() {
        let good = Config::default();
        assert!(good.check().is_ok());
        assert_eq!(good.grant_limit(), Duration::from_millis(5500));
        assert_eq!(good.release_limit(), Duration::from_secs(65));
        for (bad, name) in [
            (Config { lease: Duration::ZERO, ..good.clone() }, "lease"),
            (Config { window: Duration::from_secs(1), ..good.clone() }, "window"),
            (Config { chain_max: 1, ..good.clone() }, "chain_max"),
            (Config { first_term: 0, ..good.clone() }, "first_term"),
            (Config { queue: 0, ..good.clone() }, "queue"),
            (Config { backlog: 0, ..good }, "backlog"),
        ] {
            assert!(matches!(bad.check(), Err(Error::Config { setting, .. }) if setting == name));
        }
    }
}
