//! The engine's numbers of each actor type.
//!
//! A snapshot is taken at each scrape; between scrapes nothing is kept.

use std::fmt;

use odeon_runtime::metrics::{
    BUCKETS_MICROS, Histogram, OutboxMetrics, ReminderMetrics, TypeMetrics,
};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

use super::Sources;

/// Collects the engine's numbers.
#[derive(Debug)]
pub(super) struct Actors {
    sources: Sources,
}

/// A number of each type: Prometheus' name without unit and `_total`, help, value.
struct Number {
    name: &'static str,
    help: &'static str,
    value: Value,
}

enum Value {
    Counter(fn(&TypeMetrics) -> u64),
    Gauge(fn(&TypeMetrics) -> u64),
    Seconds(fn(&TypeMetrics) -> f64),
    Histogram(fn(&TypeMetrics) -> &Histogram),
}

/// Dapr's names first (traffic-security-observability.md 17.1), then ours.
#[rustfmt::skip]
const NUMBERS: &[Number] = &[
    Number { name: "dapr_runtime_actor_pending_actor_calls", help: "Calls that wait for their turn", value: Value::Gauge(|of| of.waiting as u64) },
    Number { name: "dapr_runtime_actor_deactivated", help: "Activations ended", value: Value::Counter(|of| of.deactivations) },
    Number { name: "dapr_runtime_actor_deactivated_failed", help: "Goodbyes that failed or took too long", value: Value::Counter(|of| of.deactivation_failures) },
    Number { name: "odeon_actor_active", help: "Actors in memory", value: Value::Gauge(|of| of.active as u64) },
    Number { name: "odeon_actor_activations", help: "Activations made", value: Value::Counter(|of| of.activations) },
    Number { name: "odeon_actor_activation_failures", help: "Activations that could not be made", value: Value::Counter(|of| of.activation_failures) },
    Number { name: "odeon_actor_running", help: "Turns that run now", value: Value::Gauge(|of| of.running) },
    Number { name: "odeon_actor_rejected", help: "Calls refused because too many waited", value: Value::Counter(|of| of.refused) },
    Number { name: "odeon_actor_oneway_failed", help: "Calls that failed while nobody waited for them", value: Value::Counter(|of| of.one_way_failed) },
    Number { name: "odeon_actor_oldest_waiter", help: "For how long the call has waited that waits longest", value: Value::Seconds(|of| of.oldest_waiter.as_secs_f64()) },
    Number { name: "odeon_actor_mailbox_wait", help: "How long calls waited for their turn", value: Value::Histogram(|of| &of.wait) },
    Number { name: "odeon_actor_turn", help: "How long turns ran", value: Value::Histogram(|of| &of.turn) },
];

/// How a turn ended, and how many did.
type Outcome = (&'static str, fn(&TypeMetrics) -> u64);

const OUTCOMES: [Outcome; 4] = [
    ("done", |of| of.turns_done),
    ("failed", |of| of.turns_failed),
    ("panicked", |of| of.turns_panicked),
    ("cut", |of| of.turns_cut),
];

/// A count that this host has as a whole: name, help, value.
type Count<T> = (&'static str, &'static str, fn(&T) -> u64);

#[rustfmt::skip]
const SENT: [Count<OutboxMetrics>; 3] = [
    ("odeon_outbox_stored", "Calls and reminders that turns sent out with their commits, and calls stored by themselves", |of| of.stored),
    ("odeon_outbox_delivered", "Calls sent out that an actor took, and reminders set or dropped", |of| of.delivered),
    ("odeon_outbox_given_up", "What was sent out and refused too often, or cannot be read", |of| of.given_up),
];

#[rustfmt::skip]
const TICKS: [Count<ReminderMetrics>; 3] = [
    ("odeon_reminder_ticks_delivered", "Ticks of reminders that an actor took", |of| of.delivered),
    ("odeon_reminder_ticks_failed", "Tries to deliver a tick of a reminder that failed", |of| of.failed),
    ("odeon_reminder_ticks_lost", "Ticks of reminders of which every try failed", |of| of.lost),
];

/// Encodes counts that this host has as a whole.
fn encode_counts<T>(
    encoder: &mut DescriptorEncoder<'_>,
    app: &str,
    counts: &[Count<T>],
    of: &T,
) -> fmt::Result {
    let labels = [("app_id", app)];
    for (name, help, value) in counts {
        let mut counter = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        let mut counter = counter.encode_family(&labels)?;
        counter.encode_counter::<NoLabelSet, _, u64>(&value(of), None)?;
    }
    Ok(())
}

impl Actors {
    /// What went out: stored on this host, delivered by its partitions; and what they fired.
    fn encode_schedules(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let sent = self.sources.engine.sent().snapshot();
        let app = self.sources.app.as_str();
        let labels = [("app_id", app)];
        encode_counts(encoder, app, &SENT, &sent)?;
        encode_counts(encoder, app, &TICKS, &self.sources.engine.reminded().snapshot())?;
        let help = "Calls sent out that wait in memory for their delivery";
        let name = "odeon_outbox_waiting";
        let mut gauge = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        gauge.encode_family(&labels)?.encode_gauge(&sent.waiting)
    }

    pub(super) fn new(sources: Sources) -> Self {
        Self { sources }
    }
}

impl Collector for Actors {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let app = self.sources.app.as_str();
        let types = self.sources.engine.metrics();
        for number in NUMBERS {
            let (kind, unit) = number.value.kind();
            let mut family =
                encoder.encode_descriptor(number.name, number.help, unit.as_ref(), kind)?;
            for of in &types {
                let labels = [("app_id", app), ("actor_type", of.actor_type.as_str())];
                number.value.encode(of, family.encode_family(&labels)?)?;
            }
        }
        let name = "odeon_actor_turns";
        let mut turns =
            encoder.encode_descriptor(name, "Turns ended", None, MetricType::Counter)?;
        for of in &types {
            for (outcome, count) in OUTCOMES {
                let actor_type = of.actor_type.as_str();
                let labels = [("app_id", app), ("actor_type", actor_type), ("outcome", outcome)];
                let mut counter = turns.encode_family(&labels)?;
                counter.encode_counter::<NoLabelSet, _, u64>(&count(of), None)?;
            }
        }
        self.encode_schedules(&mut encoder)?;
        if let Some(hub) = &self.sources.hub {
            let name = "odeon_worker_streams";
            let help = "Streams of workers that are open";
            let mut streams = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            let labels = [("app_id", app)];
            streams.encode_family(&labels)?.encode_gauge(&(hub.streams() as u64))?;
        }
        Ok(())
    }
}

impl Value {
    fn kind(&self) -> (MetricType, Option<Unit>) {
        match self {
            Self::Counter(_) => (MetricType::Counter, None),
            Self::Gauge(_) => (MetricType::Gauge, None),
            Self::Seconds(_) => (MetricType::Gauge, Some(Unit::Seconds)),
            Self::Histogram(_) => (MetricType::Histogram, Some(Unit::Seconds)),
        }
    }

    fn encode(&self, of: &TypeMetrics, mut to: MetricEncoder<'_>) -> fmt::Result {
        match self {
            Self::Counter(value) => to.encode_counter::<NoLabelSet, _, u64>(&value(of), None),
            Self::Gauge(value) => to.encode_gauge(&value(of)),
            Self::Seconds(value) => to.encode_gauge(&value(of)),
            Self::Histogram(value) => {
                let histogram = value(of);
                let bounds = BUCKETS_MICROS.iter().map(|&micros| micros as f64 / 1e6);
                let bounds = bounds.chain([f64::INFINITY]);
                let buckets: Vec<(f64, u64)> =
                    bounds.zip(histogram.counts.iter().copied()).collect();
                let count = histogram.counts.iter().sum();
                let sum = histogram.sum.as_secs_f64();
                to.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
            }
        }
    }
}
