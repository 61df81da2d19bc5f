//! The shell on paused time: streams, ledger and clock meet the core.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::FutureExt;
use odeon_base::clock::TokioClock;
use odeon_base::{ActorId, ActorType, AppId, HostName, Incarnation, Namespace};
use odeon_ring::{Gate, Join, Member, Policy, TypeKey, TypeOffer};

use super::*;
use crate::core::Role;
use crate::ledger::{LedgerError, MemoryLedger};
use crate::probe::{Knock, Network};

fn key() -> TypeKey {
    TypeKey { namespace: Namespace::default(), actor_type: ActorType::parse("T").unwrap() }
}

fn join(incarnation: u64) -> ToPlacement {
    let host = format!("10.0.0.{incarnation}:50001");
    let offer = TypeOffer {
        actor_type: key().actor_type,
        policy: Policy::Ring,
        drain: Duration::from_secs(60),
    };
    ToPlacement::Join(Join {
        member: Member {
            incarnation: Incarnation(incarnation),
            host: HostName::parse(&host).unwrap(),
            address: host.into(),
        },
        app: AppId::parse("app").unwrap(),
        namespace: Namespace::default(),
        types: vec![offer],
        resources: Vec::new(),
        replaces: None,
    })
}

async fn start(config: Config, ledger: Arc<dyn Ledger>, tasks: &Tasks) -> Handle {
    Embedded::start(config, ledger, Arc::new(TokioClock::start()), tasks).await.unwrap()
}

fn standalone() -> Config {
    Config { former_hosts_gone: true, ..Config::default() }
}

/// A ledger that can be told to fail, and knows what was saved.
#[derive(Debug, Default)]
struct Watched {
    inner: MemoryLedger,
    is_failing: AtomicBool,
    is_taken: AtomicBool,
    saved: Mutex<Vec<Record>>,
}

impl Ledger for Watched {
    fn load(&self) -> BoxFuture<'_, Result<Option<Record>, LedgerError>> {
        self.inner.load()
    }

    fn save(&self, record: Record) -> BoxFuture<'_, Result<(), LedgerError>> {
        if self.is_failing.load(Ordering::SeqCst) {
            return futures::future::ready(Err(LedgerError::Store("disk full".into()))).boxed();
        }
        if self.is_taken.load(Ordering::SeqCst) {
            return futures::future::ready(Err(LedgerError::Superseded)).boxed();
        }
        self.saved.lock().unwrap().push(record.clone());
        self.inner.save(record)
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_joins_gets_its_lease_and_owns_its_actors() {
    let tasks = Tasks::new("test");
    let ledger = Arc::new(Watched::default());
    let handle = start(standalone(), Arc::clone(&ledger) as _, &tasks).await;
    let (to, mut from) = handle.connect();
    to.send(join(7)).await.unwrap();
    let lease = from.recv().await.unwrap();
    assert!(matches!(lease, ToHost::Lease { term: 1, seq: 0, incarnation: Incarnation(7), .. }));
    assert!(ledger.saved.lock().unwrap().iter().any(|record| {
        record.roster.as_ref().is_some_and(|roster| roster.contains_key(&Incarnation(7)))
    }));
    let mut told = from.recv().await.unwrap().each();
    let ToHost::Prepare { epoch, update, hash, .. } = told.remove(0) else {
        unreachable!("a table")
    };
    let mut chain = odeon_ring::Chain::new(&odeon_ring::Rings::default());
    chain.prepare(epoch, &update, hash).unwrap();
    let id = ActorId::parse("actor-1").unwrap();
    assert_eq!(chain.gate(Incarnation(7), id.hash()), Gate::Open { epoch });
    let owner = handle.owner(&key(), &id).unwrap();
    assert_eq!(
        (owner.member.incarnation, owner.epoch, owner.is_open),
        (Incarnation(7), epoch, true)
    );
    let status = handle.status();
    assert_eq!((status.role, status.hosts, status.types, status.moving), (Role::Leading, 1, 1, 0));
    // Without a renewal it is gone after 1.1 L.
    handle.wait_for(|snapshot| snapshot.hosts.is_empty()).await.unwrap();
    assert_eq!(from.recv().await, Some(ToHost::Expired { incarnation: Incarnation(7) }));
    // After the stop every stream is closed and nothing answers.
    assert_eq!(tasks.stop(Duration::from_secs(1)).await, Ok(()));
    assert_eq!(from.recv().await, None);
    assert!(!handle.status().is_running);
    let (to, mut from) = handle.connect();
    assert!(to.is_closed());
    assert_eq!(from.recv().await, None);
}

#[tokio::test(start_paused = true)]
async fn the_term_grows_with_each_start_and_the_roster_is_waited_for() {
    let ledger: Arc<dyn Ledger> = Arc::new(MemoryLedger::default());
    let config = Config::default();
    let tasks = Tasks::new("first");
    let handle = start(config.clone(), Arc::clone(&ledger), &tasks).await;
    assert_eq!((handle.status().term, handle.status().role), (0, Role::Follower));
    handle.wait_for(|snapshot| snapshot.role == Role::Leading).await.unwrap();
    let (to, mut from) = handle.connect();
    to.send(join(7)).await.unwrap();
    assert!(matches!(from.recv().await, Some(ToHost::Lease { term: 1, .. })));
    tasks.stop(Duration::from_secs(1)).await.unwrap();

    let tasks = Tasks::new("second");
    let begun = tokio::time::Instant::now();
    let handle = start(config, ledger, &tasks).await;
    let (to, mut from) = handle.connect();
    to.send(join(8)).await.unwrap();
    assert!(matches!(from.recv().await, Some(ToHost::Lease { term: 2, .. })));
    assert!(begun.elapsed() >= Duration::from_millis(5500), "7 may have had a lease");
}

#[tokio::test(start_paused = true)]
async fn a_failing_ledger_admits_nobody_and_renews_the_others() {
    let tasks = Tasks::new("test");
    let ledger = Arc::new(Watched::default());
    let handle = start(standalone(), Arc::clone(&ledger) as _, &tasks).await;
    let (to, mut from) = handle.connect();
    to.send(join(7)).await.unwrap();
    from.recv().await.unwrap();
    ledger.is_failing.store(true, Ordering::SeqCst);
    let (to_other, mut from_other) = handle.connect();
    to_other.send(join(8)).await.unwrap();
    handle.wait_for_status(|status| status.is_ledger_failing).await.unwrap();
    to.send(ToPlacement::Renew { incarnation: Incarnation(7), seq: 3 }).await.unwrap();
    while !matches!(from.recv().await.unwrap(), ToHost::Lease { seq: 3, .. }) {}
    assert!(from_other.try_recv().is_err());
    assert_eq!((handle.status().joining, handle.status().hosts), (1, 1));
    ledger.is_failing.store(false, Ordering::SeqCst);
    while !matches!(from_other.recv().await.unwrap(), ToHost::Lease { seq: 0, .. }) {}
    assert!(!handle.status().is_ledger_failing);
}

#[tokio::test(start_paused = true)]
async fn who_was_replaced_stands_down_and_admits_nobody() {
    let tasks = Tasks::new("test");
    let ledger = Arc::new(Watched::default());
    let handle = start(standalone(), Arc::clone(&ledger) as _, &tasks).await;
    let (to, mut from) = handle.connect();
    to.send(join(7)).await.unwrap();
    assert!(matches!(from.recv().await, Some(ToHost::Lease { .. })));
    ledger.is_taken.store(true, Ordering::SeqCst);
    let (to_other, mut from_other) = handle.connect();
    to_other.send(join(8)).await.unwrap();
    assert_eq!(from_other.recv().await, None, "its stream is closed");
    while from.recv().await.is_some() {}
    assert!(to.is_closed());
    assert_eq!(handle.status().role, Role::Follower);
    let (to, mut from) = handle.connect();
    to.send(join(8)).await.unwrap();
    assert_eq!(from.recv().await, Some(ToHost::NotLeader { address: None }));
}

#[tokio::test(start_paused = true)]
async fn a_host_that_does_not_listen_is_disconnected() {
    let tasks = Tasks::new("test");
    let config = Config { queue: 2, ..standalone() };
    let handle = start(config, Arc::new(MemoryLedger::default()), &tasks).await;
    let (to, mut from) = handle.connect();
    to.send(join(7)).await.unwrap();
    for seq in 1..10 {
        if to.send(ToPlacement::Renew { incarnation: Incarnation(7), seq }).await.is_err() {
            break;
        }
    }
    handle
        .wait_for(|snapshot| snapshot.hosts.values().any(|host| !host.is_connected))
        .await
        .unwrap();
    assert!(from.recv().await.is_some() && from.recv().await.is_some());
    assert_eq!(from.recv().await, None, "what it missed it will hear as whole chains");
}

#[tokio::test(start_paused = true)]
async fn the_last_words_of_a_host_that_hears_no_more_count() {
    let tasks = Tasks::new("test");
    let handle = start(standalone(), Arc::new(MemoryLedger::default()), &tasks).await;
    let (to, mut from) = handle.connect();
    to.send(join(7)).await.unwrap();
    let (to_other, from_other) = handle.connect();
    to_other.send(join(8)).await.unwrap();
    let joined = handle.wait_for(|snapshot| snapshot.hosts.len() == 2).await.unwrap();
    assert_eq!(joined.hosts.len(), 2);
    from.recv().await.unwrap();
    // 8 is on its way out: it does not read what it is sent, and its farewell comes last.
    drop(from_other);
    let renewal = ToPlacement::Renew { incarnation: Incarnation(8), seq: 1 };
    to_other.send(renewal).await.unwrap();
    to_other.send(ToPlacement::Farewell { incarnation: Incarnation(8) }).await.unwrap();
    drop(to_other);
    let heard = handle.wait_for(|snapshot| snapshot.hosts.len() == 1);
    let heard = tokio::time::timeout(Duration::from_millis(100), heard).await;
    assert!(heard.is_ok(), "its lease would have run for seconds");
}

#[tokio::test(start_paused = true)]
async fn three_thousand_types_are_told_to_who_joins_however_slowly_it_reads() {
    const TYPES: usize = 3_000;
    let tasks = Tasks::new("test");
    let handle = start(standalone(), Arc::new(MemoryLedger::default()), &tasks).await;
    let offers = (0..TYPES).map(|n| TypeOffer {
        actor_type: ActorType::parse(&format!("T{n}")).unwrap(),
        policy: Policy::Ring,
        drain: Duration::from_secs(60),
    });
    let offers: Vec<_> = offers.collect();
    let mut hosts = Vec::new();
    for incarnation in [7, 8] {
        let ToPlacement::Join(mut join) = join(incarnation) else { unreachable!("a join") };
        join.types.clone_from(&offers);
        let (to, from) = handle.connect();
        to.send(ToPlacement::Join(join)).await.unwrap();
        let has_all = |snapshot: &crate::core::Snapshot| {
            let is_in =
                |view: &crate::core::TypeView| view.chain.newest().has(Incarnation(incarnation));
            snapshot.types.values().filter(|view| is_in(view)).count() == TYPES
        };
        handle.wait_for(has_all).await.unwrap();
        hosts.push((to, from));
    }
    // Nobody has read a word so far.
    assert!(handle.tables().hosts.values().all(|host| host.is_connected));
    for (_, from) in &mut hosts {
        let (mut tables, mut has_lease) = (BTreeMap::new(), false);
        let is_told = |tables: &BTreeMap<TypeKey, odeon_ring::Chain>| {
            let both = |chain: &odeon_ring::Chain| chain.newest().members().len() == 2;
            tables.values().filter(|chain| both(chain)).count() == TYPES
        };
        while !(has_lease && is_told(&tables)) {
            for message in from.recv().await.unwrap().each() {
                match message {
                    ToHost::Lease { .. } => has_lease = true,
                    ToHost::Prepare { key, epoch, update, hash } => {
                        let new = || odeon_ring::Chain::new(&odeon_ring::Rings::default());
                        let chain = tables.entry(key).or_insert_with(new);
                        chain.prepare(epoch, &update, hash).unwrap();
                    }
                    _ => {}
                }
            }
        }
    }
}

/// Knows one network, `here`, where everything refuses or accepts.
#[derive(Debug)]
struct Told {
    knock: Knock,
    knocked: Mutex<Vec<Arc<str>>>,
}

impl Probe for Told {
    fn is_here(&self, network: &Network) -> bool {
        network.as_str() == "here"
    }

    fn knock(&self, address: Arc<str>) -> BoxFuture<'static, Knock> {
        self.knocked.lock().unwrap().push(address);
        futures::future::ready(self.knock).boxed()
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_whose_port_refuses_ends_with_its_stream_and_all_others_with_their_lease() {
    let lapsed = Duration::from_millis(5_500);
    for (network, knock, knocks, limit) in [
        (Some("here"), Knock::Refused, 2, Duration::from_millis(100)),
        (Some("here"), Knock::Accepted, 16, lapsed),
        (Some("here"), Knock::Unknown, 1, lapsed),
        (Some("there"), Knock::Refused, 0, lapsed),
        (None, Knock::Refused, 0, lapsed),
    ] {
        let tasks = Tasks::new("test");
        let probe = Arc::new(Told { knock, knocked: Mutex::default() });
        let ledger = Arc::new(MemoryLedger::default());
        let clock = Arc::new(TokioClock::start());
        let probing = Arc::clone(&probe) as _;
        let started = Embedded::start_probing(standalone(), ledger, clock, probing, &tasks);
        let handle = started.await.unwrap();
        let origin = Origin::default();
        if let Some(network) = network {
            origin.set(Network::parse(network).unwrap()).unwrap();
        }
        let (to, mut from) = handle.connect_from(origin);
        to.send(join(7)).await.unwrap();
        assert!(matches!(from.recv().await, Some(ToHost::Lease { .. })));
        assert_eq!(handle.lease_left(Incarnation(7)), Some(lapsed));
        let begun = tokio::time::Instant::now();
        drop((to, from));
        handle.wait_for(|snapshot| snapshot.hosts.is_empty()).await.unwrap();
        let took = begun.elapsed();
        let story = format!("{network:?} {knock:?} {took:?}");
        assert!(took <= limit && (limit < lapsed || took == lapsed), "{story}");
        assert_eq!(handle.lease_left(Incarnation(7)), None);
        let address: Arc<str> = "10.0.0.7:50001".into();
        assert_eq!(*probe.knocked.lock().unwrap(), vec![address; knocks], "{story}");
        tasks.stop(Duration::from_secs(1)).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn it_does_not_start_on_what_it_cannot_trust() {
    let tasks = Tasks::new("test");
    let clock = || Arc::new(TokioClock::start());
    let ledger = Arc::new(Watched::default());
    ledger.inner.save(Record { term: u64::MAX, roster: None }).await.unwrap();
    let error = Embedded::start(standalone(), Arc::clone(&ledger) as _, clock(), &tasks).await;
    assert!(matches!(error, Err(Error::TermExhausted { term: u64::MAX })));
    ledger.inner.save(Record::default()).await.unwrap();
    ledger.is_failing.store(true, Ordering::SeqCst);
    let error = Embedded::start(standalone(), ledger, clock(), &tasks).await.unwrap_err();
    assert_eq!(error.kind(), odeon_base::Kind::Unavailable);
    let config = Config { queue: 0, ..standalone() };
    let error = Embedded::start(config, Arc::new(MemoryLedger::default()), clock(), &tasks).await;
    assert_eq!(error.unwrap_err().kind(), odeon_base::Kind::Invalid);
    assert_eq!(tasks.running(), []);
}
