//! A store that one host at a time can hold: the others reach it through the holder.
//!
//! The store is in memory and shared by the test; who holds it is who offers it, as a lock
//! on a folder would have it.

use std::sync::Arc;
use std::time::Duration;

use odeon_base::{Execution, Kind as Failed};
use odeon_blocks::state::actor::{Component, Reach};
use odeon_blocks::state::{Prefixes, StateActor, StateHandle};
use odeon_ring::Policy;
use odeon_runtime::config::{TypeConfig, TypeSpec};
use odeon_runtime::store::{Capabilities, Key, StateStore};
use odeon_runtime::{ActorRef, Invocation};
use odeon_test_engine::world::{execution, living_on, scope, settle};
use odeon_test_engine::{Host, Kind, MemoryStore, World, eventually};
use tokio::time::Instant;

const LIMIT: Duration = Duration::from_secs(30);
const STORE: &str = "statestore";
const NAME: &str = "sys.state/app/statestore";

/// What a host offers that holds the store.
fn held(host: &Host, store: &MemoryStore, id: &str) -> TypeSpec {
    let prefixes = Prefixes { plain: "".into(), actors: "app".into() };
    let component = Component { store: Arc::new(store.clone()), prefixes };
    let app = &host.engine.config().app;
    StateActor::spec(app, STORE, component, Reach::Holder(id.into())).unwrap()
}

async fn hold(host: &Host, store: &MemoryStore, id: &str) {
    host.engine.offer(vec![held(host, store, id)]).await.unwrap();
}

/// A host whose actors keep their state in the store, whoever holds that.
async fn host(world: &World, name: &str) -> Host {
    let host = world.storeless_host(name);
    let can = Capabilities { etag: true, transactional: true, fenced: true, ..Default::default() };
    let handle = StateHandle::new(&host.engine, STORE, can).unwrap();
    host.engine.use_store(Arc::new(handle));
    host.offer(Kind::Placed, TypeConfig::default()).await;
    host
}

/// Two hosts, of which the first holds the store.
async fn pair() -> (World, Host, Host) {
    let world = World::of_neighbours(Kind::Placed);
    let first = host(&world, "a:1").await;
    hold(&first, &world.store, "1").await;
    let second = host(&world, "b:1").await;
    until_known(&[&first, &second], 1).await;
    (world, first, second)
}

/// Waits until all know that this many hosts hold the store, and of each other.
async fn until_known(hosts: &[&Host], holders: usize) {
    let newest = |host: &Host| {
        let types = host.engine.status().types;
        types.into_iter().find(|of| of.actor_type.as_str() == NAME).and_then(|of| of.epoch)
    };
    if holders == 1 {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    eventually("all know the holder", || {
        let known = newest(hosts[0]);
        known.is_some() && hosts.iter().all(|host| newest(host) == known)
    })
    .await;
    settle().await;
}

// ACT-5, O2.
#[tokio::test(start_paused = true)]
async fn every_host_keeps_state_in_the_store_of_the_holder() {
    let (world, first, second) = pair().await;
    for (from, owner) in
        [(&first, &first), (&first, &second), (&second, &first), (&second, &second)]
    {
        let id = living_on(from, owner).await;
        from.call(&id, "set", "k=v").await.unwrap();
        assert_eq!(world.store.text(&scope(&id), "k").unwrap(), "v");
        assert_eq!(from.call(&id, "get", "k").await.unwrap(), "v");
        assert!(world.store.fence(&scope(&id)).is_some(), "claimed through the holder, too");
    }
    let on = |host: &Host| {
        let types = host.engine.status().types;
        types.into_iter().find(|of| of.actor_type.as_str() == NAME).unwrap()
    };
    assert_eq!(on(&first).placement, Some(Policy::Holder));
    assert!(!on(&second).is_hosted);
    // By name as well, in the words that anybody may use.
    let sys_state = ActorRef::parse("sys.state", STORE).unwrap();
    let set = Invocation::new(sys_state, "set", r#"[{"key":"plain","value":7}]"#);
    second.engine.call(set).await.unwrap();
    let item = world.store.get(&Key::Plain("plain".into())).await.unwrap().unwrap();
    assert_eq!(&*item.value, b"7");
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_for_the_next_holder() {
    let world = World::of_neighbours(Kind::Placed);
    let (first, second) = (host(&world, "a:1").await, host(&world, "b:1").await);
    let running: Vec<_> = (0..20).map(|n| first.start(&n.to_string(), "set", "k=v")).collect();
    tokio::time::sleep(Duration::from_secs(9)).await;
    assert!(running.iter().all(|call| !call.is_finished()), "longer than for a type's host");
    hold(&second, &world.store, "1").await;
    for call in running {
        call.await.unwrap().unwrap();
    }
}

// RT-3: a host that starts again is called before it knows which names are resources.
#[tokio::test(start_paused = true)]
async fn a_call_that_comes_before_the_resource_is_known_is_sent_where_it_belongs() {
    let (world, first, second) = pair().await;
    let fresh = world.storeless_host("c:1");
    fresh.engine.offer(vec![StateActor::rest(vec![STORE.to_owned()]).unwrap()]).await.unwrap();
    let sys_state = ActorRef::parse("sys.state", STORE).unwrap();
    let mut astray = Invocation::new(sys_state, "get", r#"{"key":"plain"}"#);
    let newest = first.engine.status().types.into_iter().find(|of| of.actor_type.as_str() == NAME);
    astray.routed_by = newest.unwrap().epoch;
    astray.deadline = Some(Instant::now() + LIMIT);
    let began = Instant::now();
    let become_known = async {
        settle().await;
        StateHandle::new(&fresh.engine, STORE, Capabilities::default()).unwrap()
    };
    let (answered, _handle) = tokio::join!(fresh.engine.call(astray), become_known);
    let error = answered.unwrap_err();
    assert!(matches!(error, odeon_runtime::Error::Moved { .. }), "{error}");
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    drop(second);
}

#[tokio::test(start_paused = true)]
async fn a_turn_fails_when_nobody_holds_the_store_for_its_limit() {
    let world = World::of_neighbours(Kind::Placed);
    let only = host(&world, "a:1").await;
    let began = Instant::now();
    let error = only.call("x", "set", "k=v").await.unwrap_err();
    let waited = began.elapsed();
    assert_eq!(error.kind(), Failed::Unavailable, "{error}");
    assert!((10.0..10.5).contains(&waited.as_secs_f64()), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_second_store_of_the_name_is_refused_and_not_used() {
    let (world, first, second) = pair().await;
    let other = MemoryStore::default();
    hold(&second, &other, "2").await;
    let refusals = second.engine.refusals();
    eventually("it is refused", || !refusals.borrow().is_empty()).await;
    let reason = refusals.borrow().values().next().unwrap().clone();
    assert!(reason.contains("state would fork"), "{reason}");
    assert!(first.engine.refusals().borrow().is_empty());
    let id = living_on(&second, &second).await;
    second.call(&id, "set", "k=v").await.unwrap();
    assert_eq!(world.store.text(&scope(&id), "k").unwrap(), "v");
    assert_eq!(other.text(&scope(&id), "k"), None, "not even by the host that has it");
    // The holder goes, and its store with it: the other one is no substitute.
    first.engine.leave(LIMIT).await.unwrap();
    first.engine.release(LIMIT).await;
    first.engine.farewell(LIMIT).await;
    let error = second.call(&id, "set", "k=w").await.unwrap_err();
    assert_eq!(error.kind(), Failed::Unavailable, "{error}");
    assert_eq!(other.text(&scope(&id), "k"), None);
}

// O5.
#[tokio::test(start_paused = true)]
async fn a_leaving_holder_hands_the_store_over_and_no_call_fails() {
    let (world, first, second) = pair().await;
    let calls = |host: &Host, round: usize| {
        let ids = 0..30;
        ids.map(|n| host.start(&n.to_string(), "set", &format!("r{round}=v"))).collect::<Vec<_>>()
    };
    let mut running = calls(&first, 0);
    running.extend(calls(&second, 1));
    first.engine.leave(LIMIT).await.unwrap();
    running.extend(calls(&second, 2));
    // Its actors are gone by now, the store is not: they came with their state.
    first.engine.release(LIMIT).await;
    running.extend(calls(&second, 3));
    settle().await;
    // The lock is free now.
    hold(&second, &world.store, "1").await;
    first.engine.farewell(LIMIT).await;
    running.extend(calls(&second, 4));
    for call in running {
        call.await.unwrap().unwrap();
    }
    for number in 0..30 {
        for key in ["r0", "r1", "r2", "r3", "r4"] {
            let kept = world.store.text(&scope(&number.to_string()), key);
            assert_eq!(kept.as_deref(), Some("v"), "{number} {key}");
        }
    }
}

// O6.
#[tokio::test(start_paused = true)]
async fn when_the_holder_dies_the_next_serves_at_once() {
    let (world, first, second) = pair().await;
    let id = living_on(&second, &second).await;
    second.call(&id, "set", "k=v").await.unwrap();
    world.neighbours().cut("a:1");
    first.kill().await;
    let began = Instant::now();
    let waiting = second.start(&id, "get", "k");
    settle().await;
    assert!(!waiting.is_finished());
    // The lock went with its process; its lease has not ended yet.
    hold(&second, &world.store, "1").await;
    assert_eq!(waiting.await.unwrap().unwrap(), "v");
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_commit_whose_answer_is_lost_ends_the_activation() {
    let (world, first, second) = pair().await;
    let id = living_on(&second, &second).await;
    second.call(&id, "set", "k=1").await.unwrap();
    assert_eq!(second.call(&id, "count", "").await.unwrap(), "1");
    world.neighbours().mute("a:1");
    let failed = second.call(&id, "set", "k=2").await;
    assert_eq!(execution(&failed), Some(Execution::Maybe), "{failed:?}");
    assert_eq!(world.store.text(&scope(&id), "k").unwrap(), "2", "it was done all the same");
    // With the holder at hand again, the next turn is of a new activation and sees it.
    first.engine.leave(LIMIT).await.unwrap();
    first.engine.release(LIMIT).await;
    hold(&second, &world.store, "1").await;
    assert_eq!(second.call(&id, "get", "k").await.unwrap(), "2");
    assert_eq!(second.call(&id, "count", "").await.unwrap(), "1", "its memory is new");
}
