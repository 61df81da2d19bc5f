//! REE-5: methods that run beside others of their actor, as its type's settings say.

use odeon_runtime::config::{Reentrancy, TypeConfig};
use odeon_runtime::error::Error;
use odeon_test_engine::world::{scope, settle};
use odeon_test_engine::{Kind, World};

/// Where turns share an object, or there is none here.
const KINDS: [Kind; 4] = [Kind::Shared, Kind::Remote, Kind::Worker, Kind::App];

fn reading(methods: &[&str]) -> TypeConfig {
    let read_only = methods.iter().copied().map(Into::into).collect();
    TypeConfig { read_only, ..TypeConfig::default() }
}

fn interleaving(methods: &[&str]) -> TypeConfig {
    let interleaving = methods.iter().copied().map(Into::into).collect();
    TypeConfig { interleaving, ..TypeConfig::default() }
}

#[tokio::test(start_paused = true)]
async fn readers_run_together_and_a_writer_keeps_its_place_before_later_ones() {
    for kind in KINDS {
        let world = World::of(kind);
        let host = world.host("a:1", kind, reading(&["get", "hold"])).await;
        let readers = [host.start("x", "hold", ""), host.start("x", "hold", "")];
        host.until_running(2).await;
        assert_eq!(host.call("x", "get", "k").await.unwrap(), "", "{kind:?}: beside them");
        let writer = host.start("x", "set", "k=v");
        host.until_waiting(1).await;
        let late = host.start("x", "get", "k");
        host.until_waiting(2).await;
        settle().await;
        assert_eq!(host.metrics().waiting, 2, "{kind:?}");
        world.probe.let_go(2);
        for reader in readers {
            assert_eq!(reader.await.unwrap().unwrap(), "held");
        }
        writer.await.unwrap().unwrap();
        assert_eq!(late.await.unwrap().unwrap(), "v", "{kind:?}: after the writer");
    }
}

#[tokio::test(start_paused = true)]
async fn a_reader_may_not_write() {
    for kind in KINDS {
        let world = World::of(kind);
        let host = world.host("a:1", kind, reading(&["set"])).await;
        let refused = host.call("x", "set", "k=v").await.unwrap_err().to_string();
        assert!(refused.contains("readOnlyMethods of actor type 'Actor'"), "{kind:?}: {refused}");
        assert_eq!(world.store.text(&scope("x"), "k"), None);
        assert_eq!(host.call("x", "count", "").await.unwrap(), "1", "{kind:?}: it lives on");
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_interleaves_runs_beside_any() {
    for kind in KINDS {
        let world = World::of(kind);
        let host = world.host("a:1", kind, interleaving(&["get", "set"])).await;
        let writer = host.start("x", "hold", "");
        host.until_running(1).await;
        let next = host.start("x", "count", "");
        host.until_waiting(1).await;
        host.call("x", "set", "k=v").await.unwrap();
        assert_eq!(host.call("x", "get", "k").await.unwrap(), "v", "{kind:?}");
        settle().await;
        assert_eq!(host.metrics().waiting, 1, "{kind:?}: all others wait");
        world.probe.let_go(1);
        writer.await.unwrap().unwrap();
        assert_eq!(next.await.unwrap().unwrap(), "2");
    }
}

// A goodbye is said when nothing runs any more.
#[tokio::test(start_paused = true)]
async fn the_end_of_the_actor_waits_for_all_of_them() {
    for kind in KINDS {
        let world = World::of(kind);
        let host = world.host("a:1", kind, interleaving(&["hold"])).await;
        let running = [host.start("x", "hold", ""), host.start("x", "hold", "")];
        host.until_running(2).await;
        let engine = host.engine.clone();
        let ending = async move { engine.deactivate(&odeon_test_engine::world::actor("x")).await };
        let going = async {
            settle().await;
            assert_eq!(world.probe.count("x bye"), 0, "{kind:?}");
            world.probe.let_go(2);
        };
        let (was_active, ()) = tokio::join!(ending, going);
        assert!(was_active);
        for call in running {
            call.await.unwrap().unwrap();
        }
        assert_eq!(world.probe.count("x bye"), 1, "{kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_run_two_turns_at_once_is_not_offered_so() {
    let world = World::of(Kind::Native);
    let host = world.bare_host("a:1");
    let owned = host.try_offer(Kind::Native, reading(&["get"])).await.unwrap_err();
    assert!(matches!(&owned, Error::Arguments(text) if text.contains("take &mut self")), "{owned}");
    let reentrancy = Some(Reentrancy { stack_depth_max: 4 });
    let config = TypeConfig { reentrancy, ..interleaving(&["get"]) };
    let both = host.try_offer(Kind::Shared, config).await.unwrap_err();
    assert!(matches!(&both, Error::Arguments(text) if text.contains("reentrant")), "{both}");
    host.try_offer(Kind::Shared, reading(&["get"])).await.unwrap();
}
