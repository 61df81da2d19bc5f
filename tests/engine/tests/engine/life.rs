//! Activation and deactivation: lazily, once, with a goodbye, in the order of calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use odeon_base::Execution;
use odeon_base::clock::TokioClock;
use odeon_runtime::config::{Config, TypeConfig, TypeSpec};
use odeon_runtime::error::{AppFailure, Error};
use odeon_runtime::seams::{Behaviour, Call, Instance};
use odeon_runtime::turn::Turn;
use odeon_runtime::{ActorRef, Compat, Reply};
use odeon_test_engine::world::{actor, actor_type, execution, settle};
use odeon_test_engine::{Kind, World, eventually, on_every_kind};
use tokio::sync::Semaphore;
use tokio::time::Instant;

on_every_kind!(
    an_idle_actor_says_goodbye_once,
    the_idle_clock_stands_still_while_a_turn_runs,
    the_idle_clock_starts_anew_after_every_turn,
    under_dapr_s_ways_a_turn_longer_than_the_idle_time_is_the_last,
    under_dapr_s_ways_the_idle_clock_starts_anew_with_every_turn,
    under_dapr_s_ways_turns_of_what_is_retired_are_cut,
    a_goodbye_queues_behind_the_turn_and_later_calls_live_again,
    who_is_not_active_is_not_deactivated,
    a_turn_may_ask_for_its_own_end,
    another_behaviour_takes_over_after_the_turns_of_the_first,
    calls_wait_while_the_application_is_away,
    a_withdrawn_application_fails_its_turn_and_hears_no_goodbye,
    a_type_that_nobody_hosts_is_not_found_after_a_while;
    ring:
    a_type_without_its_store_is_not_placed,
    a_type_is_placed_once_its_store_is_there,
);

// DEA-1.
async fn an_idle_actor_says_goodbye_once(kind: Kind) {
    let world = World::of(kind);
    let config = TypeConfig { idle_timeout: Duration::from_secs(1), ..TypeConfig::default() };
    let host = world.host("a:1", kind, config).await;
    host.call("x", "count", "").await.unwrap();
    tokio::time::sleep(Duration::from_millis(900)).await;
    settle().await;
    assert_eq!(host.metrics().active, 1);
    tokio::time::sleep(Duration::from_millis(200)).await;
    eventually("it is gone", || host.metrics().active == 0).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(world.probe.count("x bye"), 1);
    assert_eq!(host.call("x", "count", "").await.unwrap(), "1", "it lives again");
}

// DEA-1: a 3 s turn with a 1 s idle timeout completes and is not cancelled.
async fn the_idle_clock_stands_still_while_a_turn_runs(kind: Kind) {
    let world = World::of(kind);
    let config = TypeConfig { idle_timeout: Duration::from_secs(1), ..TypeConfig::default() };
    let host = world.host("a:1", kind, config).await;
    assert_eq!(host.call("x", "sleep", "3000").await.unwrap(), "slept");
    assert_eq!(host.call("x", "sleep", "900").await.unwrap(), "slept");
    assert_eq!(world.probe.count("x hello"), 1);
    assert_eq!(world.probe.count("x bye"), 0);
}

// DEA-1.
async fn the_idle_clock_starts_anew_after_every_turn(kind: Kind) {
    let world = World::of(kind);
    let config = TypeConfig { idle_timeout: Duration::from_secs(1), ..TypeConfig::default() };
    let host = world.host("a:1", kind, config).await;
    for _ in 0..20 {
        host.call("x", "count", "").await.unwrap();
        tokio::time::sleep(Duration::from_millis(900)).await;
    }
    assert_eq!(host.call("x", "count", "").await.unwrap(), "21");
    tokio::time::sleep(Duration::from_millis(1_010)).await;
    eventually("it is gone", || host.metrics().active == 0).await;
}

fn dapr_s() -> TypeConfig {
    TypeConfig { idle_timeout: Duration::from_secs(1), ..TypeConfig::under(Compat::Dapr) }
}

// DEA-1, its other side; DEA-2: the turn ends in order, and who waits behind it lives again.
async fn under_dapr_s_ways_a_turn_longer_than_the_idle_time_is_the_last(kind: Kind) {
    let world = World::of(kind);
    let host = world.host("a:1", kind, dapr_s()).await;
    let running = host.start("x", "hold", "");
    host.until_running(1).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let later = host.start("x", "count", "");
    host.until_waiting(1).await;
    assert_eq!(world.probe.count("x bye"), 0, "not under the application's feet");
    world.probe.let_go(1);
    running.await.unwrap().unwrap();
    assert_eq!(later.await.unwrap().unwrap(), "1");
    let expected = ["x hello", "x hold", "x bye", "x hello", "x count"];
    assert_eq!(world.probe.log(), expected);
    // The next life has its own time.
    tokio::time::sleep(Duration::from_millis(900)).await;
    settle().await;
    assert_eq!(host.metrics().active, 1);
    tokio::time::sleep(Duration::from_millis(200)).await;
    eventually("it is gone", || host.metrics().active == 0).await;
    world.assert_one_at_a_time();
}

// DEA-1, its other side.
async fn under_dapr_s_ways_the_idle_clock_starts_anew_with_every_turn(kind: Kind) {
    let world = World::of(kind);
    let host = world.host("a:1", kind, dapr_s()).await;
    host.call("x", "sleep", "600").await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    eventually("it is gone", || host.metrics().active == 0).await;
    // One that waited begins when its turn comes, and not when it came.
    let (first, second) =
        tokio::join!(host.call("y", "sleep", "800"), host.call("y", "sleep", "800"));
    assert_eq!([first.unwrap(), second.unwrap()], ["slept", "slept"]);
    assert_eq!(world.probe.count("y bye"), 0);
    for _ in 0..10 {
        host.call("z", "sleep", "300").await.unwrap();
        tokio::time::sleep(Duration::from_millis(600)).await;
    }
    assert_eq!(world.probe.count("z hello"), 1);
}

// DEA-4, its other side: an application that fell ill. O7 does not hold for what is cut, so the
// caller is told that it may have run.
async fn under_dapr_s_ways_turns_of_what_is_retired_are_cut(kind: Kind) {
    let world = World::of(kind);
    let clock = Arc::new(TokioClock::start());
    let host = world.host_with("a:1", clock, |config| config.compat = Compat::Dapr);
    host.offer(kind, TypeConfig { drain_timeout: Duration::from_secs(60), ..dapr_s() }).await;
    let running = host.start("x", "hold", "");
    host.until_running(1).await;
    let began = Instant::now();
    host.engine.retire(&[actor("x").actor_type]).await;
    let cut = running.await.unwrap().unwrap_err();
    assert_eq!(cut.execution(), Execution::Maybe, "{cut}");
    assert!(began.elapsed() < Duration::from_millis(100));
    assert_eq!(host.metrics().active, 0);
}

// DEA-2, DEA-5, TURN-2.
async fn a_goodbye_queues_behind_the_turn_and_later_calls_live_again(kind: Kind) {
    let world = World::of(kind);
    let host = world.host("a:1", kind, TypeConfig::default()).await;
    let running = host.start("x", "hold", "");
    host.until_running(1).await;
    let earlier = host.start("x", "count", "1");
    host.until_waiting(1).await;
    let engine = host.engine.clone();
    let asked = async { engine.deactivate(&actor("x")).await };
    let later = async {
        settle().await;
        let later = [host.start("x", "count", "2"), host.start("x", "count", "3")];
        host.until_waiting(3).await;
        assert_eq!(world.probe.count("x bye"), 0, "method and goodbye never overlap");
        world.probe.let_go(1);
        later
    };
    let (was_active, later) = tokio::join!(asked, later);
    assert!(was_active);
    running.await.unwrap().unwrap();
    let mut counts = vec![earlier.await.unwrap().unwrap()];
    for call in later {
        counts.push(call.await.unwrap().unwrap());
    }
    assert_eq!(counts, ["1", "2", "3"], "in their order, after the memory was made anew");
    let expected = ["x hello", "x hold", "x bye", "x hello", "x count 1", "x count 2", "x count 3"];
    assert_eq!(world.probe.log(), expected);
    world.assert_one_at_a_time();
}

// DEA-5.
async fn who_is_not_active_is_not_deactivated(kind: Kind) {
    let world = World::of(kind);
    let host = world.host("a:1", kind, TypeConfig::default()).await;
    assert!(!host.engine.deactivate(&actor("x")).await);
    host.call("x", "count", "").await.unwrap();
    assert!(host.engine.deactivate(&actor("x")).await);
    assert!(!host.engine.deactivate(&actor("x")).await);
}

// DEA-5: an in-turn request.
async fn a_turn_may_ask_for_its_own_end(kind: Kind) {
    let world = World::of(kind);
    let host = world.host("a:1", kind, TypeConfig::default()).await;
    host.call("x", "leave", "").await.unwrap();
    // An application in another process asks through its host's API instead.
    if !kind.is_elsewhere() {
        eventually("it is gone", || host.metrics().active == 0).await;
        assert_eq!(world.probe.log(), ["x hello", "x leave", "x bye"]);
    }
}

// Two hostings of a type never overlap.
async fn another_behaviour_takes_over_after_the_turns_of_the_first(kind: Kind) {
    let world = World::of(kind);
    let host = world.host("a:1", kind, TypeConfig::default()).await;
    host.call("x", "count", "").await.unwrap();
    let running = host.start("x", "hold", "");
    host.until_running(1).await;
    let offering = host.offer(kind, TypeConfig::default());
    let meanwhile = async {
        settle().await;
        let waiting = host.start("x", "count", "");
        settle().await;
        assert_eq!(world.probe.running(), ["x"]);
        world.probe.let_go(1);
        (waiting,)
    };
    let ((), (waiting,)) = tokio::join!(offering, meanwhile);
    running.await.unwrap().unwrap();
    assert_eq!(waiting.await.unwrap().unwrap(), "1", "its memory is the new behaviour's");
    let expected = ["x hello", "x count", "x hold", "x bye", "x hello", "x count"];
    assert_eq!(world.probe.log(), expected);
    world.assert_one_at_a_time();
}

// RT-6.
async fn calls_wait_while_the_application_is_away(kind: Kind) {
    let world = World::of(kind);
    let host = world.host("a:1", kind, TypeConfig::default()).await;
    host.call("x", "count", "").await.unwrap();
    host.engine.withdraw(&[actor_type()]).await;
    let waiting = host.start("x", "count", "");
    tokio::time::sleep(Duration::from_millis(500)).await;
    host.offer(kind, TypeConfig::default()).await;
    assert_eq!(waiting.await.unwrap().unwrap(), "1");
    assert_eq!(world.probe.count("x bye"), 0);
}

async fn a_withdrawn_application_fails_its_turn_and_hears_no_goodbye(kind: Kind) {
    let world = World::of(kind);
    let host = world.host("a:1", kind, TypeConfig::default()).await;
    let running = host.start("x", "hold", "");
    host.until_running(1).await;
    let waiting = host.start("x", "count", "");
    host.until_waiting(1).await;
    host.engine.withdraw(&[actor_type()]).await;
    let lost = running.await.unwrap();
    assert!(matches!(lost, Err(Error::AppLost { .. })), "{lost:?}");
    assert_eq!(execution(&lost), Some(Execution::Maybe));
    let never = waiting.await.unwrap();
    assert!(matches!(never, Err(Error::NoHost { .. })), "{never:?}");
    assert_eq!(world.probe.count("x bye"), 0);
}

// RT-6.
async fn a_type_that_nobody_hosts_is_not_found_after_a_while(kind: Kind) {
    let world = World::of(kind);
    let host = world.bare_host("a:1");
    let begun = Instant::now();
    let never = host.call("x", "count", "").await;
    assert!(matches!(never, Err(Error::NoHost { .. })), "{never:?}");
    assert_eq!(begun.elapsed().as_secs(), 3);
    let never = host.call("x", "count", "").await;
    assert!(never.is_err() && begun.elapsed().as_secs() == 3, "the start is over");
    host.offer(kind, TypeConfig::default()).await;
    host.call("x", "count", "").await.unwrap();
}

/// A behaviour whose making and parting a test decides.
#[derive(Debug)]
struct Stubborn {
    /// How many more times making the memory fails.
    failures: AtomicUsize,
    /// How it fails.
    panics: bool,
    /// Making the memory takes a permit.
    gate: Semaphore,
    made: AtomicUsize,
    goodbyes: AtomicUsize,
    goodbye: Goodbye,
}

#[derive(Debug, Clone, Copy)]
enum Goodbye {
    Polite,
    Panics,
    PanicsAtOnce,
    PanicsInDrop,
    NeverEnds,
}

/// More than any test takes.
const PERMITS: usize = 1_000_000;

/// Memory that does not go quietly.
struct Grenade;

impl Drop for Grenade {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "dropped");
    }
}

impl Stubborn {
    fn new(failures: usize, goodbye: Goodbye) -> Arc<Self> {
        Arc::new(Self {
            failures: AtomicUsize::new(failures),
            panics: false,
            gate: Semaphore::new(PERMITS),
            made: AtomicUsize::new(0),
            goodbyes: AtomicUsize::new(0),
            goodbye,
        })
    }

    fn spec(self: &Arc<Self>, config: TypeConfig) -> Vec<TypeSpec> {
        let behaviour: Arc<dyn Behaviour> = Arc::<Self>::clone(self);
        vec![TypeSpec { actor_type: actor_type(), config, behaviour }]
    }

    fn made(&self) -> usize {
        self.made.load(Ordering::Relaxed)
    }
}

impl Behaviour for Stubborn {
    fn activate<'a>(&'a self, _: &'a Turn) -> BoxFuture<'a, Result<Instance, Error>> {
        async {
            self.gate.acquire().await.unwrap().forget();
            let left = self.failures.load(Ordering::Relaxed);
            if left > 0 {
                self.failures.store(left - 1, Ordering::Relaxed);
                assert!(!self.panics, "as asked");
                return Err(Error::App(AppFailure { message: "not today".to_owned() }));
            }
            self.made.fetch_add(1, Ordering::Relaxed);
            Ok(match self.goodbye {
                Goodbye::PanicsInDrop => Instance::Owned(Box::new(Grenade)),
                _ => Instance::Owned(Box::new(())),
            })
        }
        .boxed()
    }

    fn invoke<'a>(
        &'a self,
        _: &'a mut Instance,
        _: &'a Turn,
        call: Call,
    ) -> BoxFuture<'a, Result<Reply, Error>> {
        async move { Ok(Reply { body: call.body, ..Reply::default() }) }.boxed()
    }

    fn deactivate<'a>(&'a self, _: &'a ActorRef, instance: Instance) -> BoxFuture<'a, ()> {
        self.goodbyes.fetch_add(1, Ordering::Relaxed);
        assert!(!matches!(self.goodbye, Goodbye::PanicsAtOnce), "as asked");
        async move {
            match self.goodbye {
                Goodbye::Panics => panic!("as asked"),
                Goodbye::NeverEnds => std::future::pending().await,
                Goodbye::Polite | Goodbye::PanicsAtOnce | Goodbye::PanicsInDrop => drop(instance),
            }
        }
        .boxed()
    }

    fn is_shared(&self) -> bool {
        false
    }
}

// ACT-3.
#[tokio::test(start_paused = true)]
async fn a_failed_activation_rejects_who_waits_and_is_tried_again_ever_later() {
    for panics in [false, true] {
        let world = World::default();
        let host = world.bare_host("a:1");
        let mut behaviour = Stubborn::new(4, Goodbye::Polite);
        Arc::get_mut(&mut behaviour).unwrap().panics = panics;
        host.engine.offer(behaviour.spec(TypeConfig::default())).await.unwrap();
        behaviour.gate.forget_permits(PERMITS);
        let first = host.start("x", "m", "1");
        host.until_running(1).await;
        let second = host.start("x", "m", "2");
        host.until_waiting(1).await;
        behaviour.gate.add_permits(PERMITS);
        for call in [first, second] {
            let failed = call.await.unwrap();
            assert!(matches!(failed, Err(Error::Activation { .. })), "{failed:?}");
            assert_eq!(execution(&failed), Some(Execution::None), "ACT-2");
        }
        assert_eq!(host.metrics().active, 0, "nothing stays behind");
        assert_eq!(host.metrics().activation_failures, 1, "one attempt for both");
        // At once, then after 100 ms, then after 200 ms.
        for pause in [0, 100, 200] {
            if pause > 0 {
                tokio::time::advance(Duration::from_millis(pause - 1)).await;
                let early = host.call("x", "m", "").await.unwrap_err().to_string();
                assert!(early.contains("next try in"), "{early}");
                tokio::time::advance(Duration::from_millis(1)).await;
            }
            assert!(host.call("x", "m", "").await.is_err());
        }
        assert_eq!(host.call("y", "m", "y").await.unwrap(), "y", "another actor is not blamed");
        tokio::time::advance(Duration::from_millis(400)).await;
        assert_eq!(host.call("x", "m", "x").await.unwrap(), "x");
    }
}

// A memory that takes longer to make than anybody waits is made all the same.
#[tokio::test(start_paused = true)]
async fn an_activation_outlives_the_caller_who_began_it() {
    let world = World::default();
    let host = world.bare_host("a:1");
    let behaviour = Stubborn::new(0, Goodbye::Polite);
    behaviour.gate.forget_permits(PERMITS);
    host.engine.offer(behaviour.spec(TypeConfig::default())).await.unwrap();
    let late = host.call_within(Duration::from_secs(1), "x", "m", "").await;
    assert_eq!(execution(&late), Some(Execution::None), "{late:?}");
    let gone = host.start("x", "m", "");
    host.until_waiting(1).await;
    gone.abort();
    behaviour.gate.add_permits(1);
    assert_eq!(host.call("x", "m", "x").await.unwrap(), "x");
    assert_eq!((behaviour.made(), host.metrics().active), (1, 1), "what was made is used");
}

// DEA-3: the activation is gone whatever the application does.
#[tokio::test(start_paused = true)]
async fn a_goodbye_that_fails_changes_nothing() {
    let kinds = [Goodbye::Panics, Goodbye::PanicsAtOnce, Goodbye::PanicsInDrop, Goodbye::NeverEnds];
    for goodbye in kinds {
        let world = World::default();
        let host = world.bare_host("a:1");
        let behaviour = Stubborn::new(0, goodbye);
        host.engine.offer(behaviour.spec(TypeConfig::default())).await.unwrap();
        host.call("x", "m", "").await.unwrap();
        let begun = Instant::now();
        assert!(host.engine.deactivate(&actor("x")).await, "{goodbye:?}");
        let took = begun.elapsed().as_secs();
        assert_eq!(took, if matches!(goodbye, Goodbye::NeverEnds) { 10 } else { 0 });
        assert_eq!(host.metrics().deactivation_failures, 1, "{goodbye:?}");
        assert_eq!(host.metrics().active, 0);
        assert_eq!(host.call("x", "m", "x").await.unwrap(), "x", "{goodbye:?}");
    }
}

// DEA-8.
#[tokio::test(start_paused = true)]
async fn a_leaving_host_says_a_limited_number_of_goodbyes_at_once() {
    let world = World::default();
    let clock = Arc::new(TokioClock::start());
    let host = world.host_with("a:1", clock, |config: &mut Config| config.deactivations_max = 8);
    let behaviour = Stubborn::new(0, Goodbye::NeverEnds);
    host.engine.offer(behaviour.spec(TypeConfig::default())).await.unwrap();
    for id in 0..20 {
        host.call(&id.to_string(), "m", "").await.unwrap();
    }
    let engine = host.engine.clone();
    let leaving = async { engine.leave(Duration::from_secs(60)).await };
    let watching = async {
        settle().await;
        assert_eq!(behaviour.goodbyes.load(Ordering::Relaxed), 8);
        tokio::time::sleep(Duration::from_millis(10_100)).await;
        settle().await;
        assert_eq!(behaviour.goodbyes.load(Ordering::Relaxed), 16);
    };
    let (left, ()) = tokio::join!(leaving, watching);
    assert_eq!(left, Ok(()));
    assert_eq!(behaviour.goodbyes.load(Ordering::Relaxed), 20);
}

// ACT-5.
async fn a_type_without_its_store_is_not_placed(kind: Kind) {
    let world = World::of(kind);
    let host = world.storeless_host("a:1");
    host.offer(kind, TypeConfig::default()).await;
    settle().await;
    let blocked = host.status();
    assert_eq!((blocked.is_hosted, blocked.blocked), (true, Some("no state store")));
    assert_eq!(blocked.epoch, None, "placement has not heard of it");
    let refused = host.call("x", "count", "").await;
    assert!(matches!(refused, Err(Error::NoHost { .. })), "{refused:?}");
    // One that keeps no state needs no store.
    host.offer(kind, TypeConfig { stateless: true, ..TypeConfig::default() }).await;
    assert_eq!(host.status().blocked, None);
    assert_eq!(host.call("x", "count", "").await.unwrap(), "1");
}

// ACT-5: a store that comes later brings the types that wait for it.
async fn a_type_is_placed_once_its_store_is_there(kind: Kind) {
    let world = World::of(kind);
    let host = world.storeless_host("a:1");
    host.offer(kind, TypeConfig::default()).await;
    let waiting = host.start("x", "set", "k=v");
    settle().await;
    assert!(!waiting.is_finished());
    host.engine.use_store(Arc::new(world.store.clone()));
    waiting.await.unwrap().unwrap();
    assert_eq!(host.status().blocked, None);
}
