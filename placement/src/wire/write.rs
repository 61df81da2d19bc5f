//! Domain messages into the wire's.
//!
//! What can go wrong here is our own mistake: a type of another namespace, or a stream
//! that begins with neither a report nor a join. Reading is in `read`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use prost::Message as _;

use odeon_base::{AppId, Epoch, HostName, Incarnation, Namespace};
use odeon_proto::odeon::placement::v1 as proto;
use odeon_ring::rings::content_hash;
use odeon_ring::table::content_hash_with;
use odeon_ring::{
    Join, Mark, Marks, Member, News, PinChanges, Policy, Resource, TableData, ToHost, ToPlacement,
    TypeKey, TypeOffer, TypeReport, Update,
};
use proto::to_host::Message as HostMessage;
use proto::to_placement::Message as PlacementMessage;

use super::wrong::{PROTOCOL, TIME_MAX, Wrong};
use crate::probe::Network;

/// Who a host is, whatever its incarnation: its streams begin with this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The name that the ring hashes.
    pub host: HostName,
    /// Where peers reach it, as `name:port`.
    pub address: Arc<str>,
    /// The application beside the host.
    pub app: AppId,
    /// The namespace of all its types.
    pub namespace: Namespace,
    /// The network that it sees, if it can tell.
    pub network: Option<Network>,
}

/// What a host says on one stream.
#[derive(Debug, Clone)]
pub struct FromHost {
    identity: Identity,
    is_open: bool,
}

impl FromHost {
    /// A stream on which nothing was said yet.
    #[must_use]
    pub fn new(identity: Identity) -> Self {
        Self { identity, is_open: false }
    }

    /// The wire's messages, in order; they belong together.
    ///
    /// # Errors
    /// [`Wrong`] when the message is of another namespace than the host, holds an empty
    /// chain, or cannot be the first of a stream.
    pub fn say(&mut self, message: ToPlacement) -> Result<Vec<proto::ToPlacement>, Wrong> {
        let mut said = Vec::new();
        if !self.is_open && !matches!(message, ToPlacement::Report { .. }) {
            let incarnation = speaker(&message).ok_or_else(|| {
                Wrong::missing("incarnation", "a first message that says who speaks")
            })?;
            said.push(PlacementMessage::Report(proto::Report {
                host: Some(self.host(incarnation)),
                standing: proto::Standing::Joining.into(),
                term: 0,
                types: Vec::new(),
            }));
        }
        said.push(self.translate(message)?);
        let first = if self.is_open { 0 } else { PROTOCOL };
        self.is_open = true;
        let numbered = said.into_iter().enumerate();
        let numbered = numbered.map(|(i, message)| {
            let protocol = if i == 0 { first } else { 0 };
            proto::ToPlacement { protocol, message: Some(message) }
        });
        Ok(numbered.collect())
    }

    fn translate(&self, message: ToPlacement) -> Result<PlacementMessage, Wrong> {
        let namespace = &self.identity.namespace;
        Ok(match message {
            ToPlacement::Join(join) => PlacementMessage::Join(self.join(join)?),
            ToPlacement::Report { incarnation, lapsed, types } => {
                PlacementMessage::Report(self.report(incarnation, lapsed, types)?)
            }
            ToPlacement::Renew { incarnation, seq } => {
                PlacementMessage::Renew(proto::Renew { incarnation: incarnation.0, seq })
            }
            ToPlacement::Released { incarnation, up_to } => {
                let released = up_to.into_iter().map(|(key, epoch)| {
                    let actor_type = type_in(&key, namespace)?;
                    Ok(proto::ReleasedType { actor_type, epoch: Some(epoch_of(epoch)) })
                });
                let types = released.collect::<Result<_, Wrong>>()?;
                PlacementMessage::Released(proto::Released { incarnation: incarnation.0, types })
            }
            ToPlacement::Offer { incarnation, types, resources } => {
                PlacementMessage::Offer(proto::Offer {
                    incarnation: incarnation.0,
                    types: types.iter().map(offer).collect(),
                    resources: resources.iter().map(resource).collect(),
                })
            }
            ToPlacement::Leave { incarnation } => {
                PlacementMessage::Leave(proto::Leave { incarnation: incarnation.0 })
            }
            ToPlacement::Farewell { incarnation } => {
                PlacementMessage::Farewell(proto::Farewell { incarnation: incarnation.0 })
            }
            ToPlacement::FenceAhead { term } => {
                PlacementMessage::FenceAhead(proto::FenceAhead { term })
            }
            ToPlacement::Move { incarnation, key, actor, to } => {
                PlacementMessage::Move(proto::Move {
                    incarnation: incarnation.0,
                    actor_type: type_in(&key, namespace)?,
                    actor,
                    to: to.map(|to| to.0),
                })
            }
            ToPlacement::Resync { key } => {
                PlacementMessage::Resync(proto::Resync { actor_type: type_in(&key, namespace)? })
            }
        })
    }

    /// The host with its names alone.
    fn host(&self, incarnation: Incarnation) -> proto::Host {
        let Identity { host, address, app, namespace, network } = &self.identity;
        proto::Host {
            member: Some(proto::Member {
                incarnation: incarnation.0,
                host: host.to_string(),
                address: address.to_string(),
            }),
            app: app.to_string(),
            namespace: namespace.to_string(),
            types: Vec::new(),
            resources: Vec::new(),
            network: network.as_ref().map(ToString::to_string),
        }
    }

    fn join(&self, join: Join) -> Result<proto::Join, Wrong> {
        let Join { member, app, namespace, types, resources, replaces } = join;
        if namespace != self.identity.namespace {
            return Err(elsewhere("join.host.namespace", &namespace, &self.identity.namespace));
        }
        let host = proto::Host {
            member: Some(member_of(&member)),
            app: app.to_string(),
            namespace: namespace.to_string(),
            types: types.iter().map(offer).collect(),
            resources: resources.iter().map(resource).collect(),
            network: None,
        };
        Ok(proto::Join { host: Some(host), replaces: replaces.map(|replaced| replaced.0) })
    }

    fn report(
        &self,
        incarnation: Incarnation,
        lapsed: bool,
        types: Vec<TypeReport>,
    ) -> Result<proto::Report, Wrong> {
        let standing = if lapsed { proto::Standing::Lapsed } else { proto::Standing::Live };
        let tables = types.iter().flat_map(|known| &known.chain);
        let term = tables.map(|table| table.epoch.term).max().unwrap_or(0);
        let known = types.into_iter().map(|TypeReport { key, chain, marks }| {
            Ok(proto::TypeReport {
                actor_type: type_in(&key, &self.identity.namespace)?,
                chain: Some(chain_of(&chain)?),
                marks: marks_of(&marks),
            })
        });
        let types = known.collect::<Result<_, Wrong>>()?;
        Ok(proto::Report {
            host: Some(self.host(incarnation)),
            standing: standing.into(),
            term,
            types,
        })
    }
}

/// What placement says on one stream.
#[derive(Debug, Clone)]
pub struct FromPlacement {
    is_open: bool,
}

impl Default for FromPlacement {
    fn default() -> Self {
        Self::new()
    }
}

impl FromPlacement {
    /// A stream on which nothing was said yet.
    #[must_use]
    pub fn new() -> Self {
        Self { is_open: false }
    }

    /// The wire's message to a host of this namespace. Types of other namespaces are none of its
    /// business: for them there is none.
    ///
    /// # Errors
    /// [`Wrong`] when a whole chain is empty.
    pub fn say(
        &mut self,
        message: ToHost,
        namespace: Option<&Namespace>,
    ) -> Result<Option<proto::ToHost>, Wrong> {
        let said = match message {
            ToHost::Lease { term, incarnation, seq, duration, drain_limit } => {
                HostMessage::Lease(proto::Lease {
                    term,
                    incarnation: incarnation.0,
                    seq,
                    lease_ms: millis(duration),
                    drain_limit_ms: millis(drain_limit),
                })
            }
            ToHost::Prepare { key, .. } | ToHost::Commit { key, .. }
                if Some(&key.namespace) != namespace =>
            {
                return Ok(None);
            }
            ToHost::News(news) if Some(news.namespace()) != namespace => return Ok(None),
            ToHost::Prepare { key, epoch, update, hash } => {
                HostMessage::Prepare(prepare(&key, epoch, &update, hash)?)
            }
            ToHost::Commit { key, marks, base } => {
                HostMessage::Commit(commit(&key, marks_of(&marks), base))
            }
            ToHost::News(news) => HostMessage::News(bytes_of(&news)?),
            ToHost::Expired { incarnation } => {
                HostMessage::Expired(proto::Expired { incarnation: incarnation.0 })
            }
            ToHost::Refused { incarnation, resource, reason } => {
                let (incarnation, resource) = (incarnation.0, resource.to_string());
                HostMessage::Refused(proto::Refused { incarnation, resource, reason })
            }
            ToHost::NotLeader { address } => {
                let leader = address.unwrap_or_default();
                HostMessage::NotLeader(proto::NotLeader { leader })
            }
        };
        let protocol = if self.is_open { 0 } else { PROTOCOL };
        self.is_open = true;
        Ok(Some(proto::ToHost { protocol, message: Some(said) }))
    }
}

/// The news as bytes: whoever says them first makes them for all who say them later.
fn bytes_of(news: &News) -> Result<Bytes, Wrong> {
    let bytes = match news.bytes() {
        Some(bytes) => bytes,
        None => news.keep_bytes(news_of(news.messages())?.encode_to_vec().into()),
    };
    Ok(Bytes::from_owner(Arc::clone(bytes)))
}

fn news_of(messages: &[ToHost]) -> Result<proto::News, Wrong> {
    let (mut tables, mut commits) = (Vec::new(), Vec::new());
    let mut reached: BTreeMap<Incarnation, Vec<(u32, Mark)>> = BTreeMap::new();
    for message in messages {
        match message {
            ToHost::Prepare { key, epoch, update, hash } => {
                tables.push(prepare(key, *epoch, update, *hash)?);
            }
            ToHost::Commit { key, marks, base } => {
                // Types are bounded far below this.
                let place = u32::try_from(commits.len()).unwrap_or(u32::MAX);
                for (incarnation, mark) in marks {
                    reached.entry(*incarnation).or_default().push((place, *mark));
                }
                commits.push(commit(key, Vec::new(), *base));
            }
            ToHost::News(_)
            | ToHost::Lease { .. }
            | ToHost::Expired { .. }
            | ToHost::Refused { .. }
            | ToHost::NotLeader { .. } => {
                return Err(Wrong::new("news", "another message", "tables and marks alone"));
            }
        }
    }
    let mut together: BTreeMap<Vec<(u32, Mark)>, Vec<u64>> = BTreeMap::new();
    for (incarnation, marks) in reached {
        together.entry(marks).or_default().push(incarnation.0);
    }
    let mark = |(commit, mark)| {
        let reached = match mark {
            Mark::Released(epoch) => proto::type_mark::Reached::Released(epoch_of(epoch)),
            Mark::Gone => proto::type_mark::Reached::Gone(()),
        };
        proto::TypeMark { commit, reached: Some(reached) }
    };
    let reached = together.into_iter().map(|(marks, incarnations)| proto::Reached {
        incarnations,
        marks: marks.into_iter().map(mark).collect(),
    });
    Ok(proto::News { tables, commits, reached: reached.collect() })
}

fn prepare(
    key: &TypeKey,
    epoch: Epoch,
    update: &Update,
    hash: u64,
) -> Result<proto::Prepare, Wrong> {
    let (news, marks) = match update {
        Update::Delta { previous, joined, left, pins } => {
            let delta = delta_of(joined, left, pins);
            let step = step_of(epoch, *previous, delta, hash);
            (proto::prepare::News::Step(step), Vec::new())
        }
        Update::Chain { tables, marks } => {
            let mut chain = chain_of(tables)?;
            // The hash of the newest table is the sender's word, for the host to compare.
            match (chain.steps.last_mut(), &mut chain.base) {
                (Some(last), _) => last.hash = hash,
                (None, Some(base)) => base.hash = hash,
                (None, None) => {}
            }
            (proto::prepare::News::Chain(chain), marks_of(marks))
        }
    };
    let (actor_type, news) = (key.actor_type.to_string(), Some(news));
    Ok(proto::Prepare { actor_type, news, marks })
}

fn commit(key: &TypeKey, marks: Vec<proto::Mark>, base: Epoch) -> proto::Commit {
    let (actor_type, base) = (key.actor_type.to_string(), Some(epoch_of(base)));
    proto::Commit { actor_type, marks, base }
}

/// Who sends the message, if it says so.
fn speaker(message: &ToPlacement) -> Option<Incarnation> {
    match message {
        ToPlacement::Join(join) => Some(join.member.incarnation),
        ToPlacement::Report { incarnation, .. }
        | ToPlacement::Renew { incarnation, .. }
        | ToPlacement::Released { incarnation, .. }
        | ToPlacement::Move { incarnation, .. }
        | ToPlacement::Offer { incarnation, .. }
        | ToPlacement::Leave { incarnation }
        | ToPlacement::Farewell { incarnation } => Some(*incarnation),
        ToPlacement::FenceAhead { .. } | ToPlacement::Resync { .. } => None,
    }
}

fn type_in(key: &TypeKey, namespace: &Namespace) -> Result<String, Wrong> {
    if key.namespace != *namespace {
        return Err(elsewhere("namespace", &key.namespace, namespace));
    }
    Ok(key.actor_type.to_string())
}

fn elsewhere(field: &str, found: &Namespace, expected: &Namespace) -> Wrong {
    Wrong::text(field, found.as_str(), format_args!("{expected}, the stream's own namespace"))
}

/// The chain, its base as a table and each later one as a step.
fn chain_of(tables: &[TableData]) -> Result<proto::Chain, Wrong> {
    let mut tables = tables.iter();
    let base = tables.next().ok_or_else(|| Wrong::missing("chain.base", "a table"))?;
    let told = proto::Table {
        epoch: Some(epoch_of(base.epoch)),
        members: base.members.iter().map(member_of).collect(),
        hash: hash_of(base),
        pins: base.pins.iter().map(|(actor, owner)| pin(*actor, Some(*owner))).collect(),
    };
    let mut earlier = base;
    let mut steps = Vec::with_capacity(tables.len());
    for later in tables {
        let (joined, left) = difference(&earlier.members, &later.members);
        let pins = pin_changes(earlier, later);
        let delta = delta_of(&joined, &left, &pins);
        steps.push(step_of(later.epoch, earlier.epoch, delta, hash_of(later)));
        earlier = later;
    }
    Ok(proto::Chain { base: Some(told), steps })
}

/// Who came and who went between two tables; both are in order of incarnation.
fn difference(earlier: &[Member], later: &[Member]) -> (Vec<Member>, Vec<Incarnation>) {
    let has = |members: &[Member], member: &Member| {
        let at = members.binary_search_by_key(&member.incarnation, |m| m.incarnation);
        at.is_ok_and(|at| members[at] == *member)
    };
    let joined = later.iter().filter(|member| !has(earlier, member)).cloned().collect();
    let left = earlier.iter().filter(|member| !has(later, member));
    (joined, left.map(|member| member.incarnation).collect())
}

fn step_of(epoch: Epoch, previous: Epoch, delta: proto::Delta, hash: u64) -> proto::Step {
    proto::Step {
        epoch: Some(epoch_of(epoch)),
        previous: Some(epoch_of(previous)),
        delta: Some(delta),
        hash,
    }
}

/// Pins that another table has, and those that it has no more.
fn pin_changes(earlier: &TableData, later: &TableData) -> PinChanges {
    let ended = earlier.pins.keys().map(|actor| (*actor, None));
    let mut changes: BTreeMap<_, _> = ended.collect();
    changes.extend(later.pins.iter().map(|(actor, owner)| (*actor, Some(*owner))));
    changes.retain(|actor, owner| earlier.pins.get(actor) != owner.as_ref());
    changes
}

fn delta_of(joined: &[Member], left: &[Incarnation], pins: &PinChanges) -> proto::Delta {
    proto::Delta {
        joined: joined.iter().map(member_of).collect(),
        left: left.iter().map(|incarnation| incarnation.0).collect(),
        pins: pins.iter().map(|(actor, owner)| pin(*actor, *owner)).collect(),
    }
}

fn pin(actor: u64, owner: Option<Incarnation>) -> proto::Pin {
    // No incarnation has the number 0.
    proto::Pin { actor, incarnation: owner.map_or(0, |owner| owner.0) }
}

/// The hash that the ring's tables have.
pub(super) fn hash_of(table: &TableData) -> u64 {
    content_hash_with(content_hash(&table.members), &table.pins)
}

pub(crate) fn epoch_of(epoch: Epoch) -> proto::Epoch {
    proto::Epoch { term: epoch.term, n: epoch.n }
}

pub(crate) fn member_of(member: &Member) -> proto::Member {
    let Member { incarnation, host, address } = member;
    proto::Member {
        incarnation: incarnation.0,
        host: host.to_string(),
        address: address.to_string(),
    }
}

fn marks_of(marks: &Marks) -> Vec<proto::Mark> {
    let mark = |(incarnation, mark): (&Incarnation, &Mark)| {
        let reached = match mark {
            Mark::Released(epoch) => proto::mark::Reached::Released(epoch_of(*epoch)),
            Mark::Gone => proto::mark::Reached::Gone(()),
        };
        proto::Mark { incarnation: incarnation.0, reached: Some(reached) }
    };
    marks.iter().map(mark).collect()
}

fn offer(offer: &TypeOffer) -> proto::TypeOffer {
    let TypeOffer { actor_type, policy, drain } = offer;
    let policy = match policy {
        Policy::Ring => proto::PlacementPolicy::Ring,
        Policy::Holder => proto::PlacementPolicy::Holder,
        Policy::Local => proto::PlacementPolicy::Local,
    };
    proto::TypeOffer {
        actor_type: actor_type.to_string(),
        policy: policy.into(),
        drain_ms: (*drain <= TIME_MAX).then(|| millis(*drain)),
    }
}

fn resource(resource: &Resource) -> proto::Resource {
    proto::Resource { name: resource.name.to_string(), id: resource.id.to_string() }
}

/// Whole milliseconds, rounded down: a lease is never said to be longer than it is.
fn millis(time: Duration) -> u64 {
    u64::try_from(time.min(TIME_MAX).as_millis()).unwrap_or(u64::MAX)
}
