//! All messages go over the wire and come back; bad ones are named.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use odeon_base::{ActorType, AppId, Epoch, HostName, Incarnation, Namespace};
use odeon_proto::odeon::placement::v1 as proto;
use odeon_ring::{
    Join, Mark, Member, News, PINS_MAX, Policy, Resource, TableData, ToHost, ToPlacement, TypeKey,
    TypeOffer, TypeReport, Update,
};
use proptest::prelude::*;
use prost::Message as _;
use proto::to_host::Message as HostMessage;
use proto::to_placement::Message as PlacementMessage;

use super::*;
use crate::probe::Network;

fn namespace() -> Namespace {
    Namespace::parse("shop").unwrap()
}

fn identity() -> Identity {
    Identity {
        host: HostName::parse("10.0.0.1:50002").unwrap(),
        address: "10.0.0.1:50002".into(),
        app: AppId::parse("orders").unwrap(),
        namespace: namespace(),
        network: Network::parse("boot/1"),
    }
}

prop_compose! {
    fn key()(actor_type in "[A-Z][a-z|. ]{0,20}") -> TypeKey {
        TypeKey { namespace: namespace(), actor_type: ActorType::parse(&actor_type).unwrap() }
    }
}

prop_compose! {
    fn epoch()(term in 0..100_u64, n in any::<u64>()) -> Epoch {
        Epoch { term, n }
    }
}

fn incarnation() -> impl Strategy<Value = Incarnation> {
    // Few, so that tables share them, and the ends of the range.
    prop_oneof![1..20_u64, any::<u64>().prop_map(|n| n.max(1))].prop_map(Incarnation)
}

prop_compose! {
    fn member()(incarnation in incarnation(), host in "[a-c]:[1-9]", port in any::<u16>()) -> Member {
        let address = format!("10.0.0.1:{port}").into();
        Member { incarnation, host: HostName::parse(&host).unwrap(), address }
    }
}

fn members() -> impl Strategy<Value = Vec<Member>> {
    let ascending = |members: Vec<Member>| {
        let by_incarnation: BTreeMap<_, _> =
            members.into_iter().map(|member| (member.incarnation, member)).collect();
        by_incarnation.into_values().collect()
    };
    prop::collection::vec(member(), 0..8).prop_map(ascending)
}

fn tables() -> impl Strategy<Value = Vec<TableData>> {
    let pins = prop::collection::btree_map(0..9_u64, any::<prop::sample::Index>(), 0..4);
    prop::collection::vec((epoch(), members(), pins), 1..5).prop_map(|tables| {
        let of =
            |(epoch, members, pins): (Epoch, Vec<Member>, BTreeMap<u64, prop::sample::Index>)| {
                // A pin names a member; without any there is none.
                let pins = pins.into_iter().filter(|_| !members.is_empty());
                let owner = |index: prop::sample::Index| index.get(&members).incarnation;
                let pins = pins.map(|(actor, index)| (actor, owner(index))).collect();
                (epoch, TableData { epoch, members, pins })
            };
        let by_epoch: BTreeMap<_, _> = tables.into_iter().map(of).collect();
        by_epoch.into_values().collect()
    })
}

fn marks() -> impl Strategy<Value = BTreeMap<Incarnation, Mark>> {
    let mark = prop_oneof![epoch().prop_map(Mark::Released), Just(Mark::Gone)];
    prop::collection::btree_map(incarnation(), mark, 0..6)
}

fn millis() -> impl Strategy<Value = Duration> {
    (1..100_000_000_u64).prop_map(Duration::from_millis)
}

fn offers() -> impl Strategy<Value = Vec<TypeOffer>> {
    let policy = prop_oneof![Just(Policy::Ring), Just(Policy::Holder), Just(Policy::Local)];
    let drain = prop_oneof![millis(), Just(Duration::MAX), Just(Duration::ZERO)];
    let offer = (key(), policy, drain).prop_map(|(key, policy, drain)| TypeOffer {
        actor_type: key.actor_type,
        policy,
        drain,
    });
    prop::collection::vec(offer, 0..5)
}

fn resource_name() -> impl Strategy<Value = ActorType> {
    ("[a-z]{1,9}", "[a-z|.]{3,9}").prop_map(|(app, name)| {
        ActorType::parse_placed(&format!("sys.state/{app}/{name}")).unwrap()
    })
}

fn resources() -> impl Strategy<Value = Vec<Resource>> {
    let resource = (resource_name(), ".{1,30}");
    let resource = resource.prop_map(|(name, id)| Resource { name, id: id.into() });
    prop::collection::vec(resource, 0..3)
}

prop_compose! {
    fn join()(
        member in member(),
        types in offers(),
        resources in resources(),
        replaces in prop::option::of(incarnation()),
    ) -> Join {
        let app = AppId::parse("orders").unwrap();
        Join { member, app, namespace: namespace(), types, resources, replaces }
    }
}

fn report() -> impl Strategy<Value = ToPlacement> {
    let known = (key(), tables(), marks());
    let known = known.prop_map(|(key, chain, marks)| TypeReport { key, chain, marks });
    (incarnation(), any::<bool>(), prop::collection::vec(known, 0..4))
        .prop_map(|(incarnation, lapsed, types)| ToPlacement::Report { incarnation, lapsed, types })
}

fn to_placement() -> impl Strategy<Value = ToPlacement> {
    prop_oneof![
        join().prop_map(ToPlacement::Join),
        (incarnation(), any::<u64>())
            .prop_map(|(incarnation, seq)| ToPlacement::Renew { incarnation, seq }),
        (incarnation(), prop::collection::btree_map(key(), epoch(), 0..3))
            .prop_map(|(incarnation, up_to)| ToPlacement::Released { incarnation, up_to }),
        (incarnation(), offers(), resources()).prop_map(|(incarnation, types, resources)| {
            ToPlacement::Offer { incarnation, types, resources }
        }),
        incarnation().prop_map(|incarnation| ToPlacement::Leave { incarnation }),
        incarnation().prop_map(|incarnation| ToPlacement::Farewell { incarnation }),
        any::<u64>().prop_map(|term| ToPlacement::FenceAhead { term }),
        key().prop_map(|key| ToPlacement::Resync { key }),
        (incarnation(), key(), any::<u64>(), prop::option::of(incarnation())).prop_map(
            |(incarnation, key, actor, to)| ToPlacement::Move { incarnation, key, actor, to }
        ),
    ]
}

fn prepare() -> impl Strategy<Value = ToHost> {
    let joined = prop::collection::vec(member(), 0..4);
    let left = prop::collection::vec(incarnation(), 0..4);
    let pins = prop::collection::btree_map(any::<u64>(), prop::option::of(incarnation()), 0..3);
    let delta = (key(), epoch(), epoch(), joined, left, pins, any::<u64>());
    let delta = delta.prop_filter_map("one table", |(key, a, b, joined, left, pins, hash)| {
        let update = Update::Delta { previous: a.min(b), joined, left, pins };
        (a != b).then(|| ToHost::Prepare { key, epoch: a.max(b), update, hash })
    });
    let chain = (key(), tables(), marks(), any::<u64>());
    let chain = chain.prop_map(|(key, tables, marks, hash)| {
        let epoch = tables.last().unwrap().epoch;
        ToHost::Prepare { key, epoch, update: Update::Chain { tables, marks }, hash }
    });
    prop_oneof![delta, chain]
}

fn commit() -> impl Strategy<Value = ToHost> {
    (key(), marks(), epoch()).prop_map(|(key, marks, base)| ToHost::Commit { key, marks, base })
}

fn news() -> impl Strategy<Value = ToHost> {
    let messages = prop::collection::vec(prop_oneof![prepare(), commit()], 0..6);
    messages.prop_map(|messages| ToHost::News(Arc::new(News::new(namespace(), messages))))
}

fn to_host() -> impl Strategy<Value = ToHost> {
    prop_oneof![
        news(),
        (any::<u64>(), incarnation(), any::<u64>(), millis(), millis()).prop_map(
            |(term, incarnation, seq, duration, drain_limit)| ToHost::Lease {
                term,
                incarnation,
                seq,
                duration,
                drain_limit
            }
        ),
        prepare(),
        commit(),
        incarnation().prop_map(|incarnation| ToHost::Expired { incarnation }),
        (incarnation(), resource_name(), ".{0,30}").prop_map(|(incarnation, resource, reason)| {
            ToHost::Refused { incarnation, resource, reason }
        }),
        prop::option::of("[a-z]{1,9}:[1-9]").prop_map(|address| ToHost::NotLeader { address }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_a_host_says_is_what_placement_hears(
        first in prop::option::of(report()),
        later in prop::collection::vec(to_placement(), 0..6),
    ) {
        let (mut writer, mut reader) = (FromHost::new(identity()), AtPlacement::default());
        let join = later.iter().position(|m| !matches!(
            m,
            ToPlacement::FenceAhead { .. } | ToPlacement::Resync { .. }
        ));
        // Those two say nothing of the speaker, so they cannot open a stream.
        let start = if first.is_some() { 0 } else { join.unwrap_or(later.len()) };
        let said: Vec<_> = first.into_iter().chain(later.into_iter().skip(start)).collect();
        let mut heard = Vec::new();
        let mut first = true;
        for message in &said {
            for wire in writer.say(message.clone()).unwrap() {
                prop_assert_eq!(wire.protocol, if first { PROTOCOL } else { 0 });
                first = false;
                heard.extend(reader.hear(wire).unwrap());
            }
        }
        prop_assert_eq!(heard, said);
    }

    #[test]
    fn what_placement_says_is_what_a_host_hears(
        said in prop::collection::vec(to_host(), 0..6),
    ) {
        let (mut writer, mut reader) = (FromPlacement::new(), AtHost::new(namespace()));
        let mut heard = Vec::new();
        let mut first = true;
        for message in &said {
            if let Some(wire) = writer.say(message.clone(), Some(&namespace())).unwrap() {
                prop_assert_eq!(wire.protocol, if first { PROTOCOL } else { 0 });
                first = false;
                heard.push(reader.hear(wire).unwrap());
            }
        }
        prop_assert_eq!(heard, said);
    }
}

// Good messages of the wire, from which bad ones are made.

fn wire_member(incarnation: u64) -> proto::Member {
    proto::Member { incarnation, host: "a:1".into(), address: "a:1".into() }
}

fn wire_host() -> proto::Host {
    proto::Host {
        member: Some(wire_member(7)),
        app: "orders".into(),
        namespace: "shop".into(),
        types: Vec::new(),
        resources: Vec::new(),
        network: None,
    }
}

fn wire_epoch(n: u64) -> Option<proto::Epoch> {
    Some(proto::Epoch { term: 1, n })
}

/// Tables 1.1 with 7 and 1.2 with 7 and 8.
fn wire_chain() -> proto::Chain {
    let table = |n: u64, members: &[u64]| TableData {
        epoch: Epoch { term: 1, n },
        members: members
            .iter()
            .map(|&incarnation| Member {
                incarnation: Incarnation(incarnation),
                host: HostName::parse("a:1").unwrap(),
                address: "a:1".into(),
            })
            .collect(),
        pins: BTreeMap::new(),
    };
    let mut writer = FromHost::new(identity());
    let report = ToPlacement::Report {
        incarnation: Incarnation(7),
        lapsed: false,
        types: vec![TypeReport {
            key: TypeKey { namespace: namespace(), actor_type: ActorType::parse("T").unwrap() },
            chain: vec![table(1, &[7]), table(2, &[7, 8])],
            marks: BTreeMap::new(),
        }],
    };
    let said = writer.say(report).unwrap().remove(0).message;
    let Some(PlacementMessage::Report(mut report)) = said else { unreachable!("a report") };
    report.types.remove(0).chain.unwrap()
}

fn wire_report() -> proto::Report {
    proto::Report {
        host: Some(wire_host()),
        standing: proto::Standing::Live.into(),
        term: 1,
        types: vec![proto::TypeReport {
            actor_type: "T".into(),
            chain: Some(wire_chain()),
            marks: Vec::new(),
        }],
    }
}

fn first(message: PlacementMessage) -> Result<Option<ToPlacement>, Error> {
    let protocol = PROTOCOL;
    AtPlacement::default().hear(proto::ToPlacement { protocol, message: Some(message) })
}

fn second(message: PlacementMessage) -> Result<Option<ToPlacement>, Error> {
    let mut reader = AtPlacement::default();
    let opening = PlacementMessage::Report(wire_report());
    reader.hear(proto::ToPlacement { protocol: PROTOCOL, message: Some(opening) }).unwrap();
    reader.hear(proto::ToPlacement { protocol: 0, message: Some(message) })
}

fn at_host(message: HostMessage) -> Result<ToHost, Error> {
    let protocol = PROTOCOL;
    AtHost::new(namespace()).hear(proto::ToHost { protocol, message: Some(message) })
}

/// The error names the field, and holds the texts.
fn check<T: std::fmt::Debug>(result: Result<T, Error>, field: &str, texts: &[&str]) {
    let Err(Error::Field(wrong)) = result else { panic!("{field}: {result:?}") };
    assert_eq!(wrong.field, field, "{wrong}");
    for text in texts {
        assert!(wrong.to_string().contains(text), "{text} is not in: {wrong}");
    }
}

fn bad_report(change: impl FnOnce(&mut proto::Report), field: &str, texts: &[&str]) {
    let mut report = wire_report();
    change(&mut report);
    check(first(PlacementMessage::Report(report)), field, texts);
}

fn chain_of(report: &mut proto::Report) -> &mut proto::Chain {
    report.types[0].chain.as_mut().unwrap()
}

#[test]
fn bad_reports_are_named() {
    assert!(first(PlacementMessage::Report(wire_report())).is_ok());
    bad_report(|r| r.host = None, "report.host", &["missing"]);
    bad_report(|r| r.standing = 4, "report.standing", &["is 4", "0 to 3"]);
    bad_report(|r| r.types[0].chain = None, "report.types[0].chain", &["missing"]);
    let host = |change: fn(&mut proto::Host)| {
        move |report: &mut proto::Report| change(report.host.as_mut().unwrap())
    };
    bad_report(host(|h| h.member = None), "report.host.member", &["missing"]);
    let field = "report.host.member.incarnation";
    bad_report(host(|h| h.member = Some(wire_member(0))), field, &["is 0", "other than 0"]);
    let name =
        |change: fn(&mut proto::Member)| host_of(move |host| change(host.member.as_mut().unwrap()));
    let field = "report.host.member.host";
    bad_report(name(|m| m.host = "a/b".into()), field, &["\"a/b\"", "without '/'"]);
    bad_report(name(|m| m.host = "h".repeat(9_999)), field, &["9999 bytes", "at most 256 bytes"]);
    let field = "report.host.member.address";
    for bad in ["", "a", ":1", "a:x", "a:70000", "a b:1", "http://a:1", "a:1\n"] {
        let address = bad.to_owned();
        let change = host_of(move |host| host.member.as_mut().unwrap().address = address);
        bad_report(change, field, &["name:port"]);
    }
    bad_report(host(|h| h.namespace.clear()), "report.host.namespace", &["at least one"]);
    bad_report(host(|h| h.app = "..".into()), "report.host.app", &["\"..\""]);
    let marks =
        |marks: Vec<proto::Mark>| move |report: &mut proto::Report| report.types[0].marks = marks;
    let gone = || Some(proto::mark::Reached::Gone(()));
    let unreached = vec![proto::Mark { incarnation: 1, reached: None }];
    bad_report(marks(unreached), "report.types[0].marks[0].reached", &["missing"]);
    let twice = vec![proto::Mark { incarnation: 1, reached: gone() }; 2];
    bad_report(marks(twice), "report.types[0].marks.incarnation", &["one mark"]);
    let many = vec![proto::Mark { incarnation: 1, reached: gone() }; MARKS_MAX + 1];
    bad_report(marks(many), "report.types[0].marks", &["100001 long", "at most 100000"]);
}

fn host_of(change: impl FnOnce(&mut proto::Host)) -> impl FnOnce(&mut proto::Report) {
    move |report| change(report.host.as_mut().unwrap())
}

#[test]
fn bad_chains_are_named() {
    let at = |field: &str| format!("report.types[0].chain.{field}");
    let bad = |change: fn(&mut proto::Chain), field: &str, texts: &[&str]| {
        bad_report(|report| change(chain_of(report)), &at(field), texts);
    };
    bad(|c| c.base = None, "base", &["missing"]);
    bad(|c| c.base.as_mut().unwrap().epoch = None, "base.epoch", &["missing"]);
    bad(|c| c.base.as_mut().unwrap().hash ^= 1, "hash", &["for the members and pins of 1.1"]);
    bad(|c| c.steps[0].hash ^= 1, "hash", &["for the members and pins of 1.2"]);
    bad(|c| c.steps[0].previous = wire_epoch(9), "steps[0].previous", &["is 1.9", "1.1"]);
    bad(|c| c.steps[0].epoch = wire_epoch(1), "steps[0].epoch", &["is 1.1", "above 1.1"]);
    bad(|c| c.steps[0].delta = None, "steps[0].delta", &["missing"]);
    let unordered = |c: &mut proto::Chain| {
        c.base.as_mut().unwrap().members = vec![wire_member(9), wire_member(7)];
    };
    let twice = |c: &mut proto::Chain| {
        c.steps[0].delta.as_mut().unwrap().joined = vec![wire_member(7)];
    };
    let nobody = |c: &mut proto::Chain| c.steps[0].delta.as_mut().unwrap().left = vec![0];
    bad(unordered, "base.members.incarnation", &["above 0000000000000009"]);
    bad(twice, "steps[0].members.incarnation", &["0000000000000007"]);
    bad(nobody, "steps[0].delta.left[0].incarnation", &["is 0"]);
    bad(|c| c.steps = vec![c.steps[0].clone(); STEPS_MAX + 1], "steps", &["1001 long"]);
    let crowd = |c: &mut proto::Chain| {
        c.base.as_mut().unwrap().members = vec![wire_member(7); MEMBERS_MAX + 1];
    };
    bad(crowd, "base.members", &["10001 long", "at most 10000"]);
    let pinned = |c: &mut proto::Chain| c.base.as_mut().unwrap().pins = wire_pins(PINS_MAX + 1);
    bad(pinned, "base.pins", &["1001 long", "at most 1000"]);
    let repinned = |c: &mut proto::Chain| {
        c.steps[0].delta.as_mut().unwrap().pins = wire_pins(2 * PINS_MAX + 1);
    };
    bad(repinned, "steps[0].delta.pins", &["2001 long", "at most 2000"]);
    // As many changes as there may be, but none of them ends an earlier pin.
    let grown = |c: &mut proto::Chain| {
        c.steps[0].delta.as_mut().unwrap().pins = wire_pins(2 * PINS_MAX);
    };
    bad(grown, "steps[0].pins", &["2000 long", "at most 1000"]);
}

/// Pins of as many actors, each on the first member of every test's table.
/// Each step repeats the table before it, which costs the sender a few bytes.
fn repeated(base: proto::Table) -> proto::Chain {
    let hash = base.hash;
    let step = |n: u64| proto::Step {
        epoch: wire_epoch(n + 1),
        previous: wire_epoch(n),
        delta: Some(proto::Delta::default()),
        hash,
    };
    proto::Chain { base: Some(base), steps: (1..STEPS_MAX as u64).map(step).collect() }
}

fn wire_pins(count: usize) -> Vec<proto::Pin> {
    (0..count as u64).map(|actor| proto::Pin { actor, incarnation: 7 }).collect()
}

#[test]
fn few_bytes_cannot_ask_for_much_memory_by_members() {
    let members: Vec<_> = (1..=u64::try_from(MEMBERS_MAX).unwrap()).map(wire_member).collect();
    let data: Vec<Member> = members
        .iter()
        .map(|told| Member {
            incarnation: Incarnation(told.incarnation),
            host: HostName::parse(&told.host).unwrap(),
            address: told.address.as_str().into(),
        })
        .collect();
    let (epoch, pins) = (Epoch { term: 1, n: 1 }, BTreeMap::new());
    let hash = write::hash_of(&TableData { epoch, members: data, pins });
    let chain = repeated(proto::Table { epoch: wire_epoch(1), members, hash, pins: Vec::new() });
    let steps = ROOM_MAX / MEMBERS_MAX - 1;
    let field = format!("report.types[0].chain.steps[{steps}].members");
    bad_report(|report| *chain_of(report) = chain, &field, &["10000 more", "2097152"]);
}

#[test]
fn few_bytes_cannot_ask_for_much_memory_by_pins() {
    let pins = wire_pins(PINS_MAX);
    let data = TableData {
        epoch: Epoch { term: 1, n: 1 },
        members: vec![Member {
            incarnation: Incarnation(7),
            host: HostName::parse(&wire_member(7).host).unwrap(),
            address: wire_member(7).address.as_str().into(),
        }],
        pins: pins.iter().map(|pin| (pin.actor, Incarnation(7))).collect(),
    };
    let hash = write::hash_of(&data);
    let members = vec![wire_member(7)];
    let chain = repeated(proto::Table { epoch: wire_epoch(1), members, hash, pins });
    let tables = ROOM_MAX / (PINS_MAX + 1);
    let (types, step) = (tables / STEPS_MAX, tables % STEPS_MAX - 1);
    let crowd = |report: &mut proto::Report| {
        let one = report.types[0].clone();
        report.types = (0..=types)
            .map(|n| {
                let actor_type = format!("T{n}");
                proto::TypeReport { actor_type, chain: Some(chain.clone()), ..one.clone() }
            })
            .collect();
    };
    let field = format!("report.types[{types}].chain.steps[{step}].members");
    bad_report(crowd, &field, &["1001 more", "2097152"]);
}

#[test]
fn bad_messages_to_placement_are_named() {
    let renew = |incarnation| PlacementMessage::Renew(proto::Renew { incarnation, seq: 1 });
    check(first(renew(7)), "message", &["is renew", "a report"]);
    check(second(renew(0)), "renew.incarnation", &["is 0"]);
    check(second(PlacementMessage::Report(wire_report())), "report.message", &["second"]);
    let types = vec![proto::ReleasedType { actor_type: "T".into(), epoch: None }];
    let released = proto::Released { incarnation: 7, types };
    check(second(PlacementMessage::Released(released)), "released.types[0].epoch", &["missing"]);
    let resync = |actor_type: &str| {
        PlacementMessage::Resync(proto::Resync { actor_type: actor_type.to_owned() })
    };
    check(second(resync("a\u{7}b")), "resync.actor_type", &["\"a\\u{7}b\""]);
    check(second(resync("")), "resync.actor_type", &["at least one character"]);
    for who in [
        PlacementMessage::Leave(proto::Leave { incarnation: 0 }),
        PlacementMessage::Farewell(proto::Farewell { incarnation: 0 }),
    ] {
        assert!(matches!(second(who), Err(Error::Field(_))));
    }
    let offer = |offer: proto::TypeOffer, count: usize| {
        let types = vec![offer; count];
        PlacementMessage::Offer(proto::Offer { incarnation: 7, types, resources: Vec::new() })
    };
    let good = proto::TypeOffer { actor_type: "T".into(), policy: 0, drain_ms: None };
    let unknown = proto::TypeOffer { policy: 3, ..good.clone() };
    check(second(offer(unknown, 1)), "offer.types[0].policy", &["is 3"]);
    let long = proto::TypeOffer { drain_ms: Some(u64::MAX), ..good.clone() };
    check(second(offer(long, 1)), "offer.types[0].drain_ms", &["at most"]);
    check(second(offer(good, TYPES_MAX + 1)), "offer.types", &["10001 long"]);
    let join = |change: fn(&mut proto::Join)| {
        let mut join = proto::Join { host: Some(wire_host()), replaces: None };
        change(&mut join);
        second(PlacementMessage::Join(join))
    };
    check(join(|j| j.replaces = Some(0)), "join.replaces", &["is 0"]);
    check(join(|j| j.host = None), "join.host", &["missing"]);
    let elsewhere = |j: &mut proto::Join| j.host.as_mut().unwrap().namespace = "other".into();
    check(join(elsewhere), "join.host.namespace", &["\"other\"", "shop"]);
    let unnamed = |j: &mut proto::Join| {
        j.host.as_mut().unwrap().resources = vec![proto::Resource::default()];
    };
    check(join(unnamed), "join.host.resources[0].name", &["at least one character"]);
    let misnamed = |j: &mut proto::Join| {
        let resource = proto::Resource { name: "T".into(), id: "1".into() };
        j.host.as_mut().unwrap().resources = vec![resource];
    };
    check(join(misnamed), "join.host.resources[0].name", &["sys.state/app/component"]);
    let unmarked = |j: &mut proto::Join| {
        let resource = proto::Resource { name: "sys.state/a/b".into(), id: String::new() };
        j.host.as_mut().unwrap().resources = vec![resource];
    };
    check(join(unmarked), "join.host.resources[0].id", &["1 to 1024"]);
    let empty = proto::ToPlacement { protocol: PROTOCOL, message: None };
    check(AtPlacement::default().hear(empty), "message", &["missing", "knows"]);
}

#[test]
fn bad_messages_to_hosts_are_named() {
    let lease = |change: fn(&mut proto::Lease)| {
        let mut lease =
            proto::Lease { term: 1, incarnation: 7, seq: 0, lease_ms: 5_000, drain_limit_ms: 0 };
        change(&mut lease);
        at_host(HostMessage::Lease(lease))
    };
    assert!(lease(|_| ()).is_ok());
    check(lease(|l| l.incarnation = 0), "lease.incarnation", &["is 0"]);
    check(lease(|l| l.lease_ms = 0), "lease.lease_ms", &["more than 0"]);
    check(lease(|l| l.drain_limit_ms = u64::MAX), "lease.drain_limit_ms", &["at most"]);
    let prepare = |news| {
        let actor_type = "T".to_owned();
        HostMessage::Prepare(proto::Prepare { actor_type, news, marks: Vec::new() })
    };
    check(at_host(prepare(None)), "prepare.news", &["a step or a chain"]);
    let mut step = wire_chain().steps.remove(0);
    step.epoch = wire_epoch(0);
    let step = Some(proto::prepare::News::Step(step));
    check(at_host(prepare(step)), "prepare.step.epoch", &["is 1.0", "above 1.1"]);
    let leader = "nowhere".to_owned();
    check(
        at_host(HostMessage::NotLeader(proto::NotLeader { leader })),
        "not_leader.leader",
        &["\"nowhere\"", "name:port"],
    );
    let marked = proto::Prepare {
        actor_type: "T".to_owned(),
        news: Some(proto::prepare::News::Step(wire_chain().steps.remove(0))),
        marks: vec![proto::Mark { incarnation: 7, reached: None }],
    };
    check(at_host(HostMessage::Prepare(marked.clone())), "prepare.marks", &["1 long", "none"]);
    let chain = Some(proto::prepare::News::Chain(wire_chain()));
    let unreached = proto::Prepare { news: chain, ..marked };
    let field = "prepare.marks[0].reached";
    check(at_host(HostMessage::Prepare(unreached)), field, &["an epoch or gone"]);
    let mut step = wire_chain().steps.remove(0);
    step.delta.as_mut().unwrap().pins = wire_pins(2 * PINS_MAX + 1);
    let field = "prepare.step.delta.pins";
    let step = prepare(Some(proto::prepare::News::Step(step)));
    check(at_host(step), field, &["2001 long", "at most 2000"]);
}

#[test]
fn news_that_is_too_long_is_named() {
    let told = |news: proto::News| at_host(HostMessage::News(news.encode_to_vec().into()));
    let news = |tables, commits| {
        let tables = vec![proto::Prepare::default(); tables];
        let commits = vec![proto::Commit::default(); commits];
        told(proto::News { tables, commits, reached: Vec::new() })
    };
    check(news(TABLES_MAX + 1, 0), "news.tables", &["100001 long", "at most 100000"]);
    check(news(0, TYPES_MAX + 1), "news.commits", &["10001 long", "at most 10000"]);
    let reached = |incarnations, marks| {
        let marks = vec![proto::TypeMark::default(); marks];
        let reached = vec![proto::Reached { incarnations: vec![7; incarnations], marks }];
        let (tables, commits) = (Vec::new(), Vec::new());
        told(proto::News { tables, commits, reached })
    };
    let field = "news.reached[0].incarnations";
    check(reached(MARKS_MAX + 1, 0), field, &["100001 long", "at most 100000"]);
    check(reached(1, TYPES_MAX + 1), "news.reached[0].marks", &["10001 long", "at most 10000"]);
}

#[test]
fn releases_one_version_apart_understand_one_another() {
    for (theirs, is_understood) in [
        (0, false),
        (PROTOCOL, true),
        (PROTOCOL + 1, true),
        (PROTOCOL + 2, false),
        (u32::MAX, false),
    ] {
        let expired = HostMessage::Expired(proto::Expired { incarnation: 7 });
        let told = proto::ToHost { protocol: theirs, message: Some(expired) };
        let heard = AtHost::new(namespace()).hear(told);
        let report = Some(PlacementMessage::Report(wire_report()));
        let told = proto::ToPlacement { protocol: theirs, message: report };
        let reported = AtPlacement::default().hear(told);
        assert_eq!((heard.is_ok(), reported.is_ok()), (is_understood, is_understood), "{theirs}");
        if let Err(error) = heard {
            let text = error.to_string();
            assert!(text.contains(&format!("is {theirs} on the other side and {PROTOCOL} here")));
        }
    }
}

#[test]
fn types_of_other_namespaces_do_not_leave() {
    let other = Namespace::parse("other").unwrap();
    let key = TypeKey { namespace: other, actor_type: ActorType::parse("T").unwrap() };
    let mut writer = FromHost::new(identity());
    writer.say(ToPlacement::Leave { incarnation: Incarnation(7) }).unwrap();
    let wrong = writer.say(ToPlacement::Resync { key: key.clone() }).unwrap_err();
    assert_eq!((wrong.field.as_str(), wrong.found.as_str()), ("namespace", "\"other\" (5 bytes)"));
    let base = Epoch::default();
    let commit = ToHost::Commit { key, marks: BTreeMap::new(), base };
    assert_eq!(FromPlacement::new().say(commit, Some(&namespace())), Ok(None));
    let resync = ToPlacement::FenceAhead { term: 3 };
    assert!(FromHost::new(identity()).say(resync).is_err(), "nobody would know who speaks");
}
