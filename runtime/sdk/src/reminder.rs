//! Reminders of an actor, as its code says them.
//!
//! A reminder outlives the activation and the host: it is stored with what its turn set, and
//! when it is due it calls the method of its name, in a turn of its own, at least once.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use jiff::Timestamp;
use odeon_runtime::Effect;
use odeon_runtime::schedule::{CatchUp, ReminderSpec, go_text};
use serde::Serialize;

use crate::error::Result;
use crate::wire;

/// When a reminder fires, and with what it then calls the method of its name.
///
/// ```
/// # use std::time::Duration;
/// # use odeon_sdk::{Ctx, Reminder, Result};
/// async fn place(ctx: &mut Ctx<'_>, order: u64) -> Result<()> {
///     ctx.set("order", &order)?;
///     // Calls the method `unpaid` with the order in half an hour, whatever happens until then.
///     ctx.set_reminder("unpaid", Reminder::after(Duration::from_secs(1_800)).with(&order)?)?;
///     // Calls `report` every morning, with nothing.
///     ctx.set_reminder("report", Reminder::cron("CRON_TZ=Europe/Berlin 0 9 * * *"))
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "it is set by `Ctx::set_reminder`"]
pub struct Reminder {
    first: First,
    every: Option<Duration>,
    cron: String,
    times: Option<u32>,
    until: Option<Duration>,
    catch_up: Option<CatchUp>,
    should_replace: bool,
    data: Bytes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum First {
    /// As the schedule says.
    Scheduled,
    After(Duration),
    At(SystemTime),
}

impl Reminder {
    fn of(first: First, cron: &str) -> Self {
        Self {
            first,
            every: None,
            cron: cron.to_owned(),
            times: None,
            until: None,
            catch_up: None,
            should_replace: true,
            data: Bytes::new(),
        }
    }

    /// Fires so long after the commit that sets it; with no time, at once.
    pub fn after(due: Duration) -> Self {
        Self::of(First::After(due), "")
    }

    /// Fires at this time; at once, if it has passed.
    pub fn at(time: SystemTime) -> Self {
        Self::of(First::At(time), "")
    }

    /// Fires whenever this cron expression says, of five or six fields, in UTC or behind
    /// `CRON_TZ=Europe/Berlin`; or `@daily` and the like.
    pub fn cron(expression: &str) -> Self {
        Self::of(First::Scheduled, expression)
    }

    /// Fires again and again; a millisecond at least. A [`Reminder::cron`] says so itself, and
    /// beside one it is refused.
    pub fn every(self, period: Duration) -> Self {
        Self { every: Some(period), ..self }
    }

    /// Fires so often in all, with [`Reminder::every`], without which it is refused; the period is
    /// then in whole seconds, rounded up.
    pub fn times(self, times: u32) -> Self {
        Self { times: Some(times), ..self }
    }

    /// Ends so long after the commit that sets it.
    pub fn until(self, ttl: Duration) -> Self {
        Self { until: Some(ttl), ..self }
    }

    /// What becomes of ticks whose time passed while nobody could deliver them. Default: all of
    /// a counted schedule are delivered, one of any other.
    pub fn catch_up(self, ticks: CatchUp) -> Self {
        Self { catch_up: Some(ticks), ..self }
    }

    /// Leaves one of its name as it is, if there is one. Default: it takes its place.
    pub fn unless_set(self) -> Self {
        Self { should_replace: false, ..self }
    }

    /// Calls the method with this argument; with an object, if it takes several.
    ///
    /// # Errors
    /// [`Error::Value`](crate::Error::Value) when it cannot be written as JSON.
    pub fn with<T: Serialize + ?Sized>(self, argument: &T) -> Result<Self> {
        Ok(Self { data: wire::argument("a reminder's argument", argument)?, ..self })
    }

    /// What a turn sends out to set it; else what contradicts what, in words.
    pub(crate) fn effect(self, name: &str) -> std::result::Result<Effect, String> {
        let due_time = match self.first {
            First::Scheduled => String::new(),
            First::After(due) => go_text(due),
            // What no calendar holds is refused by name, as any other text that says no time.
            First::At(time) => match Timestamp::try_from(time) {
                Ok(time) => time.to_string(),
                Err(error) => error.to_string(),
            },
        };
        let period = self.period()?;
        let spec = ReminderSpec {
            due_time,
            period,
            ttl: self.until.map(go_text).unwrap_or_default(),
            catch_up: self.catch_up,
            ..ReminderSpec::default()
        };
        let (name, data) = (name.into(), self.data);
        let should_replace = self.should_replace;
        Ok(Effect::SetReminder { name, spec: Box::new(spec), data, should_replace })
    }

    fn period(&self) -> std::result::Result<String, String> {
        let cron = || self.cron.escape_debug();
        match (self.first, self.every, self.times) {
            (First::Scheduled, Some(_), _) => Err(format!(
                "it has a period beside the cron expression '{}': expected one",
                cron()
            )),
            (First::Scheduled, None, Some(times)) => Err(format!(
                "times is {times} beside the cron expression '{}': expected a period",
                cron()
            )),
            (First::After(_) | First::At(_), None, Some(times)) => {
                Err(format!("times is {times} without a period: expected one"))
            }
            (_, None, None) => Ok(self.cron.clone()),
            (_, Some(every), None) => Ok(go_text(every)),
            (_, Some(every), Some(times)) => {
                let seconds = every.as_secs().saturating_add(u64::from(every.subsec_nanos() > 0));
                Ok(format!("R{times}/PT{seconds}S"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(reminder: Reminder) -> ReminderSpec {
        let effect = reminder.effect("r").unwrap();
        effect.check(SystemTime::UNIX_EPOCH).unwrap();
        let Effect::SetReminder { spec, .. } = effect else { panic!("{effect:?}") };
        *spec
    }

    #[test]
    fn what_is_said_becomes_a_schedule() {
        let seconds = Duration::from_secs;
        let told = |reminder| {
            let ReminderSpec { due_time, period, ttl, .. } = spec(reminder);
            [due_time, period, ttl]
        };
        assert_eq!(told(Reminder::after(seconds(90))), ["1m30s", "", ""]);
        assert_eq!(told(Reminder::after(Duration::ZERO).every(seconds(5))), ["0s", "5s", ""]);
        let often = Reminder::after(seconds(1)).every(Duration::from_millis(1_500)).times(3);
        assert_eq!(told(often.until(seconds(60))), ["1s", "R3/PT2S", "1m0s"]);
        let at = Reminder::at(SystemTime::UNIX_EPOCH + seconds(1_000_000_000));
        assert_eq!(told(at), ["2001-09-09T01:46:40Z", "", ""]);
        assert_eq!(told(Reminder::cron("0 9 * * *")), ["", "0 9 * * *", ""]);
    }

    #[test]
    fn what_says_no_time_is_refused_by_name() {
        for (reminder, words) in [
            (Reminder::cron("often"), "period is 'often'"),
            (Reminder::cron(""), "either a due time or a schedule"),
            (Reminder::after(Duration::ZERO).every(Duration::ZERO), "period is '0s'"),
            (Reminder::after(Duration::ZERO).every(Duration::MAX).times(2), "period is 'R2/PT"),
        ] {
            let refused = reminder.effect("r").unwrap().check(SystemTime::UNIX_EPOCH);
            let error = refused.unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn what_contradicts_itself_is_refused_by_name() {
        let second = Duration::from_secs(1);
        for (reminder, words) in [
            (Reminder::after(second).times(3), "times is 3 without a period"),
            (Reminder::at(SystemTime::UNIX_EPOCH).times(3), "times is 3 without a period"),
            (Reminder::cron("@daily").times(3), "times is 3 beside the cron expression '@daily'"),
            (Reminder::cron("@daily").every(second), "a period beside the cron expression"),
            (Reminder::cron("@daily").every(second).times(3), "a period beside the cron"),
        ] {
            let error = reminder.effect("r").unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}
