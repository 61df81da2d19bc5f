//! When an application counts as healthy. Pure. Source: http-api.md 19.5, DEA-4.

/// What changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// It is healthy now.
    Healthy,
    /// It is not any more.
    Unhealthy,
}

/// Counts probes. An application is unhealthy until the first that succeeds.
#[derive(Debug)]
pub(super) struct Vitals {
    threshold: u32,
    /// Misses in a row while it is healthy.
    healthy: Option<u32>,
}

impl Vitals {
    pub(super) fn new(threshold: u32) -> Self {
        Self { threshold, healthy: None }
    }

    /// Takes in how a probe went.
    pub(super) fn probed(&mut self, is_good: bool) -> Option<Change> {
        match (self.healthy, is_good) {
            // Unhealthy -> Healthy: one success is enough.
            (None, true) => {
                self.healthy = Some(0);
                Some(Change::Healthy)
            }
            (None, false) => None,
            (Some(_), true) => {
                self.healthy = Some(0);
                None
            }
            // Healthy -> Unhealthy: a number of misses with no success between them.
            (Some(misses), false) if misses + 1 >= self.threshold => {
                self.healthy = None;
                Some(Change::Unhealthy)
            }
            (Some(misses), false) => {
                self.healthy = Some(misses + 1);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(threshold: u32, probes: &str) -> String {
        let mut vitals = Vitals::new(threshold);
        let mut said = String::new();
        for probe in probes.chars() {
            said.push(match vitals.probed(probe == '+') {
                Some(Change::Healthy) => 'H',
                Some(Change::Unhealthy) => 'U',
                None => '.',
            });
        }
        said
    }

    #[test]
    fn misses_count_only_in_a_row() {
        for (threshold, probes, said) in [
            (3, "--+--+---+", "..H.....UH"),
            (3, "+-----", "H..U.."),
            (1, "-+-+", ".HUH"),
            (3, "+++-+++", "H......"),
        ] {
            assert_eq!(changes(threshold, probes), said, "{threshold} {probes}");
        }
    }
}
