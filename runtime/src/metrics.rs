//! What the engine counts of each actor type (TURN-10).
//!
//! Counters are striped over a few cache lines, because two workers that count in
//! one line would pay more for it than for the turn. The text form is made
//! further out.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use odeon_base::ActorType;

/// Upper bounds of the histograms' buckets, in microseconds; one more is open.
pub const BUCKETS_MICROS: [u64; 16] = [
    10, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000,
    1_000_000, 5_000_000, 30_000_000,
];

const STRIPES: usize = 8;

/// How a turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    Failed,
    Panicked,
    Cut,
}

/// Counts what turns sent out with their commits: the engine what it stored, whoever delivers it
/// the rest (DX-2), and what was stored by itself (OW-1).
#[derive(Debug, Default)]
pub struct OutboxCounters {
    /// Calls and reminders that were committed.
    pub stored: AtomicU64,
    /// Calls that an actor took, and reminders that were set or dropped.
    pub delivered: AtomicU64,
    /// Those that were given up: refused too often, or not to be read.
    pub given_up: AtomicU64,
    /// Calls in memory of this host that wait for their delivery, or are under way.
    pub waiting: AtomicU64,
}

/// What went out at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OutboxMetrics {
    /// As [`OutboxCounters::stored`].
    pub stored: u64,
    /// As [`OutboxCounters::delivered`].
    pub delivered: u64,
    /// As [`OutboxCounters::given_up`].
    pub given_up: u64,
    /// As [`OutboxCounters::waiting`].
    pub waiting: u64,
}

impl OutboxCounters {
    /// The numbers now.
    #[must_use]
    pub fn snapshot(&self) -> OutboxMetrics {
        let [stored, delivered, given_up, waiting] =
            [&self.stored, &self.delivered, &self.given_up, &self.waiting]
                .map(|counter| counter.load(Ordering::Relaxed));
        OutboxMetrics { stored, delivered, given_up, waiting }
    }
}

/// Counts what became of ticks of reminders, by whoever writes it down (REM-6).
#[derive(Debug, Default)]
pub struct ReminderCounters {
    /// Ticks that an actor took.
    pub delivered: AtomicU64,
    /// Tries that failed.
    pub failed: AtomicU64,
    /// Ticks that are lost: none of their tries succeeded.
    pub lost: AtomicU64,
}

/// What became of ticks of reminders until now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReminderMetrics {
    /// As [`ReminderCounters::delivered`].
    pub delivered: u64,
    /// As [`ReminderCounters::failed`].
    pub failed: u64,
    /// As [`ReminderCounters::lost`].
    pub lost: u64,
}

impl ReminderCounters {
    /// The numbers now.
    #[must_use]
    pub fn snapshot(&self) -> ReminderMetrics {
        let [delivered, failed, lost] = [&self.delivered, &self.failed, &self.lost]
            .map(|counter| counter.load(Ordering::Relaxed));
        ReminderMetrics { delivered, failed, lost }
    }
}

#[derive(Debug, Default)]
#[repr(align(128))]
struct Stripe {
    failed: AtomicU64,
    panicked: AtomicU64,
    cut: AtomicU64,
    micros: AtomicU64,
    buckets: [AtomicU64; BUCKETS_MICROS.len() + 1],
    wait_micros: AtomicU64,
    wait_buckets: [AtomicU64; BUCKETS_MICROS.len() + 1],
}

/// Durations by bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Histogram {
    /// How many fell into each bucket of [`BUCKETS_MICROS`]; the last is open.
    pub counts: Vec<u64>,
    /// Their sum.
    pub sum: Duration,
}

/// The numbers of one actor type at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeMetrics {
    /// The type.
    pub actor_type: ActorType,
    /// Activations in memory.
    pub active: usize,
    /// Calls that wait.
    pub waiting: usize,
    /// Turns that run.
    pub running: u64,
    /// For how long the call has waited that waits longest.
    pub oldest_waiter: Duration,
    /// Turns that ended well.
    pub turns_done: u64,
    /// Turns that ended with an error.
    pub turns_failed: u64,
    /// Turns that panicked.
    pub turns_panicked: u64,
    /// Turns that were cut: the lease, the drain or their own limit ended.
    pub turns_cut: u64,
    /// Calls refused because too many waited.
    pub refused: u64,
    /// Calls that failed while nobody waited for them.
    pub one_way_failed: u64,
    /// Activations made.
    pub activations: u64,
    /// Activations that could not be made.
    pub activation_failures: u64,
    /// Activations ended.
    pub deactivations: u64,
    /// Goodbyes that failed or took too long.
    pub deactivation_failures: u64,
    /// How long calls waited; those that did not wait count as zero.
    pub wait: Histogram,
    /// How long turns ran.
    pub turn: Histogram,
}

/// What is counted by looking at the activations.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Gauges {
    pub(crate) active: usize,
    pub(crate) waiting: usize,
    pub(crate) running: u64,
    pub(crate) oldest_waiter: Duration,
}

/// The counters of one type.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    stripes: [Stripe; STRIPES],
    pub(crate) refused: AtomicU64,
    pub(crate) one_way_failed: AtomicU64,
    pub(crate) activations: AtomicU64,
    pub(crate) activation_failures: AtomicU64,
    pub(crate) deactivations: AtomicU64,
    pub(crate) deactivation_failures: AtomicU64,
}

fn bucket_of(micros: u64) -> usize {
    BUCKETS_MICROS.partition_point(|&bound| bound < micros)
}

fn stripe() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static MINE: usize = NEXT.fetch_add(1, Ordering::Relaxed) % STRIPES;
    }
    MINE.with(|mine| *mine)
}

impl Counters {
    pub(crate) fn turn_ended(&self, outcome: Outcome, nanos: u64) {
        let stripe = &self.stripes[stripe()];
        let micros = nanos / 1_000;
        stripe.buckets[bucket_of(micros)].fetch_add(1, Ordering::Relaxed);
        if micros > 0 {
            stripe.micros.fetch_add(micros, Ordering::Relaxed);
        }
        // Those that ended well are all the others: the usual turn counts once.
        match outcome {
            Outcome::Done => {}
            Outcome::Failed => drop(stripe.failed.fetch_add(1, Ordering::Relaxed)),
            Outcome::Panicked => drop(stripe.panicked.fetch_add(1, Ordering::Relaxed)),
            Outcome::Cut => drop(stripe.cut.fetch_add(1, Ordering::Relaxed)),
        }
    }

    pub(crate) fn waited(&self, nanos: u64) {
        let micros = nanos / 1_000;
        let stripe = &self.stripes[stripe()];
        stripe.wait_buckets[bucket_of(micros)].fetch_add(1, Ordering::Relaxed);
        if micros > 0 {
            stripe.wait_micros.fetch_add(micros, Ordering::Relaxed);
        }
    }

    fn sum(&self, pick: impl Fn(&Stripe) -> &AtomicU64) -> u64 {
        self.stripes.iter().map(|stripe| pick(stripe).load(Ordering::Relaxed)).sum()
    }

    /// The numbers now; the engine adds what it knows of activations.
    pub(crate) fn snapshot(&self, actor_type: &ActorType, now: Gauges) -> TypeMetrics {
        let buckets = 0..=BUCKETS_MICROS.len();
        let turn = Histogram {
            counts: buckets.clone().map(|at| self.sum(|stripe| &stripe.buckets[at])).collect(),
            sum: Duration::from_micros(self.sum(|stripe| &stripe.micros)),
        };
        let ended: u64 = turn.counts.iter().sum();
        let [failed, panicked, cut] = [
            self.sum(|stripe| &stripe.failed),
            self.sum(|stripe| &stripe.panicked),
            self.sum(|stripe| &stripe.cut),
        ];
        let mut wait = Histogram {
            counts: buckets.map(|at| self.sum(|stripe| &stripe.wait_buckets[at])).collect(),
            sum: Duration::from_micros(self.sum(|stripe| &stripe.wait_micros)),
        };
        let waited: u64 = wait.counts.iter().sum();
        wait.counts[0] += (ended + now.running).saturating_sub(waited);
        TypeMetrics {
            actor_type: actor_type.clone(),
            active: now.active,
            waiting: now.waiting,
            running: now.running,
            oldest_waiter: now.oldest_waiter,
            turns_done: ended.saturating_sub(failed + panicked + cut),
            turns_failed: failed,
            turns_panicked: panicked,
            turns_cut: cut,
            refused: self.refused.load(Ordering::Relaxed),
            one_way_failed: self.one_way_failed.load(Ordering::Relaxed),
            activations: self.activations.load(Ordering::Relaxed),
            activation_failures: self.activation_failures.load(Ordering::Relaxed),
            deactivations: self.deactivations.load(Ordering::Relaxed),
            deactivation_failures: self.deactivation_failures.load(Ordering::Relaxed),
            wait,
            turn,
        }
    }
}
