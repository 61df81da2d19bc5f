//! When a partition looks through its whole inbox, though nobody told of anything: what was told
//! may be lost.
//!
//! Once as it becomes active, then again and again: soon while something comes or a host may have
//! died before it told, more and more seldom while all is quiet, so that an idle host is idle.

use std::time::Duration;

use odeon_base::backoff::Backoff;
use tokio::time::Instant;

/// Between two looks.
const LOOK: Backoff = Backoff { first: Duration::from_secs(5), max: Duration::from_secs(60) };
/// After a look that took long, so many times as long.
const SHARE: u32 = 20;

/// When the whole inbox is looked through, and how far that is.
#[derive(Debug)]
pub(super) struct Look {
    behind: Option<String>,
    began: Instant,
    next: Instant,
    /// The least pause, by how long the last one took.
    pace: Duration,
    /// Looks in a row before which nothing came.
    quiet: u32,
}

impl Look {
    /// It is time for the first.
    pub(super) fn at(now: Instant) -> Self {
        let pace = Duration::ZERO;
        Self { behind: Some(String::new()), began: now, next: now, pace, quiet: 0 }
    }

    /// Behind which key to look on now, if at all.
    pub(super) fn due(&mut self, now: Instant) -> Option<String> {
        if self.behind.is_none() && now >= self.next {
            (self.behind, self.began) = (Some(String::new()), now);
        }
        self.behind.clone()
    }

    /// It has come so far; `None` is the end. `jitter` is a random number from 0 to 1.
    pub(super) fn went(&mut self, behind: Option<String>, now: Instant, jitter: f64) {
        if behind.is_none() {
            self.pace = now.saturating_duration_since(self.began).saturating_mul(SHARE);
            self.next = now + LOOK.wait(self.quiet, jitter).max(self.pace);
            self.quiet = self.quiet.saturating_add(1);
        }
        self.behind = behind;
    }

    /// Something came, or may have come untold: the next look is a near one again.
    pub(super) fn stir(&mut self, now: Instant, jitter: f64) {
        self.quiet = 0;
        self.next = self.next.min(now + LOOK.wait(0, jitter).max(self.pace));
    }

    /// Whether one is under way.
    pub(super) fn is_under_way(&self) -> bool {
        self.behind.is_some()
    }

    /// When the next one is.
    pub(super) fn next(&self) -> Instant {
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In how many seconds the next look is.
    fn pause(look: &Look, now: Instant) -> u64 {
        look.next().saturating_duration_since(now).as_secs()
    }

    #[test]
    fn looks_become_rare_while_nothing_comes_and_near_again_when_something_does() {
        let mut now = Instant::now();
        let mut look = Look::at(now);
        assert_eq!(look.due(now).as_deref(), Some(""), "at once");
        let mut pauses = Vec::new();
        for _ in 0..6 {
            look.went(None, now, 1.0);
            assert_eq!(look.due(now), None);
            pauses.push(pause(&look, now));
            now = look.next();
            assert_eq!(look.due(now).as_deref(), Some(""));
        }
        assert_eq!(pauses, [5, 10, 20, 40, 60, 60]);
        look.went(None, now, 0.0);
        assert_eq!(pause(&look, now), 30);
        look.stir(now, 1.0);
        assert_eq!(pause(&look, now), 5);
        now += Duration::from_secs(3);
        look.stir(now, 1.0);
        assert_eq!(pause(&look, now), 2, "what keeps coming puts it off no further");
    }

    #[test]
    fn a_look_that_took_long_is_followed_by_a_long_pause() {
        let mut now = Instant::now();
        let mut look = Look::at(now);
        assert_eq!(look.due(now).as_deref(), Some(""));
        now += Duration::from_secs(10);
        look.went(Some("b".to_owned()), now, 1.0);
        assert_eq!(look.due(now).as_deref(), Some("b"), "it is not over");
        look.went(None, now, 1.0);
        assert_eq!(pause(&look, now), 200);
        look.stir(now, 1.0);
        assert_eq!(pause(&look, now), 200);
    }
}
