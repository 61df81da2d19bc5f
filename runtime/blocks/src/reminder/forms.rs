//! What `sys.reminder` is asked and answers, in JSON.

use bytes::Bytes;
use jiff::Timestamp;
use odeon_runtime::schedule::{
    CatchUp, FailurePolicy, Length, Outcome, Progress, ReminderSpec, go_text, shown_period,
};
use odeon_runtime::{Compat, Error};
use serde::de::Deserializer;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::name::Name;
use super::row::Row;

/// That a partition is to be active. No door lets in a method that begins like this.
pub(super) const WAKE: &str = "#wake";
/// That reminders are to be registered that callers of one host asked for at the same time.
pub(super) const REGISTER: &str = "#register";
/// That a delivery has ended.
pub(super) const SETTLE: &str = "#settle";
/// That it is time to read on.
pub(super) const READ: &str = "#read";

/// That there is something to do about what turns sent out.
pub(super) const POST: &str = "#post";

/// That a call is to be stored, and made; the argument is its stored form.
pub(super) const KEEP: &str = "#keep";

/// Most reminders of one page of a list.
pub const PAGE_MAX: usize = 1_000;

/// A reminder, named.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Named {
    /// The actor's type.
    pub r#type: String,
    /// The actor's id.
    pub id: String,
    /// The reminder's name.
    pub name: String,
}

/// A reminder to be.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Registration {
    /// The actor's type.
    pub r#type: String,
    /// The actor's id.
    pub id: String,
    /// The reminder's name.
    pub name: String,
    /// As [`ReminderSpec::due_time`].
    pub due_time: String,
    /// As [`ReminderSpec::period`].
    pub period: String,
    /// As [`ReminderSpec::ttl`].
    pub ttl: String,
    /// What it carries.
    #[serde(deserialize_with = "kept", skip_serializing_if = "Option::is_none")]
    pub data: Option<Box<RawValue>>,
    /// Whether it takes the place of one of its name. Default: it does.
    pub overwrite: bool,
    /// What happens to a tick that failed. Default: three more tries, one second apart.
    pub failure_policy: Option<PolicyForm>,
    /// What happens to late ticks: `all`, `one` or `none`.
    pub catch_up: Option<CatchUpForm>,
    /// As [`ReminderSpec::fires_at_once`].
    pub fire_immediately: bool,
}

impl Default for Registration {
    fn default() -> Self {
        let [r#type, id, name, due_time, period, ttl] = [const { String::new() }; 6];
        let (data, failure_policy, catch_up) = (None, None, None);
        Self {
            r#type,
            id,
            name,
            due_time,
            period,
            ttl,
            data,
            overwrite: true,
            failure_policy,
            catch_up,
            fire_immediately: false,
        }
    }
}

/// A `null` is data, too.
fn kept<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(from).map(Some)
}

impl Registration {
    /// What is said of the schedule.
    ///
    /// # Errors
    /// [`Error::Arguments`] names the time of the policy that is none.
    pub fn spec(&self) -> Result<ReminderSpec, Error> {
        let failure = self.failure_policy.as_ref().map(PolicyForm::policy).transpose()?;
        Ok(ReminderSpec {
            due_time: self.due_time.clone(),
            period: self.period.clone(),
            ttl: self.ttl.clone(),
            failure: failure.unwrap_or_default(),
            catch_up: self.catch_up.map(CatchUp::from),
            fires_at_once: self.fire_immediately,
        })
    }

    /// The same as it is kept for whoever goes by that: [`ReminderSpec::under`].
    ///
    /// # Errors
    /// [`Error::Arguments`] for a period that is not taken there.
    pub fn under(self, compat: Compat) -> Result<Self, Error> {
        let spec = self.spec()?.under(compat);
        let spec = spec.map_err(|error| Error::Arguments(error.to_string()))?;
        Ok(Self { catch_up: spec.catch_up.map(CatchUpForm::from), ..self })
    }

    /// About how long it is when it is asked.
    pub(super) fn bytes(&self) -> usize {
        let texts = [&self.r#type, &self.id, &self.name, &self.due_time, &self.period, &self.ttl];
        let data = self.data.as_ref().map_or(0, |data| data.get().len());
        texts.iter().map(|text| text.len()).sum::<usize>() + data
    }

    /// What it carries, as it is kept.
    #[must_use]
    pub fn data(&self) -> Bytes {
        self.data
            .as_ref()
            .map(|data| Bytes::copy_from_slice(data.get().as_bytes()))
            .unwrap_or_default()
    }
}

/// [`CatchUp`] as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CatchUpForm {
    /// [`CatchUp::All`].
    All,
    /// [`CatchUp::One`].
    One,
    /// [`CatchUp::None`].
    None,
}

impl From<CatchUp> for CatchUpForm {
    fn from(ticks: CatchUp) -> Self {
        match ticks {
            CatchUp::All => Self::All,
            CatchUp::One => Self::One,
            CatchUp::None => Self::None,
        }
    }
}

impl From<CatchUpForm> for CatchUp {
    fn from(form: CatchUpForm) -> Self {
        match form {
            CatchUpForm::All => Self::All,
            CatchUpForm::One => Self::One,
            CatchUpForm::None => Self::None,
        }
    }
}

/// [`FailurePolicy`] as it is written, with durations such as `1s`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum PolicyForm {
    /// [`FailurePolicy::Drop`].
    Drop {},
    /// [`FailurePolicy::Constant`].
    Constant {
        /// Between two tries.
        interval: String,
        /// How often it is tried again; without end, if it is not said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max_retries: Option<u32>,
    },
    /// [`FailurePolicy::Exponential`].
    Exponential {
        /// Before the first of them.
        interval: String,
        /// Before any of them, at most.
        max: String,
        /// How often it is tried again; without end, if it is not said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max_retries: Option<u32>,
    },
}

impl PolicyForm {
    fn policy(&self) -> Result<FailurePolicy, Error> {
        let time = |field, text: &str| {
            let length = Length::parse(field, text).map_err(|wrong| wrong.to_string());
            let fixed = length.and_then(|length| {
                length.fixed().ok_or_else(|| format!("{field} is '{text}': expected no months"))
            });
            fixed.map_err(Error::Arguments)
        };
        let interval = |text| time("failurePolicy.interval", text);
        Ok(match self {
            Self::Drop {} => FailurePolicy::Drop,
            Self::Constant { interval: every, max_retries } => {
                FailurePolicy::Constant { interval: interval(every)?, retries: *max_retries }
            }
            Self::Exponential { interval: first, max, max_retries } => FailurePolicy::Exponential {
                interval: interval(first)?,
                max: time("failurePolicy.max", max)?,
                retries: *max_retries,
            },
        })
    }
}

impl From<FailurePolicy> for PolicyForm {
    fn from(policy: FailurePolicy) -> Self {
        match policy {
            FailurePolicy::Drop => Self::Drop {},
            FailurePolicy::Constant { interval, retries: max_retries } => {
                Self::Constant { interval: go_text(interval), max_retries }
            }
            FailurePolicy::Exponential { interval, max, retries: max_retries } => {
                Self::Exponential { interval: go_text(interval), max: go_text(max), max_retries }
            }
        }
    }
}

/// Whether a reminder was registered: `false` if one of its name stood and was not to be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registered {
    /// Whether it was.
    pub registered: bool,
}

/// How many reminders were deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deleted {
    /// How many.
    pub deleted: u64,
}

/// Whose reminders: of a type, or of one actor.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Of {
    /// The type.
    pub r#type: String,
    /// The id; of all actors of the type, if it is not said.
    pub id: Option<String>,
}

/// Which page of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Listing {
    /// The type.
    pub r#type: String,
    /// The id; of all actors of the type, if it is not said.
    pub id: Option<String>,
    /// Those behind what the page before ended with.
    pub after: Option<String>,
    /// At most this many, 1 to [`PAGE_MAX`].
    pub limit: usize,
}

impl Default for Listing {
    fn default() -> Self {
        Self { r#type: String::new(), id: None, after: None, limit: 100 }
    }
}

/// A page of reminders.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ListForm {
    /// Those of it.
    pub reminders: Vec<ReminderForm>,
    /// What to ask for to get the next page; nothing at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A reminder that may not be there.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct FoundForm {
    /// The reminder.
    pub reminder: Option<ReminderForm>,
}

/// A reminder, with where it stands (REM-14).
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ReminderForm {
    /// The actor's type.
    pub r#type: String,
    /// The actor's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// As it was registered.
    pub due_time: String,
    /// As it was registered.
    pub period: String,
    /// As it was registered.
    pub ttl: String,
    /// The period as Dapr's scheduler keeps it: `@every 1s`.
    pub schedule: String,
    /// When it ends, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// What it carries.
    #[serde(deserialize_with = "kept", skip_serializing_if = "Option::is_none")]
    pub data: Option<Box<RawValue>>,
    /// When it was registered.
    pub registered: String,
    /// When it is delivered next, or tried again.
    pub next: String,
    /// Which tick that is, counted from one along the schedule.
    pub tick: u32,
    /// How often that one failed.
    pub failures: u32,
    /// How many ticks the application took.
    pub delivered: u32,
    /// How many were lost after all their tries.
    pub lost: u32,
    /// Why its last delivery failed, if one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// What happens to a tick that failed.
    pub failure_policy: Option<PolicyForm>,
    /// Why its row cannot be read; then there is nothing else to show.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub malformed: Option<String>,
}

impl ReminderForm {
    /// What is stored under a name.
    #[must_use]
    pub fn new(name: &Name, stored: &Bytes) -> Self {
        let (actor_type, id, own) = name.parts();
        let named = Self {
            r#type: actor_type.to_owned(),
            id: id.to_owned(),
            name: own.to_owned(),
            ..Self::default()
        };
        match Row::decode(stored) {
            Ok(row) => Self::shown(named, row),
            Err(reason) => Self { malformed: Some(reason), ..named },
        }
    }

    fn shown(named: Self, row: Row) -> Self {
        let registered = Timestamp::from_millisecond(row.registered).unwrap_or_default();
        let plan = row.plan();
        let data = String::from_utf8(row.data.to_vec()).ok().filter(|data| !data.is_empty());
        Self {
            schedule: shown_period(&row.spec.period),
            expires: plan.ok().and_then(|plan| plan.until()).map(|until| {
                Timestamp::from_second(until.as_second()).unwrap_or(until).to_string()
            }),
            due_time: row.spec.due_time,
            period: row.spec.period,
            ttl: row.spec.ttl,
            data: data.and_then(|data| RawValue::from_string(data).ok()),
            registered: registered.to_string(),
            next: row.at.next().to_string(),
            tick: row.at.tick,
            failures: row.at.failures,
            delivered: row.delivered,
            lost: row.lost,
            last_error: row.error,
            failure_policy: Some(row.spec.failure.into()),
            ..named
        }
    }
}

/// What a partition is to do about its inbox.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Posting {
    /// Whether reminders are to be set and dropped.
    pub(super) reminders: bool,
    /// Whose calls are to be read: `type/id`.
    pub(super) senders: Vec<String>,
    /// Keys of what is over and to be removed.
    pub(super) over: Vec<String>,
    /// Behind which key to look through the calls of all; `""` for the first page.
    pub(super) behind: Option<String>,
}

/// What is left to do about it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Posted {
    /// Behind which key to look on; nothing at the end.
    pub(super) behind: Option<String>,
}

/// How a delivery ended, for the partition that made it, or has it by now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Settling {
    pub(super) r#type: String,
    pub(super) id: String,
    pub(super) name: String,
    pub(super) generation: u64,
    pub(super) tick: u32,
    pub(super) due: i64,
    pub(super) failures: u32,
    /// How many before it were passed over: a try after this one tells of them, too.
    #[serde(default)]
    pub(super) missed: u32,
    pub(super) ended: Ended,
    pub(super) error: Option<String>,
}

/// [`Outcome`], or that the reminder came to its end undelivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Ended {
    Done,
    Cancelled,
    Failed,
    Over,
}

impl Ended {
    pub(super) fn outcome(self) -> Outcome {
        match self {
            Self::Done => Outcome::Done,
            Self::Failed => Outcome::Failed,
            Self::Cancelled | Self::Over => Outcome::Cancelled,
        }
    }
}

impl Settling {
    pub(super) fn at(&self) -> Progress {
        let due = Timestamp::from_millisecond(self.due).unwrap_or_default();
        let Self { tick, failures, missed, .. } = *self;
        Progress { tick, due, failures, missed, again: None }
    }
}
