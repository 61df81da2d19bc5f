//! A timer's schedule: what was said, and what follows from it at a given time.
//!
//! Pure. Times are on the timer's own line, which begins at the calendar's time of its
//! registration and then runs as elapsed time does: a clock that is set moves no timer.
//! Source: actor-semantics.md 8.

use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::{Invalid, Period, When};

/// What was said of a timer when it was set; echoed word for word when it fires (TIM-7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimerSpec {
    /// When it fires first; at once, if it is empty.
    pub due_time: String,
    /// How often from then on; once, if it is empty.
    pub period: String,
    /// When it ends; never, if it is empty.
    pub ttl: String,
    /// What the application calls it by; opaque.
    pub callback: String,
    /// Whether its ticks count as use of the actor (DEA-7). Default: they do.
    pub keep_alive: bool,
}

impl Default for TimerSpec {
    fn default() -> Self {
        let [due_time, period, ttl, callback] = [const { String::new() }; 4];
        Self { due_time, period, ttl, callback, keep_alive: true }
    }
}

/// The schedule of a timer that was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimerPlan {
    began: Timestamp,
    first: Timestamp,
    period: Option<Period>,
    until: Option<Timestamp>,
    /// How many ticks are left, if there is an end to them.
    left: Option<u32>,
}

impl TimerPlan {
    /// Reads what was said at `now`.
    ///
    /// # Errors
    /// [`Invalid`] names the first field that says no time, and a `ttl` that is over already.
    pub fn new(spec: &TimerSpec, now: Timestamp) -> Result<Self, Invalid> {
        let when = |field, text: &str| -> Result<Option<Timestamp>, Invalid> {
            if text.is_empty() {
                return Ok(None);
            }
            let at = When::parse(field, text)?.from(now);
            at.map(Some).ok_or_else(|| super::invalid(field, text, "a time before the year 10000"))
        };
        let first = when("dueTime", &spec.due_time)?.unwrap_or(now).max(now);
        let period = match spec.period.as_str() {
            "" => None,
            text => Some(Period::parse("period", text)?),
        };
        let until = when("ttl", &spec.ttl)?;
        if until.is_some_and(|until| until <= now) {
            let expected = "a time to come; this one has already expired";
            return Err(super::invalid("ttl", &spec.ttl, expected));
        }
        let left = period.map_or(Some(1), |period| period.times);
        Ok(Self { began: now, first, period, until, left })
    }

    /// How long after its registration it fires for the first time, or next `after` so much time
    /// has passed since then; `None` if it is over. With the time that has really passed, what is
    /// late goes back to the grid, and what was missed on the way counts as no tick (TIM-3); with
    /// the time at which its last tick was due, no tick is left out.
    #[must_use]
    pub fn next(&self, after: Option<Duration>) -> Option<Duration> {
        if self.left == Some(0) {
            return None;
        }
        let at = match (after, self.period) {
            (None, _) => self.first,
            (Some(_), None) => return None,
            (Some(passed), Some(period)) => {
                let passed = self.began.checked_add(passed).ok()?;
                period.next(self.first, passed, &TimeZone::UTC)?.1
            }
        };
        // What falls on the end itself still fires.
        if self.until.is_some_and(|until| at > until) {
            return None;
        }
        Some(at.duration_since(self.began).max(SignedDuration::ZERO).unsigned_abs())
    }

    /// It fired once more.
    pub fn fired(&mut self) {
        self.left = self.left.map(|left| left.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(due_time: &str, period: &str, ttl: &str) -> Result<TimerPlan, Invalid> {
        let [due_time, period, ttl] = [due_time, period, ttl].map(str::to_owned);
        let spec = TimerSpec { due_time, period, ttl, ..TimerSpec::default() };
        TimerPlan::new(&spec, "2030-01-31T12:00:00Z".parse().unwrap())
    }

    /// When it fires, in milliseconds after it was set, if each callback takes so long.
    fn ticks(due_time: &str, period: &str, ttl: &str, callback: u64) -> Vec<u64> {
        let mut plan = plan(due_time, period, ttl).unwrap();
        let (mut after, mut ticks) = (None, Vec::new());
        while let Some(at) = plan.next(after).filter(|_| ticks.len() < 5) {
            ticks.push(u64::try_from(at.as_millis()).unwrap());
            plan.fired();
            after = Some(at + Duration::from_millis(callback));
        }
        ticks
    }

    #[test]
    fn tim_2_due_period_repetitions_and_end() {
        assert_eq!(ticks("", "", "", 0), [0]);
        assert_eq!(ticks("0s", "", "", 0), [0]);
        assert_eq!(ticks("1s", "", "", 0), [1_000]);
        assert_eq!(ticks("1s", "2s", "", 0), [1_000, 3_000, 5_000, 7_000, 9_000]);
        assert_eq!(ticks("", "R3/PT1S", "", 0), [0, 1_000, 2_000]);
        assert_eq!(ticks("1s", "1s", "3s", 0), [1_000, 2_000, 3_000]);
        assert_eq!(ticks("2s", "1s", "1s", 0), [0; 0]);
        assert_eq!(ticks("2030-01-31T12:00:02Z", "1s", "2030-01-31T12:00:03Z", 0), [2_000, 3_000]);
        assert_eq!(ticks("2030-01-30T12:00:00Z", "", "", 0), [0], "a due time in the past");
        let day = 24 * 3_600_000;
        assert_eq!(ticks("", "P1M", "P2M", 0), [0, 28 * day, 59 * day]);
    }

    #[test]
    fn tim_3_a_long_callback_coalesces_and_uses_up_no_repetition() {
        assert_eq!(ticks("", "100ms", "1s", 350), [0, 400, 800]);
        assert_eq!(ticks("", "R3/PT1S", "", 2_500), [0, 3_000, 6_000]);
        // One that ends on the grid waits for the next point of it.
        assert_eq!(ticks("", "R3/PT1S", "", 1_000), [0, 2_000, 4_000]);
    }

    // Dapr's way: what took long is followed by each tick that was missed, in order.
    #[test]
    fn tim_3_after_the_time_at_which_it_was_due_no_tick_is_left_out() {
        assert_eq!(ticks("", "R4/PT1S", "", 0), [0, 1_000, 2_000, 3_000]);
        let mut plan = plan("1s", "R3/PT2S", "5s").unwrap();
        let mut after = None;
        for due in [1, 3, 5].map(Duration::from_secs) {
            after = plan.next(after);
            assert_eq!(after, Some(due));
            plan.fired();
        }
        assert_eq!(plan.next(after), None);
    }

    #[test]
    fn what_says_no_time_is_named() {
        for (due_time, period, ttl, words) in [
            ("-1s", "", "", "dueTime is '-1s': expected a duration"),
            ("", "0s", "", "period is '0s': expected a duration"),
            ("", "R0/PT1S", "", "period is 'R0/PT1S': expected a duration"),
            ("", "-1s", "", "period is '-1s': expected a duration"),
            ("", "1s", "soon", "ttl is 'soon': expected a duration"),
            ("", "1s", "0s", "ttl is '0s': expected a time to come; this one has already expired"),
            ("", "", "2029-01-01T00:00:00Z", "already expired"),
            ("P9998Y", "", "", "before the year 10000"),
        ] {
            let error = plan(due_time, period, ttl).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
