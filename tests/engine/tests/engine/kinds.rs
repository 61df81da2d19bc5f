//! What stands around the engine is what a kind says: nothing of it is bypassed.

use odeon_runtime::config::TypeConfig;
use odeon_test_engine::world::scope;
use odeon_test_engine::{Host, Kind, World};

async fn written(kind: Kind) -> (World, Host) {
    let world = World::of(kind);
    let host = world.host("a:1", kind, TypeConfig::default()).await;
    host.call("x", "set", "k=v").await.unwrap();
    assert_eq!(world.store.text(&scope("x"), "k").unwrap(), "v", "{kind:?}");
    (world, host)
}

fn turns_of_sys_state(host: &Host) -> u64 {
    let all = host.engine.metrics().into_iter();
    all.filter(|of| of.actor_type.public() == "sys.state").map(|of| of.turns_done).sum()
}

#[tokio::test(start_paused = true)]
async fn state_goes_through_the_actor_in_front_of_the_store() {
    let (_, host) = written(Kind::OverSysState).await;
    let before = turns_of_sys_state(&host);
    assert!(before > 0, "claim and commit are turns of its");
    assert_eq!(host.call("x", "get", "k").await.unwrap(), "v");
    assert_eq!(turns_of_sys_state(&host), before + 1);
    assert_eq!(turns_of_sys_state(&written(Kind::Native).await.1), 0);
}

#[tokio::test(start_paused = true)]
async fn a_real_placement_leaves_the_board_unheard() {
    let (world, host) = written(Kind::Placed).await;
    assert_eq!(world.board.heard(), [""; 0]);
    assert!(host.engine.status().is_placement_connected);
}

#[tokio::test(start_paused = true)]
async fn system_actors_need_no_owner() {
    let (world, _) = written(Kind::System).await;
    assert!(world.board.released().is_empty());
    let offered = world.board.epoch();
    assert_eq!(offered.n, 0, "no table was made for them");
}
