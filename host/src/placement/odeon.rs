//! What placement's health port shows under `/odeon/v1`: all that it publishes, with its reasons.
//!
//! The forms are documented in `host/docs/placement.md`. Names of tables are texts such as
//! `3.17`, incarnations are texts as in logs, times are whole milliseconds.

use std::collections::BTreeMap;

use odeon_base::{ActorId, ActorType, Incarnation, Namespace};
use odeon_blocks::host::forms::policy_word;
use odeon_placement::{Handle, HostPhase, HostView, Role, Snapshot, TypeView};
use odeon_ring::{Mark, Member, TypeKey};
use serde::Serialize;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Status {
    role: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    leader: Option<String>,
    term: u64,
    hosts: usize,
    joining: usize,
    types: usize,
    moving: usize,
    is_ledger_failing: bool,
    is_running: bool,
}

/// How placement is.
pub(super) fn status(handle: &Handle) -> Status {
    let status = handle.status();
    Status {
        role: match status.role {
            Role::Follower => "follower",
            Role::New => "new",
            Role::Leading => "leading",
        },
        leader: handle.tables().leader.clone(),
        term: status.term,
        hosts: status.hosts,
        joining: status.joining,
        types: status.types,
        moving: status.moving,
        is_ledger_failing: status.is_ledger_failing,
        is_running: status.is_running,
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Hosts {
    hosts: Vec<Host>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Host {
    #[serde(flatten)]
    who: Who,
    app: String,
    namespace: String,
    phase: &'static str,
    is_connected: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    lease_left_ms: Option<u128>,
    types: Vec<Offered>,
}

#[derive(Debug, Serialize)]
struct Offered {
    r#type: String,
    placement: &'static str,
}

/// An incarnation and where it is reached.
#[derive(Debug, Serialize)]
struct Who {
    host: String,
    address: String,
    incarnation: String,
}

impl From<&Member> for Who {
    fn from(member: &Member) -> Self {
        Self {
            host: member.host.to_string(),
            address: member.address.to_string(),
            incarnation: member.incarnation.to_string(),
        }
    }
}

/// Everybody, in order of namespace and name.
pub(super) fn hosts(handle: &Handle) -> Hosts {
    let tables = handle.tables();
    let shown = tables.hosts.iter().map(|(incarnation, view)| host(*incarnation, view, handle));
    let mut hosts: Vec<Host> = shown.collect();
    hosts.sort_by(|a, b| (&a.namespace, &a.who.host).cmp(&(&b.namespace, &b.who.host)));
    Hosts { hosts }
}

fn host(incarnation: Incarnation, view: &HostView, handle: &Handle) -> Host {
    let profile = &view.profile;
    let mut types: Vec<Offered> = profile
        .types
        .iter()
        .map(|offer| Offered {
            r#type: offer.actor_type.to_string(),
            placement: policy_word(offer.policy),
        })
        .collect();
    types.sort_by(|a, b| a.r#type.cmp(&b.r#type));
    Host {
        who: Who::from(&*profile.member),
        app: profile.app.to_string(),
        namespace: profile.namespace.to_string(),
        phase: match view.phase {
            HostPhase::Joining => "joining",
            HostPhase::Live => "live",
            HostPhase::Leaving => "leaving",
        },
        is_connected: view.is_connected,
        lease_left_ms: handle.lease_left(incarnation).map(|left| left.as_millis()),
        types,
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Tables {
    tables: Vec<OfType>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct OfType {
    r#type: String,
    namespace: String,
    placement: &'static str,
    is_committed: bool,
    chain: Vec<Table>,
    marks: BTreeMap<String, String>,
}

#[derive(Debug, Serialize)]
struct Table {
    epoch: String,
    members: Vec<Who>,
    awaited: Vec<Who>,
}

/// The tables of all types, or of those with this name, or in this namespace.
pub(super) fn tables(
    snapshot: &Snapshot,
    actor_type: Option<&str>,
    namespace: Option<&str>,
) -> Tables {
    let is_meant = |key: &TypeKey| {
        actor_type.is_none_or(|name| name == key.actor_type.as_str())
            && namespace.is_none_or(|name| name == key.namespace.as_str())
    };
    let meant = snapshot.types.iter().filter(|(key, _)| is_meant(key));
    Tables { tables: meant.map(|(key, view)| of_type(key, view)).collect() }
}

fn of_type(key: &TypeKey, view: &TypeView) -> OfType {
    let table = |table: &std::sync::Arc<odeon_ring::Table>| Table {
        epoch: table.epoch().to_string(),
        members: table.members().iter().map(|member| Who::from(&**member)).collect(),
        awaited: view.awaited(table.epoch()).iter().map(|member| Who::from(&**member)).collect(),
    };
    let mark = |(incarnation, mark): (&Incarnation, &Mark)| {
        let reached = match mark {
            Mark::Released(epoch) => epoch.to_string(),
            Mark::Gone => "gone".to_owned(),
        };
        (incarnation.to_string(), reached)
    };
    OfType {
        r#type: key.actor_type.to_string(),
        namespace: key.namespace.to_string(),
        placement: policy_word(view.policy),
        is_committed: view.chain.is_committed(),
        chain: view.chain.tables().iter().map(table).collect(),
        marks: view.chain.marks().iter().map(mark).collect(),
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Owner {
    r#type: String,
    id: String,
    namespace: String,
    #[serde(flatten)]
    who: Who,
    epoch: String,
    is_open: bool,
    awaited: Vec<Who>,
}

/// Who owns an actor; `Ok(None)` while nobody offers its type.
///
/// # Errors
/// The reason, in words, when a name is missing or not allowed.
pub(super) fn owner(
    snapshot: &Snapshot,
    asked: impl Fn(&str) -> Option<String>,
) -> Result<Option<Owner>, String> {
    let item = |name| asked(name).ok_or_else(|| format!("the query has no readable item '{name}'"));
    let actor_type = ActorType::parse_placed(&item("type")?).map_err(|wrong| wrong.to_string())?;
    let id = ActorId::parse(&item("id")?).map_err(|wrong| wrong.to_string())?;
    let namespace = asked("namespace").map(|name| Namespace::parse(&name)).transpose();
    let namespace = namespace.map_err(|wrong| wrong.to_string())?.unwrap_or_default();
    let key = TypeKey { namespace, actor_type };
    Ok(snapshot.owner(&key, &id).map(|owner| Owner {
        r#type: key.actor_type.to_string(),
        id: id.to_string(),
        namespace: key.namespace.to_string(),
        who: Who::from(&*owner.member),
        epoch: owner.epoch.to_string(),
        is_open: owner.is_open,
        awaited: snapshot.awaited(&key, &id).iter().map(|member| Who::from(&**member)).collect(),
    }))
}
