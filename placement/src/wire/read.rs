//! The wire's messages into domain messages: whatever comes, a message or an error.
//!
//! Lists and texts are bounded before anything is made of them. What a message means is
//! for `core` and for the host to say. Writing is in `write`.

use std::sync::Arc;
use std::time::Duration;

use prost::Message as _;

use odeon_base::ident::Invalid;
use odeon_base::{ActorType, AppId, Epoch, HostName, Incarnation, Namespace};
use odeon_proto::odeon::placement::v1 as proto;
use odeon_ring::{
    Join, Mark, Marks, Member, News, PINS_MAX, PinChanges, Pins, Policy, Resource, TableData,
    ToHost, ToPlacement, TypeKey, TypeOffer, TypeReport, Update,
};
use proto::to_host::Message as HostMessage;
use proto::to_placement::Message as PlacementMessage;

use super::write::hash_of;
use super::wrong::{
    ADDRESS_BYTES_MAX, Error, MARKS_MAX, MEMBERS_MAX, RESOURCE_BYTES_MAX, RESOURCES_MAX, ROOM_MAX,
    STEPS_MAX, TABLES_MAX, TIME_MAX, TYPES_MAX, Wrong, check_protocol,
};
use crate::probe::{NETWORK_BYTES_MAX, Network};

/// What placement hears on one stream.
#[derive(Debug, Clone, Default)]
pub struct AtPlacement {
    namespace: Option<Namespace>,
    network: Option<Network>,
}

impl AtPlacement {
    /// The namespace of the stream, once its first message was heard.
    #[must_use]
    pub fn namespace(&self) -> Option<&Namespace> {
        self.namespace.as_ref()
    }

    /// The network that the host sees, if it said so in its first message.
    #[must_use]
    pub fn network(&self) -> Option<&Network> {
        self.network.as_ref()
    }

    /// The domain message; `None` for a report that says there is nothing to report.
    ///
    /// # Errors
    /// [`Error::Protocol`] for a first message of a distant release, [`Error::Field`] for
    /// all else that cannot be understood. The stream cannot go on after either.
    pub fn hear(&mut self, heard: proto::ToPlacement) -> Result<Option<ToPlacement>, Error> {
        if self.namespace.is_none() {
            check_protocol(heard.protocol)?;
        }
        let message = heard.message.ok_or_else(no_message)?;
        let Some(namespace) = &self.namespace else {
            let PlacementMessage::Report(report) = message else {
                let expected = "a report, with which a stream begins";
                return Err(Wrong::new("message", placement_name(&message), expected).into());
            };
            let told = report.host.as_ref().and_then(|host| host.network.as_deref());
            let network = told.map(network).transpose();
            let network = network.map_err(|wrong| wrong.inside("report.host"))?;
            let (namespace, message) = opening(report).map_err(|wrong| wrong.inside("report"))?;
            self.namespace = Some(namespace);
            self.network = network;
            return Ok(message);
        };
        let name = placement_name(&message);
        let message = later(message, namespace).map_err(|wrong| wrong.inside(name))?;
        Ok(Some(message))
    }
}

/// What a host hears on one stream.
#[derive(Debug, Clone)]
pub struct AtHost {
    namespace: Namespace,
    is_open: bool,
}

impl AtHost {
    /// A stream on which nothing was heard yet, of a host in this namespace.
    #[must_use]
    pub fn new(namespace: Namespace) -> Self {
        Self { namespace, is_open: false }
    }

    /// The domain message.
    ///
    /// # Errors
    /// [`Error::Protocol`] for a first message of a distant release, [`Error::Field`] for
    /// all else that cannot be understood. The stream cannot go on after either.
    pub fn hear(&mut self, heard: proto::ToHost) -> Result<ToHost, Error> {
        if !self.is_open {
            check_protocol(heard.protocol)?;
            self.is_open = true;
        }
        let message = heard.message.ok_or_else(no_message)?;
        let name = host_name(&message);
        self.translate(message).map_err(|wrong| wrong.inside(name).into())
    }

    fn translate(&self, message: HostMessage) -> Result<ToHost, Wrong> {
        Ok(match message {
            HostMessage::Lease(lease) => ToHost::Lease {
                term: lease.term,
                incarnation: incarnation(lease.incarnation, "incarnation")?,
                seq: lease.seq,
                duration: match time(lease.lease_ms, "lease_ms")? {
                    Duration::ZERO => return Err(Wrong::new("lease_ms", 0, "more than 0")),
                    duration => duration,
                },
                drain_limit: time(lease.drain_limit_ms, "drain_limit_ms")?,
            },
            HostMessage::Prepare(told) => {
                let key = key(&told.actor_type, &self.namespace)?;
                {
                    let mut room = ROOM_MAX;
                    prepare(key, told, &mut room)?
                }
            }
            HostMessage::Commit(commit) => ToHost::Commit {
                key: key(&commit.actor_type, &self.namespace)?,
                marks: marks(commit.marks)?,
                base: epoch(commit.base, "base")?,
            },
            HostMessage::News(told) => {
                let told = proto::News::decode(told)
                    .map_err(|error| Wrong::new("bytes", error, "a message News"))?;
                ToHost::News(Arc::new(News::new(
                    self.namespace.clone(),
                    news(told, &self.namespace)?,
                )))
            }
            HostMessage::Expired(expired) => {
                ToHost::Expired { incarnation: incarnation(expired.incarnation, "incarnation")? }
            }
            HostMessage::Refused(refused) => ToHost::Refused {
                incarnation: incarnation(refused.incarnation, "incarnation")?,
                resource: resource_name("resource", &refused.resource)?,
                reason: refused.reason,
            },
            HostMessage::NotLeader(proto::NotLeader { leader }) => {
                ToHost::NotLeader { address: leader_of(&leader)? }
            }
        })
    }
}

/// What was answered to the question for an owner.
pub(crate) enum Answered {
    /// The owner, if there is one, and the table that says so.
    Owner(Option<(Member, Epoch)>),
    /// It does not know; where the leader is, if it knows that.
    NotLeader(Option<String>),
}

/// What an answer to the question for an owner says.
pub(crate) fn answered(reply: proto::OwnerReply) -> Result<Answered, Wrong> {
    match reply.answer.ok_or_else(|| Wrong::missing("answer", "an owner or not_leader"))? {
        proto::owner_reply::Answer::Owner(proto::Owner { member: None, .. }) => {
            Ok(Answered::Owner(None))
        }
        proto::owner_reply::Answer::Owner(proto::Owner {
            member: Some(told), epoch: at, ..
        }) => {
            let within = |wrong: Wrong| wrong.inside("owner");
            let member = member(&told).map_err(|wrong| within(wrong.inside("member")))?;
            Ok(Answered::Owner(Some((member, epoch(at, "epoch").map_err(within)?))))
        }
        proto::owner_reply::Answer::NotLeader(proto::NotLeader { leader }) => {
            let leader = leader_of(&leader).map_err(|wrong| wrong.inside("not_leader"))?;
            Ok(Answered::NotLeader(leader))
        }
    }
}

fn leader_of(text: &str) -> Result<Option<String>, Wrong> {
    match text {
        "" => Ok(None),
        _ => Ok(Some(address(text, "leader")?.to_owned())),
    }
}

fn no_message() -> Wrong {
    Wrong::missing("message", "one that this release knows")
}

fn placement_name(message: &PlacementMessage) -> &'static str {
    match message {
        PlacementMessage::Report(_) => "report",
        PlacementMessage::Join(_) => "join",
        PlacementMessage::Renew(_) => "renew",
        PlacementMessage::Released(_) => "released",
        PlacementMessage::Offer(_) => "offer",
        PlacementMessage::Leave(_) => "leave",
        PlacementMessage::Farewell(_) => "farewell",
        PlacementMessage::FenceAhead(_) => "fence_ahead",
        PlacementMessage::Resync(_) => "resync",
        PlacementMessage::Move(_) => "move",
    }
}

fn host_name(message: &HostMessage) -> &'static str {
    match message {
        HostMessage::Lease(_) => "lease",
        HostMessage::Prepare(_) => "prepare",
        HostMessage::Commit(_) => "commit",
        HostMessage::Expired(_) => "expired",
        HostMessage::NotLeader(_) => "not_leader",
        HostMessage::Refused(_) => "refused",
        HostMessage::News(_) => "news",
    }
}

/// The report with which a stream begins, and the namespace of the stream.
fn opening(report: proto::Report) -> Result<(Namespace, Option<ToPlacement>), Wrong> {
    let proto::Report { host, standing, term: _, types } = report;
    let host = profile(host)?;
    let is_standing = proto::Standing::try_from(standing);
    let lapsed = match is_standing {
        Ok(proto::Standing::Joining) => return Ok((host.namespace, None)),
        Ok(proto::Standing::Live | proto::Standing::Leaving) => false,
        Ok(proto::Standing::Lapsed) => true,
        Err(_) => return Err(Wrong::new("standing", standing, "a standing from 0 to 3")),
    };
    let mut room = ROOM_MAX;
    let types = list(types, "types", TYPES_MAX, |known| {
        let told = known.chain.ok_or_else(|| Wrong::missing("chain", "a chain"))?;
        let (tables, hash) = chain(told, &mut room).map_err(|wrong| wrong.inside("chain"))?;
        if let Some(last) = tables.last() {
            check_hash(last, hash).map_err(|wrong| wrong.inside("chain"))?;
        }
        let key = key(&known.actor_type, &host.namespace)?;
        Ok(TypeReport { key, chain: tables, marks: marks(known.marks)? })
    })?;
    let incarnation = host.member.incarnation;
    Ok((host.namespace, Some(ToPlacement::Report { incarnation, lapsed, types })))
}

fn later(message: PlacementMessage, namespace: &Namespace) -> Result<ToPlacement, Wrong> {
    let who = |number| incarnation(number, "incarnation");
    Ok(match message {
        PlacementMessage::Report(_) => {
            return Err(Wrong::new("message", "a second report", "one only, the first message"));
        }
        PlacementMessage::Join(proto::Join { host, replaces }) => {
            let mut join = profile(host)?;
            if join.namespace != *namespace {
                let expected = format_args!("{namespace}, as in the report");
                return Err(Wrong::text("host.namespace", join.namespace.as_str(), expected));
            }
            join.replaces = replaces.map(|number| incarnation(number, "replaces")).transpose()?;
            ToPlacement::Join(join)
        }
        PlacementMessage::Renew(renew) => {
            ToPlacement::Renew { incarnation: who(renew.incarnation)?, seq: renew.seq }
        }
        PlacementMessage::Released(released) => {
            let types = list(released.types, "types", TYPES_MAX, |released| {
                Ok((key(&released.actor_type, namespace)?, epoch(released.epoch, "epoch")?))
            })?;
            let incarnation = who(released.incarnation)?;
            ToPlacement::Released { incarnation, up_to: types.into_iter().collect() }
        }
        PlacementMessage::Move(told) => ToPlacement::Move {
            incarnation: who(told.incarnation)?,
            key: key(&told.actor_type, namespace)?,
            actor: told.actor,
            to: told.to.map(|number| incarnation(number, "to")).transpose()?,
        },
        PlacementMessage::Offer(told) => ToPlacement::Offer {
            incarnation: who(told.incarnation)?,
            types: list(told.types, "types", TYPES_MAX, |told| offer(&told))?,
            resources: resources(told.resources)?,
        },
        PlacementMessage::Leave(leave) => {
            ToPlacement::Leave { incarnation: who(leave.incarnation)? }
        }
        PlacementMessage::Farewell(farewell) => {
            ToPlacement::Farewell { incarnation: who(farewell.incarnation)? }
        }
        PlacementMessage::FenceAhead(proto::FenceAhead { term }) => {
            ToPlacement::FenceAhead { term }
        }
        PlacementMessage::Resync(resync) => {
            ToPlacement::Resync { key: key(&resync.actor_type, namespace)? }
        }
    })
}

/// A host and all that it brings, as a join that replaces nobody.
fn profile(host: Option<proto::Host>) -> Result<Join, Wrong> {
    let host = host.ok_or_else(|| Wrong::missing("host", "a host"))?;
    let read = |host: proto::Host| {
        let told = host.member.ok_or_else(|| Wrong::missing("member", "a member"))?;
        Ok(Join {
            member: member(&told).map_err(|wrong: Wrong| wrong.inside("member"))?,
            app: name("app", &host.app, AppId::parse)?,
            namespace: name("namespace", &host.namespace, Namespace::parse)?,
            types: list(host.types, "types", TYPES_MAX, |told| offer(&told))?,
            resources: resources(host.resources)?,
            replaces: None,
        })
    };
    read(host).map_err(|wrong: Wrong| wrong.inside("host"))
}

fn network(told: &str) -> Result<Network, Wrong> {
    Network::parse(told).ok_or_else(|| {
        let expected = format_args!("1 to {NETWORK_BYTES_MAX} visible ASCII characters");
        Wrong::text("network", told, expected)
    })
}

fn resources(told: Vec<proto::Resource>) -> Result<Vec<Resource>, Wrong> {
    list(told, "resources", RESOURCES_MAX, |resource| {
        let proto::Resource { name, id } = resource;
        let name = resource_name("name", &name)?;
        if id.is_empty() || id.len() > RESOURCE_BYTES_MAX {
            let expected = format_args!("a text of 1 to {RESOURCE_BYTES_MAX} bytes");
            return Err(Wrong::text("id", &id, expected));
        }
        Ok(Resource { name, id: id.into() })
    })
}

fn resource_name(field: &str, told: &str) -> Result<ActorType, Wrong> {
    let parsed = name(field, told, ActorType::parse_placed)?;
    if !parsed.is_resource() {
        return Err(Wrong::text(field, told, "a resource such as sys.state/app/component"));
    }
    Ok(parsed)
}

fn offer(offer: &proto::TypeOffer) -> Result<TypeOffer, Wrong> {
    Ok(TypeOffer {
        actor_type: name("actor_type", &offer.actor_type, ActorType::parse)?,
        policy: policy(offer.policy)?,
        // Without a time of its own it has that of the drain limit, which cuts it anyway.
        drain: offer.drain_ms.map_or(Ok(Duration::MAX), |ms| time(ms, "drain_ms"))?,
    })
}

fn policy(number: i32) -> Result<Policy, Wrong> {
    match proto::PlacementPolicy::try_from(number) {
        Ok(proto::PlacementPolicy::Ring) => Ok(Policy::Ring),
        Ok(proto::PlacementPolicy::Holder) => Ok(Policy::Holder),
        Ok(proto::PlacementPolicy::Local) => Ok(Policy::Local),
        Err(_) => Err(Wrong::new("policy", number, "a policy from 0 to 2")),
    }
}

/// Tables, then a commit for each type that marks or a base are told of.
fn news(told: proto::News, namespace: &Namespace) -> Result<Vec<ToHost>, Wrong> {
    let mut room = ROOM_MAX;
    let mut messages = list(told.tables, "tables", TABLES_MAX, |told| {
        prepare(key(&told.actor_type, namespace)?, told, &mut room)
    })?;
    let mut commits = list(told.commits, "commits", TYPES_MAX, |told| {
        if !told.marks.is_empty() {
            let found = format_args!("{} long", told.marks.len());
            return Err(Wrong::new("marks", found, "none in news, which tells them as reached"));
        }
        Ok((key(&told.actor_type, namespace)?, Marks::new(), epoch(told.base, "base")?))
    })?;
    for (i, told) in told.reached.into_iter().enumerate() {
        let within = |wrong: Wrong| wrong.inside(format_args!("reached[{i}]"));
        reached(told, &mut commits, &mut room).map_err(within)?;
    }
    let commit = |(key, marks, base)| ToHost::Commit { key, marks, base };
    messages.extend(commits.into_iter().map(commit));
    Ok(messages)
}

/// Adds marks to the commits that they belong to.
fn reached(
    told: proto::Reached,
    commits: &mut [(TypeKey, Marks, Epoch)],
    room: &mut usize,
) -> Result<(), Wrong> {
    let who = list(told.incarnations, "incarnations", MARKS_MAX, |number| {
        incarnation(number, "incarnation")
    })?;
    take_room(who.len().saturating_mul(told.marks.len()), room)?;
    list(told.marks, "marks", TYPES_MAX, |told| {
        let count = commits.len();
        let commit = usize::try_from(told.commit).ok().and_then(|place| commits.get_mut(place));
        let Some((_, marks, _)) = commit else {
            let expected = format_args!("the place of one of {count} commits");
            return Err(Wrong::new("commit", told.commit, expected));
        };
        let reached = told.reached.ok_or_else(|| Wrong::missing("reached", "an epoch or gone"))?;
        let mark = match reached {
            proto::type_mark::Reached::Released(released) => Mark::Released(epoch_of(released)),
            proto::type_mark::Reached::Gone(()) => Mark::Gone,
        };
        for incarnation in &who {
            if marks.insert(*incarnation, mark).is_some() {
                let expected = "one mark for each incarnation";
                return Err(Wrong::new("incarnations", incarnation, expected));
            }
        }
        Ok(())
    })?;
    Ok(())
}

/// The next table of a chain, or all of it with its marks.
fn prepare(key: TypeKey, told: proto::Prepare, room: &mut usize) -> Result<ToHost, Wrong> {
    match told.news.ok_or_else(|| Wrong::missing("news", "a step or a chain"))? {
        proto::prepare::News::Step(_) if !told.marks.is_empty() => {
            let found = format_args!("{} long", told.marks.len());
            Err(Wrong::new("marks", found, "none with a step"))
        }
        proto::prepare::News::Step(news) => step(key, news).map_err(|wrong| wrong.inside("step")),
        proto::prepare::News::Chain(news) => {
            let news = chain(news, room);
            let (tables, hash) = news.map_err(|wrong| wrong.inside("chain"))?;
            let last = tables.last().ok_or_else(|| Wrong::missing("chain.base", "a table"))?;
            let (epoch, marks) = (last.epoch, marks(told.marks)?);
            Ok(ToHost::Prepare { key, epoch, update: Update::Chain { tables, marks }, hash })
        }
    }
}

fn step(key: TypeKey, step: proto::Step) -> Result<ToHost, Wrong> {
    let (named, previous) = (epoch(step.epoch, "epoch")?, epoch(step.previous, "previous")?);
    if named <= previous {
        return Err(Wrong::new("epoch", named, format_args!("above {previous}, the one before")));
    }
    let told = step.delta.ok_or_else(|| Wrong::missing("delta", "a delta"))?;
    let (joined, left, pins) = delta(told).map_err(|wrong| wrong.inside("delta"))?;
    let update = Update::Delta { previous, joined, left, pins };
    Ok(ToHost::Prepare { key, epoch: named, update, hash: step.hash })
}

/// Who came, who went, and the pins that changed.
type Told = (Vec<Member>, Vec<Incarnation>, PinChanges);

fn delta(delta: proto::Delta) -> Result<Told, Wrong> {
    let joined = list(delta.joined, "joined", MEMBERS_MAX, |told| member(&told))?;
    let left = list(delta.left, "left", MEMBERS_MAX, |number| incarnation(number, "incarnation"))?;
    // All of those there may be, ended, and as many new ones.
    let pins = list(delta.pins, "pins", 2 * PINS_MAX, |proto::Pin { actor, incarnation }| {
        Ok((actor, Some(Incarnation(incarnation)).filter(|owner| owner.0 != 0)))
    })?;
    Ok((joined, left, pins.into_iter().collect()))
}

/// Each table of a chain in full, and the hash that the newest one should have; the hashes
/// of the others are compared here. `room` is how many members there is still room for.
fn chain(chain: proto::Chain, room: &mut usize) -> Result<(Vec<TableData>, u64), Wrong> {
    let base = chain.base.ok_or_else(|| Wrong::missing("base", "a table"))?;
    let mut hash = base.hash;
    let mut newest = table(base, room).map_err(|wrong| wrong.inside("base"))?;
    check_count(chain.steps.len(), "steps", STEPS_MAX)?;
    let mut tables = Vec::with_capacity(chain.steps.len() + 1);
    for (i, told) in chain.steps.into_iter().enumerate() {
        let within = |wrong: Wrong| wrong.inside(format_args!("steps[{i}]"));
        check_hash(&newest, hash)?;
        hash = told.hash;
        let next = next_table(&newest, told, room).map_err(within)?;
        tables.push(std::mem::replace(&mut newest, next));
    }
    tables.push(newest);
    Ok((tables, hash))
}

fn table(table: proto::Table, room: &mut usize) -> Result<TableData, Wrong> {
    let members = list(table.members, "members", MEMBERS_MAX, |told| member(&told))?;
    take_room(members.len() + table.pins.len(), room)?;
    check_ascending(&members)?;
    let pins = list(table.pins, "pins", PINS_MAX, |pin| {
        Ok((pin.actor, incarnation(pin.incarnation, "incarnation")?))
    })?;
    let pins = pins.into_iter().collect();
    check_pins(&pins, &members)?;
    Ok(TableData { epoch: epoch(table.epoch, "epoch")?, members, pins })
}

fn next_table(
    earlier: &TableData,
    step: proto::Step,
    room: &mut usize,
) -> Result<TableData, Wrong> {
    let (named, previous) = (epoch(step.epoch, "epoch")?, epoch(step.previous, "previous")?);
    if previous != earlier.epoch {
        let expected = format_args!("{}, the table before it in the chain", earlier.epoch);
        return Err(Wrong::new("previous", previous, expected));
    }
    if named <= previous {
        return Err(Wrong::new("epoch", named, format_args!("above {previous}, the one before")));
    }
    let told = step.delta.ok_or_else(|| Wrong::missing("delta", "a delta"))?;
    let (joined, mut left, changes) = delta(told).map_err(|wrong| wrong.inside("delta"))?;
    left.sort();
    let stays = |member: &&Member| left.binary_search(&member.incarnation).is_err();
    let staying = earlier.members.iter().filter(stays);
    let members = staying.clone().count() + joined.len();
    take_room(members + earlier.pins.len() + changes.len(), room)?;
    let mut members: Vec<_> = staying.cloned().chain(joined).collect();
    members.sort_by_key(|member| member.incarnation);
    check_count(members.len(), "members", MEMBERS_MAX)?;
    check_ascending(&members)?;
    let mut pins = earlier.pins.clone();
    pins.extend(changes.iter().filter_map(|(actor, owner)| Some((*actor, (*owner)?))));
    let is_over = |actor: &u64| changes.get(actor) == Some(&None);
    // A pin on somebody who left ends by that.
    pins.retain(|actor, owner| !is_over(actor) && stands(&members, *owner));
    check_count(pins.len(), "pins", PINS_MAX)?;
    Ok(TableData { epoch: named, members, pins })
}

fn stands(members: &[Member], incarnation: Incarnation) -> bool {
    members.binary_search_by_key(&incarnation, |member| member.incarnation).is_ok()
}

fn check_pins(pins: &Pins, members: &[Member]) -> Result<(), Wrong> {
    match pins.values().find(|owner| !stands(members, **owner)) {
        Some(owner) => Err(Wrong::new("pins.incarnation", owner, "a member of the table")),
        None => Ok(()),
    }
}

fn take_room(count: usize, room: &mut usize) -> Result<(), Wrong> {
    *room = room.checked_sub(count).ok_or_else(|| {
        let expected = format_args!("at most {ROOM_MAX} in all of the message");
        Wrong::new("members", format_args!("{count} more members, pins or marks"), expected)
    })?;
    Ok(())
}

fn check_ascending(members: &[Member]) -> Result<(), Wrong> {
    match members.windows(2).find(|pair| pair[0].incarnation >= pair[1].incarnation) {
        Some(pair) => {
            let expected = format_args!("above {}, the member before it", pair[0].incarnation);
            Err(Wrong::new("members.incarnation", pair[1].incarnation, expected))
        }
        None => Ok(()),
    }
}

fn check_hash(table: &TableData, told: u64) -> Result<(), Wrong> {
    let hash = hash_of(table);
    if hash != told {
        let expected = format_args!("{hash:016x} for the members and pins of {}", table.epoch);
        return Err(Wrong::new("hash", format_args!("{told:016x}"), expected));
    }
    Ok(())
}

fn marks(told: Vec<proto::Mark>) -> Result<Marks, Wrong> {
    let told = list(told, "marks", MARKS_MAX, |told| {
        let reached = told.reached;
        let reached = reached.ok_or_else(|| Wrong::missing("reached", "an epoch or gone"))?;
        let mark = match reached {
            proto::mark::Reached::Released(released) => Mark::Released(epoch_of(released)),
            proto::mark::Reached::Gone(()) => Mark::Gone,
        };
        Ok((incarnation(told.incarnation, "incarnation")?, mark))
    })?;
    let mut marks = Marks::new();
    for (who, mark) in told {
        if marks.insert(who, mark).is_some() {
            return Err(Wrong::new("marks.incarnation", who, "one mark for each incarnation"));
        }
    }
    Ok(marks)
}

fn member(member: &proto::Member) -> Result<Member, Wrong> {
    Ok(Member {
        incarnation: incarnation(member.incarnation, "incarnation")?,
        host: name("host", &member.host, HostName::parse)?,
        address: address(&member.address, "address")?.into(),
    })
}

fn address<'a>(text: &'a str, field: &str) -> Result<&'a str, Wrong> {
    let is_one = text.len() <= ADDRESS_BYTES_MAX
        && text.chars().all(|c| !c.is_control() && !c.is_whitespace() && !"/?#@".contains(c))
        && text
            .rsplit_once(':')
            .is_some_and(|(name, port)| !name.is_empty() && port.parse::<u16>().is_ok());
    if is_one {
        return Ok(text);
    }
    let expected = format_args!("name:port, in at most {ADDRESS_BYTES_MAX} bytes");
    Err(Wrong::text(field, text, expected))
}

fn incarnation(number: u64, field: &str) -> Result<Incarnation, Wrong> {
    if number == 0 {
        return Err(Wrong::new(field, 0, "a number other than 0"));
    }
    Ok(Incarnation(number))
}

fn epoch(told: Option<proto::Epoch>, field: &str) -> Result<Epoch, Wrong> {
    told.map(epoch_of).ok_or_else(|| Wrong::missing(field, "an epoch"))
}

fn epoch_of(told: proto::Epoch) -> Epoch {
    Epoch { term: told.term, n: told.n }
}

fn time(ms: u64, field: &str) -> Result<Duration, Wrong> {
    let time = Duration::from_millis(ms);
    if time > TIME_MAX {
        let expected = format_args!("at most {} ms", TIME_MAX.as_millis());
        return Err(Wrong::new(field, ms, expected));
    }
    Ok(time)
}

fn key(actor_type: &str, namespace: &Namespace) -> Result<TypeKey, Wrong> {
    let actor_type = name("actor_type", actor_type, ActorType::parse_placed)?;
    Ok(TypeKey { namespace: namespace.clone(), actor_type })
}

/// A name, by the rules of whoever parses it.
pub(crate) fn name<T>(
    field: &str,
    text: &str,
    parse: impl FnOnce(&str) -> Result<T, Invalid>,
) -> Result<T, Wrong> {
    let rule = |invalid| match invalid {
        Invalid::Empty { .. } => "at least one character".to_owned(),
        Invalid::TooLong { max, .. } => format!("at most {max} bytes"),
        Invalid::Character { found, .. } => format!("a name without {found:?}"),
        Invalid::DotSegment { .. } => "another name than a dot or two".to_owned(),
        Invalid::Reserved { .. } => "a name that is not reserved for the runtime".to_owned(),
    };
    parse(text).map_err(|invalid| Wrong::text(field, text, rule(invalid)))
}

/// A list that is not too long, each item read.
fn list<T, U>(
    told: Vec<T>,
    field: &str,
    max: usize,
    mut read: impl FnMut(T) -> Result<U, Wrong>,
) -> Result<Vec<U>, Wrong> {
    check_count(told.len(), field, max)?;
    let items = told.into_iter().enumerate();
    let items = items
        .map(|(i, item)| read(item).map_err(|wrong| wrong.inside(format_args!("{field}[{i}]"))));
    items.collect()
}

fn check_count(count: usize, field: &str, max: usize) -> Result<(), Wrong> {
    if count > max {
        return Err(Wrong::new(field, format_args!("{count} long"), format_args!("at most {max}")));
    }
    Ok(())
}
