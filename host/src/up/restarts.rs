//! When a process that died is started again, and when that is pointless.
//!
//! A pure decision over how often and how quickly it died; the supervisor carries
//! it out.

use std::time::Duration;

use odeon_base::backoff::Backoff;

/// A life that was at least this long, and ready, counts as a good one.
const GOOD_LIFE: Duration = Duration::from_secs(10);
/// Bad lives in a row after which we give up.
const BAD_LIVES_MAX: u32 = 5;
/// The wait before each new start.
const WAIT: Backoff = Backoff { first: Duration::from_millis(100), max: Duration::from_secs(5) };

/// What to do about a process that died.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Decision {
    /// Start it again after this wait.
    Again(Duration),
    /// Stop everything, for this reason.
    GiveUp(&'static str),
}

/// The history of one process.
#[derive(Debug, Default)]
pub(super) struct Restarts {
    was_ready: bool,
    bad_lives: u32,
}

impl Restarts {
    /// It became ready.
    pub(super) fn ready(&mut self) {
        self.was_ready = true;
    }

    /// It died after this long.
    pub(super) fn died(&mut self, lived: Duration) -> Decision {
        if !self.was_ready {
            return Decision::GiveUp("it never became ready");
        }
        self.bad_lives = if lived >= GOOD_LIFE { 0 } else { self.bad_lives + 1 };
        if self.bad_lives >= BAD_LIVES_MAX {
            return Decision::GiveUp("it dies again and again");
        }
        Decision::Again(WAIT.wait(self.bad_lives.saturating_sub(1), 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_never_became_ready_is_given_up() {
        assert!(matches!(Restarts::default().died(Duration::from_secs(60)), Decision::GiveUp(_)));
    }

    #[test]
    fn quick_deaths_wait_longer_and_then_end_it() {
        let mut restarts = Restarts::default();
        restarts.ready();
        let short = Duration::from_secs(1);
        assert_eq!(restarts.died(short), Decision::Again(Duration::from_millis(100)));
        assert_eq!(restarts.died(short), Decision::Again(Duration::from_millis(200)));
        assert_eq!(restarts.died(GOOD_LIFE), Decision::Again(Duration::from_millis(100)));
        for _ in 0..4 {
            assert!(matches!(restarts.died(short), Decision::Again(_)));
        }
        assert!(matches!(restarts.died(short), Decision::GiveUp(_)));
    }
}
