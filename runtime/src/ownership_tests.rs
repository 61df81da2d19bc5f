//! Tests of a host's side of `design/ownership.md`: tables of event and actions.
//!
//! Every test reads as a script: a time, what happens, and the actions in short
//! words. Seconds are the lease clock's; the lease is 5 s, so a turn starts until
//! 4 s and runs until 4.5 s after the renewal was sent.

use odeon_base::HostName;
use odeon_ring::TableData;
use odeon_ring::rings::content_hash;

use super::*;

const LEASE: Duration = Duration::from_secs(5);
const DRAIN_LIMIT: Duration = Duration::from_secs(60);

/// An `Ownership` with a clock and a supply of incarnations.
#[derive(Debug)]
struct Bench {
    ownership: Ownership,
    now: Duration,
    fresh: u64,
}

fn seconds(at: f64) -> Duration {
    Duration::from_secs_f64(at)
}

fn name(text: &str) -> ActorType {
    ActorType::parse(text).unwrap()
}

fn key(text: &str) -> TypeKey {
    TypeKey { namespace: Namespace::default(), actor_type: name(text) }
}

/// `1.2` as an epoch.
fn epoch(text: &str) -> Epoch {
    let (term, n) = text.split_once('.').unwrap();
    Epoch { term: term.parse().unwrap(), n: n.parse().unwrap() }
}

/// The member of an incarnation; each has a host of its own.
fn member(incarnation: u64) -> Member {
    let host = HostName::parse(&format!("h{incarnation}:1")).unwrap();
    Member { incarnation: Incarnation(incarnation), address: host.as_str().into(), host }
}

fn members(incarnations: &[u64]) -> Vec<Member> {
    incarnations.iter().copied().map(member).collect()
}

fn hash(incarnations: &[u64]) -> u64 {
    content_hash(&members(incarnations))
}

/// The whole chain of a type, as placement sends it: epochs and their members.
fn chain(actor_type: &str, tables: &[(&str, &[u64])]) -> ToHost {
    let data = tables.iter().map(|(name, incarnations)| TableData {
        epoch: epoch(name),
        members: members(incarnations),
        pins: BTreeMap::new(),
    });
    let (last, newest) = tables.last().unwrap();
    ToHost::Prepare {
        key: key(actor_type),
        epoch: epoch(last),
        update: Update::Chain { tables: data.collect(), marks: BTreeMap::new() },
        hash: hash(newest),
    }
}

/// The next table of a type: who comes, who goes, and who is in it then.
fn delta(
    actor_type: &str,
    [from, to]: [&str; 2],
    joined: &[u64],
    left: &[u64],
    all: &[u64],
) -> ToHost {
    ToHost::Prepare {
        key: key(actor_type),
        epoch: epoch(to),
        update: Update::Delta {
            pins: BTreeMap::new(),
            previous: epoch(from),
            joined: members(joined),
            left: left.iter().copied().map(Incarnation).collect(),
        },
        hash: hash(all),
    }
}

fn commit(actor_type: &str, base: &str, marks: &[(u64, Mark)]) -> ToHost {
    let marks = marks.iter().map(|(incarnation, mark)| (Incarnation(*incarnation), *mark));
    ToHost::Commit { key: key(actor_type), marks: marks.collect(), base: epoch(base) }
}

fn lease(term: u64, incarnation: u64, seq: u64) -> ToHost {
    let incarnation = Incarnation(incarnation);
    ToHost::Lease { term, incarnation, seq, duration: LEASE, drain_limit: DRAIN_LIMIT }
}

fn offers(types: &[&str]) -> BTreeMap<ActorType, TypeOffer> {
    let offer = |text: &&str| {
        let policy = if text.starts_with("local") { Policy::Local } else { Policy::Ring };
        let actor_type = name(text);
        (actor_type.clone(), TypeOffer { actor_type, policy, drain: DRAIN_LIMIT })
    };
    types.iter().map(offer).collect()
}

fn listed(types: &[TypeOffer]) -> String {
    types.iter().map(|offer| offer.actor_type.as_str()).collect::<Vec<_>>().join(" ")
}

/// An action in short words.
fn short(action: &Action) -> String {
    let number = |incarnation: &Incarnation| incarnation.0;
    match action {
        Action::Grant(grant) => {
            let (stop, cut) = (grant.stop_at.as_secs_f64(), grant.cut_at.as_secs_f64());
            format!("grant {} until {stop:.1} {cut:.1}", number(&grant.incarnation))
        }
        Action::Lapse => "lapse".to_owned(),
        Action::Publish(actor_type) => format!("publish {actor_type}"),
        Action::Drain(actor_type, epoch) => format!("drain {actor_type} {epoch}"),
        Action::Left => "left".to_owned(),
        Action::Refused(resource, _) => format!("refused {resource}"),
        Action::Send(message) => match message {
            ToPlacement::Join(join) => {
                let me = number(&join.member.incarnation);
                match join.replaces {
                    Some(earlier) => format!("join {me} replaces {}", number(&earlier)),
                    None => format!("join {me}"),
                }
            }
            ToPlacement::Report { incarnation, lapsed, types } => {
                let types: Vec<String> = types.iter().map(reported).collect();
                format!("report {} {lapsed} [{}]", number(incarnation), types.join("; "))
            }
            ToPlacement::Renew { incarnation, seq } => {
                format!("renew {} {seq}", number(incarnation))
            }
            ToPlacement::Released { incarnation, up_to } => {
                let up_to = up_to.iter().map(|(key, epoch)| format!(" {} {epoch}", key.actor_type));
                format!("released {}{}", number(incarnation), up_to.collect::<String>())
            }
            ToPlacement::Offer { incarnation, types, resources } => {
                let held = resources.iter().map(|resource| format!(" holds {}", resource.name));
                let held: String = held.collect();
                format!("offer {} [{}]{held}", number(incarnation), listed(types))
            }
            ToPlacement::Leave { incarnation } => format!("leave {}", number(incarnation)),
            ToPlacement::Farewell { incarnation } => format!("farewell {}", number(incarnation)),
            ToPlacement::FenceAhead { term } => format!("fence ahead {term}"),
            ToPlacement::Resync { key } => format!("resync {}", key.actor_type),
            ToPlacement::Move { key, actor, to, .. } => {
                let to = to.as_ref().map_or("-".to_owned(), |to| number(to).to_string());
                format!("move {} {actor} {to}", key.actor_type)
            }
        },
    }
}

fn reported(report: &TypeReport) -> String {
    let chain: Vec<String> = report.chain.iter().map(|table| table.epoch.to_string()).collect();
    let marks = report.marks.iter().map(|(incarnation, mark)| match mark {
        Mark::Released(epoch) => format!("{}:{epoch}", incarnation.0),
        Mark::Gone => format!("{}:gone", incarnation.0),
    });
    let marks: Vec<String> = marks.collect();
    format!("{} {} marks {}", report.key.actor_type, chain.join(","), marks.join(","))
}

impl Bench {
    fn new() -> Self {
        let identity = Identity {
            host: HostName::parse("h1:1").unwrap(),
            address: "h1:1".into(),
            app: AppId::parse("app").unwrap(),
            namespace: Namespace::default(),
        };
        Self { ownership: Ownership::new(identity), now: Duration::ZERO, fresh: 0 }
    }

    /// Live since zero as incarnation 1 under term 1, with nothing to do.
    fn live() -> Self {
        let mut bench = Self::new();
        bench.connect(0.0, &["join 1"]);
        bench.hear(0.1, lease(1, 1, 0), &["grant 1 until 4.0 4.5", "offer 1 []"]);
        bench
    }

    /// Live, and alone in the only table of type `T`, which it has released.
    fn owner() -> Self {
        let mut bench = Self::live();
        bench.hear(0.1, chain("T", &[("1.1", &[1])]), &["publish T", "drain T 1.1"]);
        bench.drained("T", "1.1", &["publish T", "released 1 T 1.1"]);
        bench
    }

    /// The one place where what happened is held against what was expected.
    fn check(&self, event: &str, found: &[Action], expected: &[&str]) {
        let found: Vec<String> = found.iter().map(short).collect();
        assert_eq!(found, expected, "after {event} at {:?}", self.now);
    }

    fn fresh(&mut self) -> Incarnation {
        self.fresh += 1;
        Incarnation(self.fresh)
    }

    /// A number that nobody joined with is the next one again.
    fn give_back(&mut self, fresh: Incarnation, actions: &[Action]) {
        let took = |action: &Action| matches!(action, Action::Send(ToPlacement::Join(join)) if join.member.incarnation == fresh);
        if !actions.iter().any(took) {
            self.fresh -= 1;
        }
    }

    fn connect(&mut self, at: f64, expected: &[&str]) {
        self.now = seconds(at);
        let fresh = self.fresh();
        let found = self.ownership.connected(self.now, fresh);
        self.give_back(fresh, &found);
        self.check("connecting", &found, expected);
    }

    #[expect(clippy::needless_pass_by_value, reason = "it is made where it is heard")]
    fn hear(&mut self, at: f64, message: ToHost, expected: &[&str]) {
        self.now = seconds(at);
        let found = self.ownership.received(&message, self.now);
        self.check(&format!("{message:?}"), &found, expected);
    }

    fn tick(&mut self, at: f64, expected: &[&str]) {
        self.now = seconds(at);
        let fresh = self.fresh();
        let found = self.ownership.tick(self.now, fresh);
        self.give_back(fresh, &found);
        self.check("a tick", &found, expected);
    }

    fn drained(&mut self, actor_type: &str, table: &str, expected: &[&str]) {
        let found = self.ownership.drained(&name(actor_type), epoch(table));
        self.check("a drain", &found, expected);
    }

    fn offer(&mut self, types: &[&str], expected: &[&str]) {
        let found = self.ownership.offer(offers(types), Vec::new());
        self.check("an offer", &found, expected);
    }

    fn leave(&mut self, expected: &[&str]) {
        let found = self.ownership.leave(self.now);
        self.check("leaving", &found, expected);
    }

    fn farewell(&mut self, expected: &[&str]) {
        let found = self.ownership.farewell();
        self.check("a farewell", &found, expected);
    }

    fn renewed(&mut self, at: f64, seq: u64) {
        self.tick(at, &[&format!("renew 1 {seq}")]);
    }
}

// out | start, or lapsed | joining: new incarnation, `Join`
#[test]
fn a_host_that_is_out_joins_with_a_new_incarnation() {
    let mut bench = Bench::new();
    assert_eq!(bench.ownership.incarnation(), None);
    bench.tick(0.0, &[]);
    bench.connect(0.0, &["join 1"]);
    assert_eq!(bench.ownership.incarnation(), None, "joining is not living");
    bench.tick(4.9, &[]);
    bench.tick(5.0, &["join 2 replaces 1"]);
    bench.hear(5.1, lease(1, 1, 0), &[]);
    bench.hear(5.1, lease(1, 2, 0), &["grant 2 until 9.0 9.5", "offer 2 []"]);
}

// A Join whose stream broke may have arrived: another incarnation would leave a ghost in
// the tables for 1.1 leases, so it is sent once more as it was.
#[test]
fn a_join_is_repeated_as_it_was_when_its_stream_broke() {
    let mut bench = Bench::owner();
    bench.tick(4.5, &["lapse", "publish T", "join 2 replaces 1"]);
    bench.ownership.disconnected();
    bench.tick(20.0, &[]);
    bench.connect(21.0, &["join 2 replaces 1"]);
    bench.ownership.disconnected();
    bench.connect(22.0, &["join 2 replaces 1"]);
    // Counted from the Join that this stream has carried: nothing was granted on it before.
    bench.hear(
        22.1,
        lease(1, 2, 0),
        &["grant 2 until 26.0 26.5", "publish T", "drain T 1.1", "offer 2 []"],
    );
}

// A new leader hears of no tables from a Join, so it must not be told of an incarnation for
// which gates would open by tables of the one before.
#[test]
fn a_host_that_a_table_names_before_its_grant_came_joins_as_somebody_else() {
    let mut bench = Bench::new();
    bench.offer(&["T"], &[]);
    bench.connect(0.0, &["join 1"]);
    bench.hear(0.1, chain("T", &[("1.1", &[1])]), &["publish T"]);
    bench.ownership.disconnected();
    bench.connect(1.0, &["join 2 replaces 1"]);
    bench.hear(1.1, lease(2, 1, 0), &[]);
    assert_eq!(bench.ownership.incarnation(), None, "what is granted to the one before is not its");
    // As itself again, while no table names it.
    bench.ownership.disconnected();
    bench.connect(2.0, &["join 2 replaces 1"]);
}

// Its grant got lost with the stream, and so did its renewals: it has ended meanwhile.
#[test]
fn a_host_that_expired_while_joining_joins_as_somebody_else() {
    let mut bench = Bench::new();
    bench.connect(0.0, &["join 1"]);
    bench.ownership.disconnected();
    bench.connect(9.0, &["join 1"]);
    bench.hear(9.1, ToHost::Expired { incarnation: Incarnation(7) }, &[]);
    bench.hear(9.1, ToHost::Expired { incarnation: Incarnation(1) }, &[]);
    assert_eq!(bench.ownership.next_tick(bench.now), Duration::ZERO, "it need not wait");
    bench.tick(9.1, &["join 2"]);
}

// joining | first `Lease` | live; chains and marks came before it and are applied
#[test]
fn tables_that_came_before_the_first_lease_are_drained_with_it() {
    let mut bench = Bench::new();
    bench.offer(&["T", "local.L"], &[]);
    bench.connect(0.0, &["join 1"]);
    let tables: &[(&str, &[u64])] = &[("1.1", &[2]), ("1.2", &[1, 2])];
    bench.hear(0.0, chain("T", tables), &["publish T"]);
    bench.hear(0.0, commit("T", "1.1", &[(2, Mark::Released(epoch("1.2")))]), &["publish T"]);
    bench.hear(
        0.1,
        lease(1, 1, 0),
        &["grant 1 until 4.0 4.5", "publish T", "drain T 1.1", "drain T 1.2", "offer 1 [T]"],
    );
    assert_eq!(bench.ownership.incarnation(), Some(Incarnation(1)));
    let (tables, released) = bench.ownership.view(&name("T"));
    assert!(tables.is_some_and(|chain| chain.has_released(Incarnation(2), epoch("1.2"))));
    assert_eq!(released, None);
}

// live, stopped | granted seq | live; counts from that seq's sending, never backwards
#[test]
fn a_lease_is_counted_from_when_its_renewal_was_sent() {
    let mut bench = Bench::live();
    bench.renewed(1.0, 1);
    bench.renewed(2.0, 2);
    bench.hear(2.9, lease(1, 1, 1), &["grant 1 until 5.0 5.5"]);
    bench.hear(2.9, lease(1, 1, 2), &["grant 1 until 6.0 6.5"]);
    bench.hear(2.9, lease(1, 1, 2), &[]);
    bench.hear(2.9, lease(1, 1, 1), &[]);
    bench.hear(2.9, lease(1, 1, 9), &[]);
    bench.renewed(3.0, 3);
    bench.hear(6.4, lease(1, 1, 3), &["grant 1 until 7.0 7.5"]);
}

#[test]
fn grants_that_overtake_each_other_do_not_move_the_lease_back() {
    let mut bench = Bench::live();
    bench.renewed(1.0, 1);
    bench.renewed(2.0, 2);
    bench.hear(2.1, lease(1, 1, 2), &["grant 1 until 6.0 6.5"]);
    bench.hear(2.2, lease(1, 1, 1), &[]);
}

#[test]
fn a_lease_is_renewed_five_times_before_it_ends() {
    let mut bench = Bench::live();
    for (at, seq) in [(1.0, 1), (2.0, 2), (3.0, 3), (4.0, 4)] {
        assert_eq!(bench.ownership.next_tick(seconds(at - 1.0)), seconds(1.0));
        bench.tick(at - 0.01, &[]);
        bench.renewed(at, seq);
    }
    assert_eq!(bench.ownership.next_tick(seconds(4.0)), seconds(0.5), "the cut comes first");
}

// stopped | 0.9 L | out: cuts turns, drops activations; then joins as somebody else
#[test]
fn a_lease_without_an_answer_lapses_and_the_next_life_replaces_it() {
    let mut bench = Bench::owner();
    for (at, seq) in [(1.0, 1), (2.0, 2), (3.0, 3), (4.0, 4)] {
        bench.renewed(at, seq);
    }
    bench.tick(4.49, &[]);
    bench.tick(4.5, &["lapse", "publish T", "join 2 replaces 1"]);
    assert_eq!(bench.ownership.incarnation(), None);
    let next = ["grant 2 until 8.5 9.0", "publish T", "drain T 1.1", "offer 2 []"];
    bench.hear(4.6, lease(1, 2, 0), &next);
    let (_, released) = bench.ownership.view(&name("T"));
    assert_eq!(released, None, "a new life has released nothing");
    bench.tick(5.5, &["renew 2 1"]);
    bench.hear(5.5, ToHost::Expired { incarnation: Incarnation(2) }, &["lapse", "publish T"]);
    bench.tick(5.5, &["join 3 replaces 2"]);
}

// Trap: a late grant revives a lapsed host.
#[test]
fn a_late_grant_revives_nothing() {
    // Its word was on the way while the host stood still.
    let mut bench = Bench::live();
    bench.renewed(1.0, 1);
    bench.hear(4.6, lease(1, 1, 1), &["lapse"]);
    bench.tick(4.6, &["join 2 replaces 1"]);
    bench.hear(4.7, lease(1, 1, 1), &[]);
    assert_eq!(bench.ownership.incarnation(), None);

    // The same for the first lease of a life.
    let mut bench = Bench::new();
    bench.connect(0.0, &["join 1"]);
    bench.hear(4.5, lease(1, 1, 0), &["offer 1 []", "lapse"]);
    bench.tick(4.5, &["join 2 replaces 1"]);
}

// stopped | `Expired` | out, at once
#[test]
fn an_expired_host_is_out_at_once_and_joins_again() {
    let mut bench = Bench::owner();
    bench.hear(1.0, ToHost::Expired { incarnation: Incarnation(7) }, &[]);
    bench.hear(1.0, ToHost::Expired { incarnation: Incarnation(1) }, &["lapse", "publish T"]);
    assert_eq!(bench.ownership.next_tick(bench.now), Duration::ZERO, "it need not wait");
    bench.tick(1.0, &["join 2 replaces 1"]);
}

// A broken stream is only a hint: a host back before it lapsed keeps everything.
#[test]
fn a_broken_stream_is_only_a_hint() {
    let mut bench = Bench::owner();
    bench.offer(&["T"], &["offer 1 [T]"]);
    bench.renewed(1.0, 1);
    bench.ownership.disconnected();
    bench.tick(2.0, &[]);
    bench.connect(3.0, &["report 1 false [T 1.1 marks 1:1.1]", "renew 1 2", "offer 1 [T]"]);
    bench.hear(3.1, lease(1, 1, 1), &[]);
    bench.hear(3.1, lease(1, 1, 2), &["grant 1 until 7.0 7.5"]);
}

#[test]
fn a_host_back_after_it_lapsed_says_so_although_nobody_told_it_the_time() {
    let mut bench = Bench::owner();
    bench.ownership.disconnected();
    bench.connect(4.5, &["lapse", "publish T", "join 2 replaces 1"]);
}

// O8: nobody to talk to; the lease ends in its time all the same.
#[test]
fn a_lease_lapses_without_a_connection_and_waits_for_one() {
    let mut bench = Bench::owner();
    bench.ownership.disconnected();
    bench.tick(4.5, &["lapse", "publish T"]);
    bench.tick(6.0, &[]);
    bench.connect(7.0, &["join 2 replaces 1"]);
}

// What was offered while the Join was on its way, or while nobody listened.
#[test]
fn offers_are_told_when_somebody_listens_and_local_types_never() {
    let mut bench = Bench::new();
    bench.offer(&["A"], &[]);
    bench.connect(0.0, &["join 1"]);
    bench.offer(&["A", "B", "local.C"], &[]);
    bench.hear(0.1, lease(1, 1, 0), &["grant 1 until 4.0 4.5", "offer 1 [A B]"]);
    bench.offer(&["B"], &["offer 1 [B]"]);
    bench.ownership.disconnected();
    bench.connect(0.5, &["report 1 false []", "renew 1 1", "offer 1 [B]"]);
}

// Step 5: `Released(e)` covers all before, so a later table waits for the earlier ones.
#[test]
fn a_table_is_released_only_after_all_before_it() {
    let mut bench = Bench::owner();
    let second = delta("T", ["1.1", "1.2"], &[2], &[], &[1, 2]);
    bench.hear(0.2, second, &["publish T", "drain T 1.2"]);
    let third = delta("T", ["1.2", "1.3"], &[3], &[], &[1, 2, 3]);
    bench.hear(0.3, third, &["publish T", "drain T 1.3"]);
    bench.drained("T", "1.3", &[]);
    bench.drained("T", "1.2", &["publish T", "released 1 T 1.3"]);
    bench.drained("T", "1.2", &[]);
    assert_eq!(bench.ownership.view(&name("T")).1, Some(epoch("1.3")));
    bench.drained("T", "1.9", &[]);
    bench.drained("U", "1.1", &[]);
}

#[test]
fn a_drain_that_outlives_its_lease_releases_nothing() {
    let mut bench = Bench::owner();
    let second = delta("T", ["1.1", "1.2"], &[2], &[], &[1, 2]);
    bench.hear(0.2, second, &["publish T", "drain T 1.2"]);
    bench.hear(1.0, ToHost::Expired { incarnation: Incarnation(1) }, &["lapse", "publish T"]);
    bench.drained("T", "1.2", &[]);
}

// live | SIGTERM | leaving: `Leave`, drains; after the last `Released`, `Farewell`
#[test]
fn a_leaving_host_has_left_after_its_last_release() {
    let mut bench = Bench::owner();
    bench.hear(0.1, chain("U", &[("1.5", &[1])]), &["publish U", "drain U 1.5"]);
    bench.drained("U", "1.5", &["publish U", "released 1 U 1.5"]);
    bench.leave(&["leave 1", "renew 1 1"]);
    let without = delta("T", ["1.1", "1.6"], &[2], &[1], &[2]);
    bench.hear(0.2, without, &["publish T", "drain T 1.6"]);
    bench.drained("T", "1.6", &["publish T", "released 1 T 1.6"]);
    let without = delta("U", ["1.5", "1.7"], &[2], &[1], &[2]);
    bench.hear(0.3, without, &["publish U", "drain U 1.7"]);
    bench.hear(0.3, lease(1, 1, 1), &["grant 1 until 4.1 4.6"]);
    bench.renewed(1.3, 2);
    bench.hear(1.4, lease(1, 1, 2), &["grant 1 until 5.3 5.8"]);
    bench.offer(&["T"], &[]);
    bench.drained("U", "1.7", &["publish U", "released 1 U 1.7", "left"]);
    bench.farewell(&["farewell 1"]);
    bench.tick(9.0, &[]);
    bench.connect(9.0, &[]);
}

#[test]
fn a_leave_that_nobody_heard_is_said_again() {
    let mut bench = Bench::owner();
    bench.ownership.disconnected();
    bench.leave(&["leave 1"]);
    bench.connect(1.0, &["report 1 false [T 1.1 marks 1:1.1]", "leave 1", "renew 1 1"]);
}

// Found by the model (`ownership/hand_off.rs`): the table that takes a host in may be under way
// when it wants to go. Had it left at once, that table would have made it an owner in farewell.
#[test]
fn a_host_has_not_left_while_its_first_table_may_be_under_way() {
    let mut bench = Bench::live();
    bench.leave(&["leave 1", "renew 1 1"]);
    bench.hear(0.2, chain("T", &[("1.1", &[1])]), &["publish T", "drain T 1.1"]);
    bench.hear(0.3, lease(1, 1, 1), &["grant 1 until 4.1 4.6"]);
    bench.drained("T", "1.1", &["publish T", "released 1 T 1.1"]);
    let without = delta("T", ["1.1", "1.2"], &[2], &[1], &[2]);
    bench.hear(0.4, without, &["publish T", "drain T 1.2"]);
    bench.drained("T", "1.2", &["publish T", "released 1 T 1.2", "left"]);
}

#[test]
fn a_host_that_lapses_while_leaving_has_left_and_does_not_come_back() {
    let mut bench = Bench::owner();
    bench.leave(&["leave 1", "renew 1 1"]);
    bench.hear(
        1.0,
        ToHost::Expired { incarnation: Incarnation(1) },
        &["lapse", "publish T", "left"],
    );
    bench.tick(2.0, &[]);
    bench.connect(3.0, &[]);
}

#[test]
fn a_host_without_a_lease_leaves_at_once_and_takes_none_later() {
    let mut bench = Bench::new();
    bench.leave(&["left"]);

    let mut bench = Bench::new();
    bench.connect(0.0, &["join 1"]);
    bench.leave(&["farewell 1", "left"]);
    bench.hear(0.1, lease(1, 1, 0), &[]);
    bench.tick(9.0, &[]);

    let mut bench = Bench::live();
    bench.leave(&["leave 1", "renew 1 1"]);
    bench.hear(0.2, lease(1, 1, 1), &["grant 1 until 4.1 4.6", "left"]);
    bench.leave(&["leave 1", "renew 1 2", "left"]);
}

// `Resync`: type (gap or wrong hash: wants the whole chain)
#[test]
fn a_gap_or_a_wrong_hash_asks_for_the_whole_chain() {
    let gap = delta("T", ["1.2", "1.3"], &[2], &[], &[1, 2]);
    let wrong = delta("T", ["1.1", "1.2"], &[2], &[], &[1, 3]);
    let behind = delta("T", ["1.1", "1.1"], &[2], &[], &[1, 2]);
    for message in [gap, wrong, behind] {
        let mut bench = Bench::owner();
        bench.hear(0.2, message, &["resync T"]);
        let tables: &[(&str, &[u64])] = &[("1.1", &[1]), ("1.2", &[1, 2]), ("1.3", &[2])];
        bench.hear(0.3, chain("T", tables), &["publish T", "drain T 1.2", "drain T 1.3"]);
    }
}

#[test]
fn a_type_that_was_never_prepared_is_not_reported() {
    let mut bench = Bench::live();
    bench.hear(0.2, delta("U", ["1.1", "1.2"], &[2], &[], &[1, 2]), &["resync U"]);
    bench.hear(0.2, commit("U", "1.2", &[]), &[]);
    bench.ownership.disconnected();
    bench.connect(0.5, &["report 1 false []", "renew 1 1", "offer 1 []"]);
}

// A host ignores terms below the highest that granted it a lease.
#[test]
fn an_old_leader_is_not_listened_to() {
    let mut bench = Bench::owner();
    bench.renewed(1.0, 1);
    bench.hear(1.1, lease(3, 1, 1), &["grant 1 until 5.0 5.5"]);
    bench.renewed(2.0, 2);
    // One that lost its memory learns so that there was a higher term.
    bench.hear(2.1, lease(2, 1, 2), &["fence ahead 3"]);
    bench.hear(2.1, delta("T", ["1.1", "2.1"], &[2], &[], &[1, 2]), &[]);
    bench.hear(2.1, delta("T", ["1.1", "3.1"], &[2], &[], &[1, 2]), &["publish T", "drain T 3.1"]);
    bench.hear(2.2, lease(3, 1, 2), &["grant 1 until 6.0 6.5"]);
}

#[test]
fn another_namespace_is_none_of_our_business() {
    let mut bench = Bench::owner();
    let ToHost::Prepare { key, epoch, update, hash } = chain("T", &[("1.9", &[2])]) else {
        unreachable!("a prepare")
    };
    let key = TypeKey { namespace: Namespace::parse("other").unwrap(), ..key };
    let commit = ToHost::Commit { key: key.clone(), marks: BTreeMap::new(), base: epoch };
    bench.hear(0.2, ToHost::Prepare { key, epoch, update, hash }, &[]);
    bench.hear(0.2, commit, &[]);
}

#[test]
fn a_fence_of_a_higher_term_is_told() {
    let bench = Bench::live();
    bench.check("a fence", &bench.ownership.fence_ahead(9), &["fence ahead 9"]);
}
