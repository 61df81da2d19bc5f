//! What is stored of a reminder, in bytes.
//!
//! A version byte, then fixed numbers (big endian), then texts with their lengths in front and
//! the data to the end. Times are milliseconds since 1970. Reading accepts any bytes and never
//! panics; a row that cannot be read concerns nobody but itself (REM-13).

use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use odeon_runtime::schedule::{
    CatchUp, FailurePolicy, Progress, ReminderPlan, ReminderSpec, Unschedulable,
};

/// The version that is written; a row of another is refused.
const VERSION: u8 = 1;
/// Longest text of a failure that is kept, in bytes.
const ERROR_BYTES_MAX: usize = 512;

/// A reminder as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Tells it from those before it of the same name (REM-5).
    pub generation: u64,
    /// When it was registered, in milliseconds.
    pub registered: i64,
    /// Where it stands.
    pub at: Progress,
    /// How many ticks the application took.
    pub delivered: u32,
    /// How many were lost after all their tries.
    pub lost: u32,
    /// What was said of it.
    pub spec: ReminderSpec,
    /// Why its last delivery failed, if one did.
    pub error: Option<String>,
    /// What it carries: compact JSON, or nothing.
    pub data: Bytes,
}

impl Row {
    /// The schedule.
    ///
    /// # Errors
    /// [`Unschedulable`] when what is stored says no time.
    pub fn plan(&self) -> Result<ReminderPlan, Unschedulable> {
        let registered = Timestamp::from_millisecond(self.registered);
        ReminderPlan::new(&self.spec, registered.unwrap_or_default())
    }

    /// When something is to be done about it, in milliseconds.
    #[must_use]
    pub fn next(&self) -> u64 {
        millis(self.at.next())
    }

    /// Remembers why a delivery failed.
    pub fn blame(&mut self, error: &str) {
        let mut end = error.len().min(ERROR_BYTES_MAX);
        while !error.is_char_boundary(end) {
            end -= 1;
        }
        self.error = Some(error[..end].to_owned());
    }

    /// The stored form.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let ReminderSpec { due_time, period, ttl, failure, catch_up, fires_at_once } = &self.spec;
        let error = self.error.as_deref().unwrap_or_default();
        let texts = [due_time, period, ttl, error];
        let length: usize = texts.iter().map(|text| text.len() + 4).sum();
        let mut out = Vec::with_capacity(96 + length + self.data.len());
        out.push(VERSION);
        out.extend_from_slice(&self.generation.to_be_bytes());
        out.extend_from_slice(&self.registered.to_be_bytes());
        for number in [self.at.tick, self.at.failures, self.at.missed, self.delivered, self.lost] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        out.extend_from_slice(&self.at.due.as_millisecond().to_be_bytes());
        let again = self.at.again.map_or(i64::MIN, Timestamp::as_millisecond);
        out.extend_from_slice(&again.to_be_bytes());
        put_policy(&mut out, failure);
        out.push(match catch_up {
            None => 0,
            Some(CatchUp::All) => 1,
            Some(CatchUp::One) => 2,
            Some(CatchUp::None) => 3,
        });
        out.push(u8::from(*fires_at_once) | u8::from(self.error.is_some()) << 1);
        for text in texts {
            out.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
            out.extend_from_slice(text.as_bytes());
        }
        out.extend_from_slice(&self.data);
        out
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    pub fn decode(bytes: &Bytes) -> Result<Self, String> {
        let mut from = Reader(bytes);
        let [version] = from.take()?;
        if version != VERSION {
            return Err(format!("it has version {version}, not {VERSION}"));
        }
        let generation = u64::from_be_bytes(from.take()?);
        let registered = i64::from_be_bytes(from.take()?);
        let [tick, failures, missed, delivered, lost] =
            [from.number()?, from.number()?, from.number()?, from.number()?, from.number()?];
        let due = from.time()?.ok_or("it is never due")?;
        let at = Progress { tick, due, failures, missed, again: from.time()? };
        let failure = from.policy()?;
        let catch_up = match from.take()? {
            [0] => None,
            [1] => Some(CatchUp::All),
            [2] => Some(CatchUp::One),
            [3] => Some(CatchUp::None),
            [other] => return Err(format!("it has the catch-up {other}")),
        };
        let [flags] = from.take()?;
        if flags > 3 {
            return Err(format!("it has the flags {flags:#04x}"));
        }
        let [due_time, period, ttl, error] =
            [from.text()?, from.text()?, from.text()?, from.text()?];
        let fires_at_once = flags & 1 != 0;
        let spec = ReminderSpec { due_time, period, ttl, failure, catch_up, fires_at_once };
        let error = (flags & 2 != 0).then_some(error);
        let data = bytes.slice(bytes.len() - from.0.len()..);
        Ok(Self { generation, registered, at, delivered, lost, spec, error, data })
    }
}

/// A time in milliseconds since 1970; before that there is nothing.
#[must_use]
pub fn millis(at: Timestamp) -> u64 {
    u64::try_from(at.as_millisecond()).unwrap_or_default()
}

fn put_policy(out: &mut Vec<u8>, failure: &FailurePolicy) {
    let (kind, first, max, retries) = match failure {
        FailurePolicy::Drop => (0, Duration::ZERO, Duration::ZERO, None),
        FailurePolicy::Constant { interval, retries } => (1, *interval, Duration::ZERO, *retries),
        FailurePolicy::Exponential { interval, max, retries } => (2, *interval, *max, *retries),
    };
    out.push(kind);
    for time in [first, max] {
        out.extend_from_slice(&u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).to_be_bytes());
    }
    out.push(u8::from(retries.is_some()));
    out.extend_from_slice(&retries.unwrap_or_default().to_be_bytes());
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let (found, rest) = self.0.split_first_chunk::<N>().ok_or("it is too short")?;
        self.0 = rest;
        Ok(*found)
    }

    fn number(&mut self) -> Result<u32, String> {
        Ok(u32::from_be_bytes(self.take()?))
    }

    fn time(&mut self) -> Result<Option<Timestamp>, String> {
        let millis = i64::from_be_bytes(self.take()?);
        if millis == i64::MIN {
            return Ok(None);
        }
        Timestamp::from_millisecond(millis).map(Some).map_err(|error| error.to_string())
    }

    fn policy(&mut self) -> Result<FailurePolicy, String> {
        let [kind] = self.take()?;
        let interval = Duration::from_nanos(u64::from_be_bytes(self.take()?));
        let max = Duration::from_nanos(u64::from_be_bytes(self.take()?));
        let [is_counted] = self.take()?;
        let retries = Some(self.number()?).filter(|_| is_counted != 0);
        match kind {
            0 => Ok(FailurePolicy::Drop),
            1 => Ok(FailurePolicy::Constant { interval, retries }),
            2 => Ok(FailurePolicy::Exponential { interval, max, retries }),
            other => Err(format!("it has the failure policy {other}")),
        }
    }

    fn text(&mut self) -> Result<String, String> {
        let length = usize::try_from(self.number()?).unwrap_or(usize::MAX);
        let (text, rest) = self.0.split_at_checked(length).ok_or("it is too short")?;
        self.0 = rest;
        String::from_utf8(text.to_vec()).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn time() -> impl Strategy<Value = Timestamp> {
        (0..4_000_000_000_000_i64).prop_map(|ms| Timestamp::from_millisecond(ms).unwrap())
    }

    fn spec() -> impl Strategy<Value = ReminderSpec> {
        let duration = || any::<u32>().prop_map(|ms| Duration::from_millis(ms.into()));
        let failure = prop_oneof![
            Just(FailurePolicy::Drop),
            (duration(), any::<Option<u32>>())
                .prop_map(|(interval, retries)| FailurePolicy::Constant { interval, retries }),
            (duration(), duration(), any::<Option<u32>>()).prop_map(|(interval, max, retries)| {
                FailurePolicy::Exponential { interval, max, retries }
            }),
        ];
        let catch_up = prop_oneof![
            Just(None),
            Just(Some(CatchUp::All)),
            Just(Some(CatchUp::One)),
            Just(Some(CatchUp::None)),
        ];
        (".{0,9}", ".{0,9}", ".{0,9}", failure, catch_up, any::<bool>()).prop_map(
            |(due_time, period, ttl, failure, catch_up, fires_at_once)| ReminderSpec {
                due_time,
                period,
                ttl,
                failure,
                catch_up,
                fires_at_once,
            },
        )
    }

    fn row() -> impl Strategy<Value = Row> {
        let numbers = any::<(u64, i64, u32, u32, u32, u32, u32)>();
        let at = (time(), proptest::option::of(time()));
        let data = proptest::collection::vec(any::<u8>(), 0..40);
        (numbers, at, spec(), any::<Option<String>>(), data).prop_map(
            |(numbers, (due, again), spec, error, data)| {
                let (generation, registered, tick, failures, missed, delivered, lost) = numbers;
                let at = Progress { tick, due, failures, missed, again };
                let data = data.into();
                Row { generation, registered, at, delivered, lost, spec, error, data }
            },
        )
    }

    proptest! {
        #[test]
        fn rows_come_back_as_they_were(row in row()) {
            prop_assert_eq!(Row::decode(&row.encode().into()), Ok(row));
        }

        #[test]
        fn rem_13_no_bytes_break_it(
            row in row(),
            at in any::<prop::sample::Index>(),
            byte: u8,
            kept in any::<prop::sample::Index>(),
        ) {
            let mut bytes = row.encode();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let kept = kept.index(bytes.len());
            let _ = Row::decode(&Bytes::from(bytes[..kept].to_vec()));
            if let Ok(row) = Row::decode(&bytes.into()) {
                let _ = row.plan();
            }
        }
    }

    #[test]
    fn a_long_failure_is_cut_between_characters() {
        let mut row = Row {
            generation: 1,
            registered: 0,
            at: Progress {
                tick: 1,
                due: Timestamp::UNIX_EPOCH,
                failures: 0,
                missed: 0,
                again: None,
            },
            delivered: 0,
            lost: 0,
            spec: ReminderSpec::default(),
            error: None,
            data: Bytes::new(),
        };
        row.blame(&format!("x{}", "ü".repeat(400)));
        assert_eq!(row.error.map(|error| error.len()), Some(511));
    }
}
