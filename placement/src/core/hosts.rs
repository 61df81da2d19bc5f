//! The incarnations that placement knows: joining, live or leaving.
//!
//! Who is gone is not here; the absence is the state. This file keeps the books and
//! says who belongs into the tables of a type; what a message does to a host is
//! decided in `leader`.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use odeon_base::{ActorType, HostName, Incarnation, Namespace};
use odeon_ring::{Member, Policy, Resource, TypeKey, TypeOffer};

use super::event::Connection;
use super::view::{HostPhase, HostView};
use crate::record::{Entry, Profile, Roster};

/// Where an incarnation stands. From joining to live to leaving, or out at any time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Not yet in the roster that is on disk, so it has no lease and stands in no table.
    Joining,
    /// Has a lease, and stands in tables.
    Live {
        /// When it is gone unless it renews.
        deadline: Duration,
    },
    /// Has a lease while it drains, and stands in no new table.
    Leaving {
        /// When it is gone unless it renews.
        deadline: Duration,
    },
}

/// One incarnation.
#[derive(Debug, Clone)]
pub(crate) struct Host {
    /// Shared with what is published and saved, so that neither copies what hosts offer.
    pub(crate) profile: Arc<Profile>,
    pub(crate) phase: Phase,
    /// The count of joins: the newer of two incarnations of one host stands in tables.
    pub(crate) joined: u64,
    /// Its stream, if one is up.
    pub(crate) connection: Option<Connection>,
    /// The resources that it holds, each with the count of claims when it first said so.
    claims: BTreeMap<ActorType, u64>,
}

/// A resource that is not taken for the one of its name, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) resource: ActorType,
    pub(crate) reason: String,
}

impl Host {
    /// When it is gone, if it has a lease.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        match self.phase {
            Phase::Joining => None,
            Phase::Live { deadline } | Phase::Leaving { deadline } => Some(deadline),
        }
    }

    /// Moves the deadline of one that has a lease, or gives a joining one its first.
    pub(crate) fn extend(&mut self, until: Duration) {
        match &mut self.phase {
            Phase::Joining => self.phase = Phase::Live { deadline: until },
            Phase::Live { deadline } | Phase::Leaving { deadline } => *deadline = until,
        }
    }

    /// Whether it may be sent tables: a joining one gets them with its lease.
    fn listens(&self) -> Option<Connection> {
        match self.phase {
            Phase::Joining => None,
            Phase::Live { .. } | Phase::Leaving { .. } => self.connection,
        }
    }

    fn is_live(&self) -> bool {
        matches!(self.phase, Phase::Live { .. })
    }

    fn view(&self) -> HostView {
        let phase = match self.phase {
            Phase::Joining => HostPhase::Joining,
            Phase::Live { .. } => HostPhase::Live,
            Phase::Leaving { .. } => HostPhase::Leaving,
        };
        HostView {
            profile: Arc::clone(&self.profile),
            phase,
            is_connected: self.connection.is_some(),
        }
    }

    fn entry(&self) -> Entry {
        Entry {
            profile: Arc::clone(&self.profile),
            is_leaving: matches!(self.phase, Phase::Leaving { .. }),
            joined: self.joined,
        }
    }
}

/// All of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hosts {
    by_incarnation: BTreeMap<Incarnation, Host>,
    by_connection: BTreeMap<Connection, BTreeSet<Incarnation>>,
    joins: u64,
    /// Which resource each name stands for, as long as a host of its application is known.
    resources: BTreeMap<TypeKey, Arc<str>>,
    claims: u64,
}

impl Hosts {
    pub(crate) fn get(&self, incarnation: Incarnation) -> Option<&Host> {
        self.by_incarnation.get(&incarnation)
    }

    pub(crate) fn has(&self, incarnation: Incarnation) -> bool {
        self.by_incarnation.contains_key(&incarnation)
    }

    /// Whether it has a lease and does not want to go.
    pub(crate) fn stays(&self, incarnation: Incarnation) -> bool {
        self.get(incarnation).is_some_and(Host::is_live)
    }

    /// The host, if this stream speaks for it.
    pub(crate) fn speaker(
        &mut self,
        incarnation: Incarnation,
        connection: Connection,
    ) -> Option<&mut Host> {
        let host = self.by_incarnation.get_mut(&incarnation)?;
        (host.connection == Some(connection)).then_some(host)
    }

    /// A stranger who wants in.
    pub(crate) fn join(&mut self, profile: Profile, connection: Connection) {
        self.joins += 1;
        let profile = Arc::new(profile);
        let phase = Phase::Joining;
        let (joined, connection, claims) = (self.joins, Some(connection), BTreeMap::new());
        self.insert(Host { profile, phase, joined, connection, claims });
    }

    /// One of the former leader's, who reported.
    pub(crate) fn resume(&mut self, entry: Entry, deadline: Duration, connection: Connection) {
        let Entry { profile, is_leaving, joined } = entry;
        let phase = if is_leaving { Phase::Leaving { deadline } } else { Phase::Live { deadline } };
        self.joins = self.joins.max(joined);
        let (connection, claims) = (Some(connection), BTreeMap::new());
        self.insert(Host { profile, phase, joined, connection, claims });
    }

    /// Takes each incarnation whose host has had a later one admitted out of the tables to come:
    /// the host speaks as that one now, and the end of that one must not bring the earlier back.
    /// Whether there were any.
    pub(crate) fn supersede(&mut self) -> bool {
        let mut latest: BTreeMap<(&Namespace, &HostName), u64> = BTreeMap::new();
        for host in self.by_incarnation.values().filter(|host| host.phase != Phase::Joining) {
            let Profile { namespace, member, .. } = &*host.profile;
            let joined = latest.entry((namespace, &member.host)).or_default();
            *joined = (*joined).max(host.joined);
        }
        let is_earlier = |host: &Host| {
            let Profile { namespace, member, .. } = &*host.profile;
            latest.get(&(namespace, &member.host)).is_some_and(|joined| host.joined < *joined)
        };
        let earlier: Vec<_> = self
            .iter()
            .filter(|(_, host)| host.is_live() && is_earlier(host))
            .map(|(incarnation, _)| incarnation)
            .collect();
        for incarnation in &earlier {
            if let Some(host) = self.by_incarnation.get_mut(incarnation)
                && let Phase::Live { deadline } = host.phase
            {
                host.phase = Phase::Leaving { deadline };
            }
        }
        !earlier.is_empty()
    }

    /// Counts on from what a former leader counted.
    pub(crate) fn count_from(&mut self, joins: u64) {
        self.joins = self.joins.max(joins);
    }

    fn insert(&mut self, host: Host) {
        let incarnation = host.profile.member.incarnation;
        if let Some(connection) = host.connection {
            self.by_connection.entry(connection).or_default().insert(incarnation);
        }
        self.by_incarnation.insert(incarnation, host);
    }

    /// From now on this stream speaks for the host.
    pub(crate) fn bind(&mut self, incarnation: Incarnation, connection: Connection) {
        if let Some(mut host) = self.take(incarnation) {
            host.connection = Some(connection);
            self.insert(host);
        }
    }

    /// Books what a host says it holds; what it must not use comes back.
    ///
    /// The first id of a name stands as long as any host of that application is known: while
    /// the holder is away, another store under its name would be a fork of the state.
    pub(crate) fn claim(&mut self, incarnation: Incarnation) -> Vec<Refusal> {
        let Some(host) = self.by_incarnation.get_mut(&incarnation) else { return Vec::new() };
        let mut refused = Vec::new();
        let earlier = std::mem::take(&mut host.claims);
        let Profile { app, namespace, resources, .. } = &*host.profile;
        for Resource { name, id } in resources {
            let reason = if name.resource_app() == Some(app.as_str()) {
                let key = TypeKey { namespace: namespace.clone(), actor_type: name.clone() };
                let known = self.resources.entry(key).or_insert_with(|| Arc::clone(id));
                (known != id).then(|| {
                    format!(
                        "this cluster knows '{name}' as {known}, and this host holds {id}: they \
                         are two stores, and state would fork; let the hosts of application \
                         '{app}' share one data folder, or stop all of them to begin anew"
                    )
                })
            } else {
                Some(format!("'{name}' is not of application '{app}'"))
            };
            match reason {
                Some(reason) => refused.push(Refusal { resource: name.clone(), reason }),
                None => {
                    let claim = earlier.get(name).copied().unwrap_or_else(|| {
                        self.claims += 1;
                        self.claims
                    });
                    host.claims.insert(name.clone(), claim);
                }
            }
        }
        refused
    }

    fn forget_resources(&mut self) {
        let hosts = &self.by_incarnation;
        self.resources.retain(|key, _| {
            hosts.values().map(|host| &host.profile).any(|profile| {
                profile.namespace == key.namespace
                    && key.actor_type.resource_app() == Some(profile.app.as_str())
            })
        });
    }

    pub(crate) fn remove(&mut self, incarnation: Incarnation) -> Option<Host> {
        let host = self.take(incarnation)?;
        self.forget_resources();
        Some(host)
    }

    fn take(&mut self, incarnation: Incarnation) -> Option<Host> {
        let host = self.by_incarnation.remove(&incarnation)?;
        if let Some(connection) = host.connection
            && let Some(spoken_for) = self.by_connection.get_mut(&connection)
        {
            spoken_for.remove(&incarnation);
            if spoken_for.is_empty() {
                self.by_connection.remove(&connection);
            }
        }
        Some(host)
    }

    /// Forgets the stream; those still joining, who were never granted anything, go with
    /// it and come back in the answer.
    pub(crate) fn disconnect(&mut self, connection: Connection) -> Vec<Incarnation> {
        let spoken_for = self.by_connection.remove(&connection).unwrap_or_default();
        let mut forgotten = Vec::new();
        for incarnation in spoken_for {
            let Some(host) = self.by_incarnation.get_mut(&incarnation) else { continue };
            host.connection = None;
            if host.phase == Phase::Joining {
                self.by_incarnation.remove(&incarnation);
                forgotten.push(incarnation);
            }
        }
        self.forget_resources();
        forgotten
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Incarnation, &Host)> {
        self.by_incarnation.iter().map(|(incarnation, host)| (*incarnation, host))
    }

    /// Who speaks on a stream.
    pub(crate) fn on(&self, connection: Connection) -> impl Iterator<Item = &Host> {
        let spoken_for = self.by_connection.get(&connection);
        spoken_for.into_iter().flatten().filter_map(|incarnation| self.get(*incarnation))
    }

    /// The streams that get the tables of a namespace, each once.
    pub(crate) fn listeners(&self, namespace: &Namespace) -> BTreeSet<Connection> {
        let here = self.by_incarnation.values().filter(|host| host.profile.namespace == *namespace);
        here.filter_map(Host::listens).collect()
    }

    /// Who is gone at this time.
    pub(crate) fn expired(&self, now: Duration) -> Vec<Incarnation> {
        self.iter()
            .filter(|(_, host)| host.deadline().is_some_and(|deadline| deadline <= now))
            .filter(|(_, host)| is_watched(host))
            .map(|(incarnation, _)| incarnation)
            .collect()
    }

    /// The next deadline.
    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        let watched = self.by_incarnation.values().filter(|host| is_watched(host));
        watched.filter_map(Host::deadline).min()
    }

    /// Who may have a lease, or will once this is durable.
    pub(crate) fn roster(&self) -> Roster {
        self.iter().map(|(incarnation, host)| (incarnation, host.entry())).collect()
    }

    /// The types and resources of a namespace that need tables, each with those who offer it
    /// in order of joining. Local types have no owner, so they have no tables.
    pub(crate) fn offered(&self, namespace: &Namespace) -> BTreeMap<TypeKey, Vec<Arc<Member>>> {
        let mut offered = self.held(namespace);
        let mut live: Vec<&Host> = self
            .by_incarnation
            .values()
            .filter(|host| host.is_live() && host.profile.namespace == *namespace)
            .collect();
        live.sort_by_key(|host| host.joined);
        // Hosts of one application offer the same, so that most types have the same members:
        // a thousand hosts with a hundred types shall not cost a hundred thousand look-ups.
        let mut kinds: Vec<&[TypeOffer]> = Vec::new();
        let mut kind_of: Vec<usize> = Vec::with_capacity(live.len());
        for host in &live {
            let types = host.profile.types.as_slice();
            let known = kinds.iter().rposition(|kind| *kind == types);
            kind_of.push(known.unwrap_or_else(|| {
                kinds.push(types);
                kinds.len() - 1
            }));
        }
        let mut offering: BTreeMap<&ActorType, BTreeSet<usize>> = BTreeMap::new();
        for (kind, types) in kinds.iter().enumerate() {
            for offer in types.iter().filter(|offer| offer.policy == Policy::Ring) {
                offering.entry(&offer.actor_type).or_default().insert(kind);
            }
        }
        for (actor_type, kinds) in offering {
            let key = TypeKey { namespace: namespace.clone(), actor_type: actor_type.clone() };
            let all = live.iter().zip(&kind_of).filter(|(_, kind)| kinds.contains(kind));
            let members = all.map(|(host, _)| Arc::clone(&host.profile.member));
            offered.entry(key).or_default().extend(members);
        }
        offered
    }

    /// The resources of a namespace, each with the one host that said last that it holds it:
    /// it could only say so while it had the lock. One that leaves holds it until it says
    /// otherwise, for its last turns need it.
    fn held(&self, namespace: &Namespace) -> BTreeMap<TypeKey, Vec<Arc<Member>>> {
        let mut newest: BTreeMap<&ActorType, (u64, &Arc<Member>)> = BTreeMap::new();
        let hosts = self
            .by_incarnation
            .values()
            .filter(|host| host.phase != Phase::Joining && host.profile.namespace == *namespace);
        for host in hosts {
            for (name, claim) in &host.claims {
                let holder = newest.entry(name).or_insert((*claim, &host.profile.member));
                if holder.0 < *claim {
                    *holder = (*claim, &host.profile.member);
                }
            }
        }
        let table = |(name, (_, member)): (&ActorType, (u64, &Arc<Member>))| {
            let key = TypeKey { namespace: namespace.clone(), actor_type: name.clone() };
            (key, vec![Arc::clone(member)])
        };
        newest.into_iter().map(table).collect()
    }

    /// Where activations of a type may live, by the host that joined first of those who offer it.
    pub(crate) fn policies(&self) -> BTreeMap<TypeKey, Policy> {
        let mut newest_first: Vec<&Host> = self.by_incarnation.values().collect();
        newest_first.sort_by_key(|host| Reverse(host.joined));
        let mut policies = BTreeMap::new();
        for key in self.resources.keys() {
            policies.insert(key.clone(), Policy::Holder);
        }
        let mut later: Option<&Profile> = None;
        for profile in newest_first.into_iter().map(|host| &*host.profile) {
            let Profile { namespace, types, .. } = profile;
            let said =
                later.is_some_and(|later| later.namespace == *namespace && later.types == *types);
            later = Some(profile);
            if said {
                continue;
            }
            for TypeOffer { actor_type, policy, .. } in types {
                let (namespace, actor_type) = (namespace.clone(), actor_type.clone());
                policies.insert(TypeKey { namespace, actor_type }, *policy);
            }
        }
        policies
    }

    /// What may be seen of everybody.
    pub(crate) fn views(&self) -> BTreeMap<Incarnation, HostView> {
        self.iter().map(|(incarnation, host)| (incarnation, host.view())).collect()
    }

    /// The namespaces that somebody is in.
    pub(crate) fn namespaces(&self) -> BTreeSet<Namespace> {
        self.by_incarnation.values().map(|host| host.profile.namespace.clone()).collect()
    }
}

/// Whoever has a lease is watched, one who leaves too: it may die on its way out.
#[cfg(not(feature = "defects"))]
fn is_watched(_: &Host) -> bool {
    true
}

#[cfg(feature = "defects")]
fn is_watched(host: &Host) -> bool {
    let is_leaving = matches!(host.phase, Phase::Leaving { .. });
    !(is_leaving && odeon_base::defect::Defect::LeaverIsNotWatched.is_planted())
}
