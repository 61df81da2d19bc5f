//! Questions to `sys.host` and its answers, as JSON has them.
//!
//! Field names are in camel case, durations in milliseconds, epochs and fences as text.

use std::time::Duration;

use odeon_ring::{Member, Policy};
use odeon_runtime::status::{ActorStatus, Explanation, TableShown};
use odeon_runtime::store::{Item, Key};
use odeon_runtime::timers::TimerStatus;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// The actor type of hosts.
pub const TYPE: &str = "sys.host";

/// The longest page that is given at once.
pub const PAGE_MAX: usize = 1_000;
/// A page that nobody asked otherwise for.
const PAGE: usize = 100;

/// Which actors are asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Listing {
    /// Their type.
    pub r#type: String,
    /// Only ids behind this one. Default: from the first.
    #[serde(default)]
    pub after: String,
    /// At most this many, up to [`PAGE_MAX`]. Default: 100.
    #[serde(default = "page")]
    pub limit: usize,
}

const fn page() -> usize {
    PAGE
}

/// Which actor is asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Named {
    /// Its type.
    pub r#type: String,
    /// Its id.
    pub id: String,
    /// Whether the host that is asked answers itself. Default: the owner does.
    #[serde(default)]
    pub here: bool,
}

/// Which actor is to move, and where.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Moving {
    /// Its type.
    pub r#type: String,
    /// Its id.
    pub id: String,
    /// The host that is to have it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub to: Option<String>,
    /// Whether the one that the ring names is to have it again; in place of `to`.
    #[serde(default)]
    pub back: bool,
}

/// Where an actor went.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MovedForm {
    /// Its type.
    pub r#type: String,
    /// Its id.
    pub id: String,
    /// The host that owned it.
    pub from: String,
    /// The host that owns it now.
    pub host: String,
    /// Whether it stays there whatever the ring says.
    pub is_pinned: bool,
    /// `moved`, `moving` while a turn still runs where it was, or `unchanged`.
    pub state: String,
}

/// How a host is to be drained.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Draining {
    /// How long that may take. Default: 60 s.
    #[serde(default = "drain_ms")]
    pub limit_ms: u64,
}

const fn drain_ms() -> u64 {
    60_000
}

/// A type on a host.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TypeForm {
    /// The type.
    pub r#type: String,
    /// Where its actors may live.
    pub placement: String,
    /// Actors in memory.
    pub active: usize,
    /// Turns that run.
    pub running: u64,
    /// Calls that wait.
    pub waiting: usize,
    /// The newest table, if there is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub epoch: Option<String>,
    /// Why it is not placed here although it is offered.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub blocked: Option<String>,
}

/// A host that answered.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HostForm {
    /// Its name on the ring.
    pub name: String,
    /// Where other hosts call it.
    pub address: String,
    /// The application beside it.
    pub app: String,
    /// Its incarnation, if it has a lease.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub incarnation: Option<String>,
    /// How much longer its turns may start without another renewal.
    pub lease_left_ms: u64,
    /// Whether its stream to placement is open.
    pub is_placement_connected: bool,
    /// Whether it has been told to move everything away.
    pub is_draining: bool,
    /// What it hosts.
    pub types: Vec<TypeForm>,
}

/// A host, or why it did not answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HostRow {
    /// Its name on the ring.
    pub name: String,
    /// What it said.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub status: Option<HostForm>,
    /// Why it said nothing.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
}

/// All hosts.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct HostsForm {
    /// By name.
    pub hosts: Vec<HostRow>,
}

/// An actor in memory.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActorForm {
    /// Its id.
    pub id: String,
    /// The host that has it.
    pub host: String,
    /// Where it is in its life: activating, active or closing.
    pub phase: String,
    /// What it shows the store with each commit.
    pub fence: String,
    /// Turns that run.
    pub running: u32,
    /// How long the turn runs that began last.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub running_ms: Option<u64>,
    /// Calls that wait.
    pub waiting: usize,
    /// How long the first of them has waited.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub waiting_ms: Option<u64>,
    /// How long ago its last turn ended.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unused_ms: Option<u64>,
}

/// A page of actors.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActorsForm {
    /// In order of their ids.
    pub actors: Vec<ActorForm>,
    /// Pass this as `after` to get the next page; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next: Option<String>,
    /// Hosts that did not answer, and why: what they have is missing here.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub missing: Vec<HostRow>,
}

/// A key of an actor's state.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyForm {
    /// The key.
    pub key: String,
    /// Size of its value.
    pub bytes: usize,
}

/// A timer of an actor.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TimerForm {
    /// Its name.
    pub name: String,
    /// How long until it fires next, in milliseconds; absent while it does.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next_ms: Option<u64>,
    /// How often, as it was said; empty if once.
    pub period: String,
    /// What the application calls it by.
    pub callback: String,
}

impl TimerForm {
    /// A timer as it stands at `now`.
    #[must_use]
    pub fn new(timer: &TimerStatus, now: Instant) -> Self {
        Self {
            name: timer.name.to_string(),
            next_ms: timer.next.map(|next| millis(next.saturating_duration_since(now))),
            period: timer.spec.period.clone(),
            callback: timer.spec.callback.clone(),
        }
    }
}

/// One actor, with its timers and the names and sizes of what it stores.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InspectForm {
    /// Its type.
    pub r#type: String,
    /// Its id.
    pub id: String,
    /// The host that owns it.
    pub host: String,
    /// The actor, if it is in memory.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub activation: Option<ActorForm>,
    /// The first thousand of its timers, by name.
    #[serde(default)]
    pub timers: Vec<TimerForm>,
    /// The first thousand keys of its state.
    pub keys: Vec<KeyForm>,
    /// Whether it has more keys.
    pub has_more_keys: bool,
    /// Why keys cannot be shown.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub keys_error: Option<String>,
}

/// One table of a chain.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TableForm {
    /// Its name.
    pub epoch: String,
    /// Whom it names owner.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub owner: Option<String>,
    /// Whether that one has released the table after it, or is gone.
    pub has_let_go: bool,
}

/// Why an actor is served where it is.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExplainForm {
    /// Its type.
    pub r#type: String,
    /// Its id.
    pub id: String,
    /// The host that says so.
    pub told_by: String,
    /// The owner by the newest table.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub owner: Option<String>,
    /// Where other hosts call the owner.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub address: Option<String>,
    /// The owner's incarnation.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub incarnation: Option<String>,
    /// Its place on the ring.
    pub ring_position: String,
    /// The host to which it was moved, whatever the ring says.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pinned_to: Option<String>,
    /// The chain of its type, oldest first; more than one while it is handed over.
    pub tables: Vec<TableForm>,
    /// Whether the host that says so may serve it, and if not, why.
    pub gate: String,
    /// How much longer turns may start there without another renewal.
    pub lease_left_ms: u64,
    /// The actor, if it is in memory there.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub activation: Option<ActorForm>,
}

/// What became of an actor that was to end.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EndedForm {
    /// The host that did it.
    pub host: String,
    /// Whether the actor was in memory.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub was_active: Option<bool>,
    /// How many keys were deleted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub keys_deleted: Option<usize>,
    /// How many reminders were deleted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reminders_deleted: Option<u64>,
}

/// Whole milliseconds.
pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl ActorForm {
    /// The form of an actor on this host.
    pub(crate) fn new(host: &str, status: &ActorStatus) -> Self {
        Self {
            id: status.id.to_string(),
            host: host.to_owned(),
            phase: status.phase.as_str().to_owned(),
            fence: status.fence.to_string(),
            running: status.running,
            running_ms: status.running_for.map(millis),
            waiting: status.waiting,
            waiting_ms: status.waiting_for.map(millis),
            unused_ms: status.unused_for.map(millis),
        }
    }
}

impl KeyForm {
    pub(crate) fn new((key, item): &(Key, Item)) -> Self {
        Self { key: key.name().to_owned(), bytes: item.value.len() }
    }
}

impl TableForm {
    fn new(table: &TableShown) -> Self {
        let owner = table.owner.as_ref().map(|owner| owner.host.to_string());
        Self { epoch: table.epoch.to_string(), owner, has_let_go: table.has_let_go }
    }
}

impl ExplainForm {
    /// What this host knows of the actor.
    pub(crate) fn new(host: &str, named: Named, told: &Explanation) -> Self {
        let owner: Option<&Member> = told.tables.last().and_then(|table| table.owner.as_deref());
        Self {
            r#type: named.r#type,
            id: named.id,
            told_by: host.to_owned(),
            owner: owner.map(|owner| owner.host.to_string()),
            address: owner.map(|owner| owner.address.to_string()),
            incarnation: owner.map(|owner| owner.incarnation.to_string()),
            ring_position: format!("{:016x}", told.position),
            pinned_to: told.pinned_to.as_ref().map(|member| member.host.to_string()),
            tables: told.tables.iter().map(TableForm::new).collect(),
            gate: told.gate.to_owned(),
            lease_left_ms: millis(told.lease_left),
            activation: told.activation.as_ref().map(|status| ActorForm::new(host, status)),
        }
    }
}

/// The word for a policy.
#[must_use]
pub fn policy_word(policy: Policy) -> &'static str {
    match policy {
        Policy::Ring => "ring",
        Policy::Holder => "holder",
        Policy::Local => "local",
    }
}
