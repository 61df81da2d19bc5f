//! A reminder's schedule: what was said, and what follows from it at a given time.
//!
//! Pure. Times are those of the calendar. Which tick is next is counted, never computed from
//! the clock, so a clock that is set back fires nothing twice, and one that is set forward is
//! as good as a time in which nobody was there (REM-15). Source: actor-semantics.md 9.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::cron::{self, Cron};
use super::{Invalid, Period, When, go_duration, go_text, invalid};
use crate::compat::Compat;

/// What happens to a tick that failed (REM-6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailurePolicy {
    /// It is lost.
    Drop,
    /// It is tried again after the same time each time.
    Constant {
        /// Between two tries.
        interval: Duration,
        /// How often it is tried again; until it succeeds, if it is not said.
        retries: Option<u32>,
    },
    /// It is tried again after twice the time each time.
    Exponential {
        /// Before the first of them.
        interval: Duration,
        /// Before any of them, at most.
        max: Duration,
        /// How often it is tried again; until it succeeds, if it is not said.
        retries: Option<u32>,
    },
}

impl Default for FailurePolicy {
    fn default() -> Self {
        Self::Constant { interval: Duration::from_secs(1), retries: Some(3) }
    }
}

impl FailurePolicy {
    /// The shortest time between two tries, or one that always fails would keep a host busy.
    pub const INTERVAL_MIN: Duration = Duration::from_millis(10);

    /// How long to wait after so many failures of one tick; `None` if it is lost.
    #[must_use]
    pub fn wait(&self, failures: u32) -> Option<Duration> {
        let (wait, retries) = match self {
            Self::Drop => return None,
            Self::Constant { interval, retries } => (*interval, retries),
            Self::Exponential { interval, max, retries } => {
                let doublings = failures.saturating_sub(1).min(31);
                (interval.saturating_mul(1 << doublings).min(*max), retries)
            }
        };
        let is_tried = retries.is_none_or(|retries| failures <= retries);
        is_tried.then_some(wait.max(Self::INTERVAL_MIN))
    }
}

/// What becomes of ticks whose time passed while nobody could deliver them (REM-7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CatchUp {
    /// Each is delivered, one after the other.
    All,
    /// The last of them is, and told how many there were before it.
    One,
    /// None is.
    None,
}

/// What was said of a reminder when it was registered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReminderSpec {
    /// When it fires first; after one period, if it is empty (REM-3).
    pub due_time: String,
    /// How often from then on; once, if it is empty.
    pub period: String,
    /// When it ends; never, if it is empty.
    pub ttl: String,
    /// What happens to a tick that failed.
    pub failure: FailurePolicy,
    /// What happens to late ticks. Default: all of a counted schedule, one of any other.
    pub catch_up: Option<CatchUp>,
    /// Whether it fires at once, if no time is said for the first. Default: it does not (REM-3).
    pub fires_at_once: bool,
}

impl ReminderSpec {
    /// The same as it is kept for whoever goes by that. Under [`Compat::Dapr`] every late tick of
    /// one that says nothing of them is delivered (REM-7), and a period is so much time or
    /// nothing (REM-2).
    ///
    /// # Errors
    /// [`Unschedulable::Period`] for a period that Dapr refuses. What says no time at all is told
    /// by [`ReminderPlan::new`].
    pub fn under(self, compat: Compat) -> Result<Self, Unschedulable> {
        if compat == Compat::Odeon || self.period.is_empty() {
            return Ok(self);
        }
        let is_ours = Repeat::read(&self.period).is_some();
        let is_daprs = Period::parse("period", &self.period)
            .is_ok_and(|period| period.every.months == 0 && period.every.days == 0);
        if is_ours && !is_daprs {
            return Err(Unschedulable::Period(self.period));
        }
        let catch_up = self.catch_up.or(Some(CatchUp::All));
        Ok(Self { catch_up, ..self })
    }
}

/// A reminder that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unschedulable {
    /// A field says no time.
    #[error(transparent)]
    Field(#[from] Invalid),
    /// It would never fire.
    #[error("job must have either a due time or a schedule")]
    Never,
    /// Its period is one that Dapr does not take (REM-2).
    #[error("unsupported period format: {}", .0.escape_debug())]
    Period(String),
}

/// Where a reminder stands in its schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The tick that is next, counted from one along the schedule; those passed over count too.
    pub tick: u32,
    /// When the schedule has it.
    pub due: Timestamp,
    /// How often it failed.
    pub failures: u32,
    /// How many before it were passed over since the last that was delivered.
    pub missed: u32,
    /// When it may be tried again, if it failed.
    pub again: Option<Timestamp>,
}

impl Progress {
    /// When something is to be done about it.
    #[must_use]
    pub fn next(&self) -> Timestamp {
        self.again.map_or(self.due, |again| again.max(self.due))
    }
}

/// What a reminder's turn has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// It waits, perhaps for a later tick than before.
    Wait(Progress),
    /// This tick is delivered now.
    Fire(Progress),
    /// It is over.
    Over,
}

/// How the delivery of a tick ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The application took it.
    Done,
    /// The application took it, and wants no more (REM-8).
    Cancelled,
    /// It failed, or may have.
    Failed,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Repeat {
    Once,
    Every(Period, TimeZone),
    Cron(Box<Cron>),
}

/// The schedule of a reminder that was registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReminderPlan {
    first: Timestamp,
    /// Whence periods are counted, and how many of them before the first tick.
    origin: (Timestamp, u32),
    repeat: Repeat,
    until: Option<Timestamp>,
    catch_up: CatchUp,
    failure: FailurePolicy,
}

const PERIOD: &str = "a duration such as '1h30m', 'PT1H30M' or 'P1M' of at least 1 ms, with \
                      repetitions such as 'R5/PT10S', '@every 1h30m', '@daily', or a cron \
                      expression of five or six fields, with a zone such as \
                      'CRON_TZ=Europe/Berlin 0 9 * * *'";
const CALENDAR: &str = "a time before the year 10000";
/// Ticks of a cron expression that are counted one by one when they are passed over.
const COUNTED_MAX: u32 = 1_000;

impl ReminderPlan {
    /// Reads what was said at `now`.
    ///
    /// # Errors
    /// [`Unschedulable`]: the first field that says no time, a `ttl` that is over already, or
    /// that neither a first time nor a period was said.
    pub fn new(spec: &ReminderSpec, now: Timestamp) -> Result<Self, Unschedulable> {
        let repeat = Repeat::parse(&spec.period)?;
        let due = when("dueTime", &spec.due_time, now)?;
        if due.is_none() && repeat == Repeat::Once {
            return Err(Unschedulable::Never);
        }
        let until = when("ttl", &spec.ttl, now)?;
        if until.is_some_and(|until| until <= now) {
            let expected = "a time to come; this one has already expired";
            return Err(invalid("ttl", &spec.ttl, expected).into());
        }
        let (first, skipped) = match due {
            // What is past fires now (REM-4).
            Some(due) => (due.max(now), 0),
            None if spec.fires_at_once => (now, 0),
            None => {
                let later = repeat.after(now, 1, now);
                (later.ok_or_else(|| invalid("period", &spec.period, CALENDAR))?, 1)
            }
        };
        // A month after the last of January is not that day of each month.
        let origin = (if skipped == 0 { first } else { now }, skipped);
        let by_default = if repeat.times().is_some() { CatchUp::All } else { CatchUp::One };
        let catch_up = spec.catch_up.unwrap_or(by_default);
        Ok(Self { first, origin, repeat, until, catch_up, failure: spec.failure })
    }

    /// Where it stands at first; `None` if it ends before it fires.
    #[must_use]
    pub fn begin(&self) -> Option<Progress> {
        self.tick(1, whole(self.first))
    }

    /// When it ends, if it does.
    #[must_use]
    pub fn until(&self) -> Option<Timestamp> {
        self.until
    }

    /// What is to be done about it at `now`.
    #[must_use]
    pub fn look(&self, at: &Progress, now: Timestamp) -> Look {
        // Not delivered by then, it is dropped (REM-4).
        if self.until.is_some_and(|until| now > until) {
            return Look::Over;
        }
        if now < at.next() {
            return Look::Wait(*at);
        }
        // A tick that is being tried again is not passed over.
        if self.catch_up == CatchUp::All || at.failures > 0 {
            return Look::Fire(*at);
        }
        let (passed, latest) = self.latest(at, now);
        match (self.catch_up, passed) {
            (CatchUp::None, 1..) => match self.following(at.tick.saturating_add(passed), latest) {
                None => Look::Over,
                Some(next) => Look::Wait(Progress {
                    missed: at.missed.saturating_add(passed).saturating_add(1),
                    ..next
                }),
            },
            (CatchUp::All | CatchUp::One | CatchUp::None, _) => Look::Fire(Progress {
                tick: at.tick.saturating_add(passed),
                due: latest,
                missed: at.missed.saturating_add(passed),
                ..*at
            }),
        }
    }

    /// Where it stands after the delivery of the tick at `at`; `None` if it is over.
    #[must_use]
    pub fn after(&self, at: &Progress, outcome: Outcome, now: Timestamp) -> Option<Progress> {
        match outcome {
            Outcome::Cancelled => None,
            Outcome::Done => self.following(at.tick, at.due),
            Outcome::Failed => {
                let failures = at.failures.saturating_add(1);
                let again = self.failure.wait(failures).and_then(|wait| {
                    now.checked_add(jiff::SignedDuration::try_from(wait).ok()?).ok().map(whole)
                });
                match again {
                    Some(again) if self.until.is_none_or(|until| again <= until) => {
                        Some(Progress { failures, again: Some(again), ..*at })
                    }
                    Some(_) | None => self.following(at.tick, at.due),
                }
            }
        }
    }

    /// How many ticks behind that at `at` have come too, and when the last of them was due.
    fn latest(&self, at: &Progress, now: Timestamp) -> (u32, Timestamp) {
        let none = (0, at.due);
        match &self.repeat {
            Repeat::Once => none,
            Repeat::Every(period, zone) => {
                let (origin, skipped) = self.origin;
                let Some((next, _)) = period.next(origin, now, zone) else { return none };
                // Ticks count from one, what the period counts from nothing.
                let latest = next.saturating_sub(skipped);
                let latest = period.times.map_or(latest, |times| latest.min(times));
                let passed = latest.saturating_sub(at.tick);
                let periods = (latest + skipped).saturating_sub(1);
                let due = period.every.times_after(origin, periods, zone);
                match due.map(whole) {
                    Some(due) if passed > 0 && due <= now => (passed, due),
                    _ => none,
                }
            }
            Repeat::Cron(cron) => {
                let (mut passed, mut due) = none;
                while passed < COUNTED_MAX {
                    match cron.after(due) {
                        Some(next) if next <= now => (passed, due) = (passed + 1, next),
                        Some(_) | None => return (passed, due),
                    }
                }
                (passed, cron.until(now).map_or(due, |last| last.max(due)))
            }
        }
    }

    fn following(&self, tick: u32, due: Timestamp) -> Option<Progress> {
        if self.repeat.times().is_some_and(|times| tick >= times) {
            return None;
        }
        let (origin, skipped) = self.origin;
        let next = self.repeat.after(origin, tick.checked_add(skipped)?, due)?;
        self.tick(tick.checked_add(1)?, whole(next))
    }

    fn tick(&self, tick: u32, due: Timestamp) -> Option<Progress> {
        let progress = Progress { tick, due, failures: 0, missed: 0, again: None };
        self.until.is_none_or(|until| due <= until).then_some(progress)
    }
}

impl Repeat {
    fn parse(text: &str) -> Result<Self, Invalid> {
        if text.is_empty() {
            return Ok(Self::Once);
        }
        Self::read(text).ok_or_else(|| invalid("period", text, PERIOD))
    }

    fn read(text: &str) -> Option<Self> {
        let (zone, rest) = cron::zone(text)?;
        if let Some(every) = rest.strip_prefix("@every ") {
            let every = go_duration(every.trim()).filter(|every| *every >= Period::MIN)?;
            return Some(Self::Every(Period { every: every.into(), times: None }, zone));
        }
        if rest.starts_with('@') || rest.contains(' ') {
            return Cron::parse(rest, zone).map(|cron| Self::Cron(Box::new(cron)));
        }
        Period::parse("period", rest).ok().map(|period| Self::Every(period, zone))
    }

    /// How many ticks there are in all, if there is an end to them.
    fn times(&self) -> Option<u32> {
        match self {
            Self::Once => Some(1),
            Self::Every(period, _) => period.times,
            Self::Cron(_) => None,
        }
    }

    /// The time so many periods after `origin`; of a cron expression, that after `due`.
    fn after(&self, origin: Timestamp, n: u32, due: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Once => None,
            Self::Every(period, zone) => period.every.times_after(origin, n, zone),
            Self::Cron(cron) => cron.after(due),
        }
    }
}

/// A period as it is shown: `@every 1s` for any that is so much time, else as it was written.
#[must_use]
pub fn shown_period(text: &str) -> String {
    match Repeat::read(text) {
        Some(Repeat::Every(period, _)) => match period.every.fixed() {
            Some(fixed) => format!("@every {}", go_text(fixed)),
            None => text.to_owned(),
        },
        Some(Repeat::Once | Repeat::Cron(_)) | None => text.to_owned(),
    }
}

fn when(field: &'static str, text: &str, now: Timestamp) -> Result<Option<Timestamp>, Invalid> {
    if text.is_empty() {
        return Ok(None);
    }
    let at = When::parse(field, text)?.from(now);
    at.map(Some).ok_or_else(|| invalid(field, text, CALENDAR))
}

/// Rounded up to the millisecond, in which due times are kept: never early (REM-1).
fn whole(at: Timestamp) -> Timestamp {
    let millis = at.as_millisecond();
    let below = Timestamp::from_millisecond(millis).unwrap_or(at);
    if below >= at {
        return below;
    }
    Timestamp::from_millisecond(millis + 1).unwrap_or(at)
}

#[cfg(test)]
#[path = "reminder_tests.rs"]
mod tests;
