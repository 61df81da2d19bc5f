//! Calls that cross hosts: sent to the owner, sent again only where nothing has begun.

use std::collections::BTreeSet;
use std::time::Duration;

use odeon_base::{Execution, Kind as Failed};
use odeon_runtime::Change;
use odeon_runtime::config::TypeConfig;
use odeon_runtime::error::Error;
use odeon_runtime::peers::PeerError;
use odeon_test_engine::world::{TYPE, actor, execution, living_on, settle, until_known};
use odeon_test_engine::{Host, Kind, World, eventually};
use tokio::time::Instant;

const LIMIT: Duration = Duration::from_secs(30);

/// Hosts over the placement of a release, each of which can call the others.
async fn cluster(names: &[&str]) -> (World, Vec<Host>) {
    World::of_neighbours(Kind::Placed).cluster(names).await
}

/// Two hosts over a placement that the test moves.
async fn pair() -> (World, Host, Host) {
    let world = World::of_neighbours(Kind::Native);
    let first = world.host("a:1", Kind::Native, TypeConfig::default()).await;
    let second = world.host("b:1", Kind::Native, TypeConfig::default()).await;
    settle().await;
    (world, first, second)
}

// Dapr's rule for state calls that do not say whose turn they are.
#[tokio::test(start_paused = true)]
async fn state_is_read_on_any_host_and_written_where_its_actor_is_active() {
    let (_world, hosts) = cluster(&["a:1", "b:1", "c:1"]).await;
    for number in 0..6 {
        let id = format!("s{number}");
        hosts[0].call(&id, "count", "").await.unwrap();
        let mut written = 0;
        for host in &hosts {
            let change = vec![Change::set("own", id.clone())];
            match host.engine.write_state(&actor(&id), None, change).await {
                Ok(()) => written += 1,
                Err(refused) => assert!(matches!(refused, Error::NotActive), "{refused}"),
            }
        }
        assert_eq!(written, 1, "{id}");
        for host in &hosts {
            let read = host.engine.read_state(&actor(&id), None, "own").await.unwrap();
            assert_eq!(read.unwrap().value, id, "on {}", host.name);
        }
    }
}

// RT-1, RT-5.
#[tokio::test(start_paused = true)]
async fn a_call_enters_anywhere_and_runs_where_its_actor_lives() {
    let (world, hosts) = cluster(&["a:1", "b:1", "c:1"]).await;
    for number in 0..60 {
        for (turn, host) in hosts.iter().enumerate() {
            let counted = host.call(&number.to_string(), "count", "").await.unwrap();
            assert_eq!(counted, (turn + 1).to_string(), "one memory, whoever asks");
        }
    }
    for host in &hosts {
        assert!(host.metrics().active > 5, "{} has its share", host.name);
    }
    assert!(world.neighbours().sent().len() > 60, "about two in three calls cross");
}

// O4, O5, HO-6.
#[tokio::test(start_paused = true)]
async fn hosts_come_and_go_and_no_call_fails_or_runs_twice() {
    let (world, mut hosts) = cluster(&["a:1", "b:1", "c:1"]).await;
    let calls = |host: &Host, round: usize| {
        let running = (0..40).map(|number| {
            let id = number.to_string();
            let pair = format!("r{round}{}=1", host.name.trim_end_matches(":1"));
            host.start(&id, "set", &pair)
        });
        running.collect::<Vec<_>>()
    };
    for round in 0..6 {
        let mut running = calls(&hosts[0], round);
        running.extend(calls(&hosts[1], round));
        if round % 2 == 0 {
            let name = ["d:1", "e:1", "f:1"][round / 2];
            let fresh = world.host(name, Kind::Placed, TypeConfig::default()).await;
            running.extend(calls(&fresh, round));
            hosts.push(fresh);
        } else {
            let leaving = hosts.remove(2);
            let rest = calls(&leaving, round);
            leaving.engine.leave(LIMIT).await.unwrap();
            for call in rest {
                call.await.unwrap().expect("it entered through a leaving host");
            }
            leaving.engine.farewell(LIMIT).await;
            leaving.kill().await;
        }
        for call in running {
            call.await.unwrap().expect("a move fails no call");
        }
    }
    let log = world.probe.log();
    let sets: Vec<_> = log.iter().filter(|line| line.contains(" set r")).collect();
    let once: BTreeSet<_> = sets.iter().collect();
    assert_eq!(once.len(), sets.len(), "none ran twice");
    world.assert_one_at_a_time();
}

// O6.
#[tokio::test(start_paused = true)]
async fn calls_wait_out_a_crash_and_nobody_else_does() {
    let (world, mut hosts) = cluster(&["a:1", "b:1", "c:1"]).await;
    let of_the_dead = living_on(&hosts[0], &hosts[2]).await;
    let of_the_living = living_on(&hosts[0], &hosts[1]).await;
    hosts.pop().unwrap().kill().await;
    world.neighbours().cut("c:1");
    let began = Instant::now();
    let waiting = hosts[0].start(&of_the_dead, "count", "");
    for _ in 0..20 {
        hosts[0].call(&of_the_living, "count", "").await.unwrap();
    }
    assert_eq!(began.elapsed(), Duration::ZERO, "the living never notice");
    assert_eq!(waiting.await.unwrap().unwrap(), "1");
    assert!(began.elapsed() <= Duration::from_secs(6), "{:?}", began.elapsed());
}

// RT-3.
#[tokio::test(start_paused = true)]
async fn a_call_is_sent_again_under_its_number_until_its_time_is_up() {
    let (world, first, second) = pair().await;
    let id = living_on(&first, &second).await;
    world.neighbours().cut("b:1");
    let before = world.neighbours().sent().len();
    let (began, limit) = (Instant::now(), Duration::from_secs(4));
    let refused = first.call_within(limit, &id, "count", "").await;
    assert!(matches!(refused, Err(Error::QueueTimeout { .. })), "{refused:?}");
    assert_eq!(execution(&refused), Some(Execution::None));
    assert_eq!(began.elapsed(), limit);
    let sent = world.neighbours().sent().split_off(before);
    assert!((5..40).contains(&sent.len()), "with a pause in between: {}", sent.len());
    assert!(sent.iter().all(|one| one.number == sent[0].number && one.by.is_some()));
    // Without a limit of its own a call waits, and goes through when the way is mended.
    let waiting = first.start(&id, "count", "");
    tokio::time::advance(Duration::from_secs(20)).await;
    world.neighbours().mend("b:1");
    assert_eq!(waiting.await.unwrap().unwrap(), "1");
}

// RT-3: only who carries a call knows whether it ever left.
#[tokio::test(start_paused = true)]
async fn a_call_that_never_left_within_its_time_has_not_begun() {
    let (world, first, second) = pair().await;
    let id = living_on(&first, &second).await;
    world.neighbours().stall("b:1");
    let (began, limit) = (Instant::now(), Duration::from_secs(4));
    let refused = first.call_within(limit, &id, "count", "").await;
    assert!(matches!(refused, Err(Error::QueueTimeout { .. })), "{refused:?}");
    assert_eq!(execution(&refused), Some(Execution::None));
    assert_eq!(began.elapsed(), limit);
    assert_eq!(world.probe.count(&format!("{id} count")), 0);
}

// RT-2, RT-3.
#[tokio::test(start_paused = true)]
async fn what_may_have_begun_is_not_sent_again() {
    let (world, first, second) = pair().await;
    let id = living_on(&first, &second).await;
    world.neighbours().mute("b:1");
    let lost = first.call(&id, "count", "").await;
    assert!(matches!(lost, Err(Error::Peer(PeerError::Lost { .. }))), "{lost:?}");
    assert_eq!(execution(&lost), Some(Execution::Maybe));
    assert_eq!(world.probe.count(&format!("{id} count")), 1);
}

// RT-2: what the owner says of a call is what its caller hears.
#[tokio::test(start_paused = true)]
async fn a_failure_comes_back_as_the_owner_put_it() {
    let (_world, first, second) = pair().await;
    let id = living_on(&first, &second).await;
    let failed = first.call(&id, "fail", "").await.unwrap_err();
    assert_eq!((failed.kind(), failed.execution()), (Failed::AppFailed, Execution::Done));
    assert_eq!(failed.to_string(), second.call(&id, "fail", "").await.unwrap_err().to_string());
}

// DIS-4: a host answers for what it owns, and sends nothing on.
#[tokio::test(start_paused = true)]
async fn a_call_that_was_sent_here_is_not_sent_on() {
    let (world, first, second) = pair().await;
    let id = living_on(&first, &second).await;
    let mut astray = odeon_test_engine::world::invocation(&id, "count", "");
    astray.routed_by = first.status().epoch;
    let before = world.neighbours().sent().len();
    let moved = first.invoke(astray).await;
    assert!(matches!(moved, Err(Error::Moved { .. })), "{moved:?}");
    assert_eq!(world.neighbours().sent().len(), before);
}

// DIS-5: without a lease a host runs nothing, and knows others still.
#[tokio::test(start_paused = true)]
async fn a_host_without_a_lease_sends_calls_on_and_takes_none() {
    let (world, first, second) = pair().await;
    let elsewhere = living_on(&first, &second).await;
    let here = living_on(&second, &first).await;
    world.board.cut_off("a:1");
    for _ in 0..50 {
        tokio::time::advance(Duration::from_millis(100)).await;
        settle().await;
    }
    assert_eq!(first.engine.status().incarnation, None, "its lease is over");
    assert_eq!(first.call(&elsewhere, "count", "").await.unwrap(), "1");
    let limit = Duration::from_secs(1);
    let asked = second.call_within(limit, &here, "count", "").await;
    assert_eq!(execution(&asked), Some(Execution::None), "{asked:?}");
    assert_eq!(world.probe.count(&format!("{here} count")), 0);
}

// O5, trap "a drain shuts out running turns' calls": x on A calls y on C, and z on C calls
// w on A, while all of them move to a third host.
#[tokio::test(start_paused = true)]
async fn turns_that_drain_may_call_each_other_across_hosts() {
    let (_, probe_hosts) = cluster(&["a:1", "b:1"]).await;
    let mut owners = Vec::new();
    for number in 0..200 {
        let id = number.to_string();
        let before = probe_hosts[0].metrics().turns_done;
        probe_hosts[1].call(&id, "get", "k").await.unwrap();
        owners.push((id, usize::from(probe_hosts[0].metrics().turns_done == before)));
    }
    let joined = World::of_neighbours(Kind::Placed);
    let mut hosts = Vec::new();
    for name in ["a:1", "b:1", "c:1"] {
        hosts.push(joined.host(name, Kind::Placed, TypeConfig::default()).await);
    }
    until_known(&hosts).await;
    let mut moving = [Vec::new(), Vec::new()];
    for (id, owner) in owners {
        let before = hosts[2].metrics().turns_done;
        hosts[0].call(&id, "get", "k").await.unwrap();
        if hosts[2].metrics().turns_done > before {
            moving[owner].push(id);
        }
    }
    let [of_a, of_b] = moving;
    let (world, hosts) = cluster(&["a:1", "b:1"]).await;
    let first = hosts[0].start(&of_a[0], "hold-nest", &format!("{TYPE}/{}/set/k=1", of_b[0]));
    let second = hosts[1].start(&of_b[1], "hold-nest", &format!("{TYPE}/{}/set/k=2", of_a[1]));
    eventually("both stand still", || world.probe.running().len() == 2).await;
    let _third = world.host("c:1", Kind::Placed, TypeConfig::default()).await;
    settle().await;
    let began = Instant::now();
    world.probe.let_go(2);
    assert_eq!(first.await.unwrap().unwrap(), "set");
    assert_eq!(second.await.unwrap().unwrap(), "set");
    assert!(began.elapsed() < Duration::from_secs(1), "nobody waits for himself");
    assert_eq!(hosts[0].call(&of_b[0], "get", "k").await.unwrap(), "1", "O2");
    assert_eq!(hosts[0].call(&of_a[1], "get", "k").await.unwrap(), "2", "O2");
    world.assert_one_at_a_time();
}

// The same trap: x on A, which leaves, calls y on B, and y calls w, which moves from A to B
// and whose gate there waits for x.
#[tokio::test(start_paused = true)]
async fn a_running_turns_call_goes_back_to_the_owner_before() {
    let (world, mut hosts) = cluster(&["a:1", "b:1"]).await;
    let (mut of_a, mut of_b) = (Vec::new(), Vec::new());
    for number in 0..20 {
        let id = number.to_string();
        let before = hosts[0].metrics().turns_done;
        hosts[1].call(&id, "get", "k").await.unwrap();
        let is_of_a = hosts[0].metrics().turns_done > before;
        if is_of_a { of_a.push(id) } else { of_b.push(id) }
    }
    let back = format!("{TYPE}/{}/nest/{TYPE}/{}/set/k=1", of_b[0], of_a[1]);
    let turn = hosts[0].start(&of_a[0], "hold-nest", &back);
    eventually("it stands still", || world.probe.running().len() == 1).await;
    let leaver = hosts.remove(0);
    let began = Instant::now();
    let (left, ()) = tokio::join!(leaver.engine.leave(LIMIT), async {
        settle().await;
        world.probe.let_go(1);
    });
    left.unwrap();
    assert_eq!(turn.await.unwrap().unwrap(), "set");
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!(hosts[0].call(&of_a[1], "get", "k").await.unwrap(), "1", "O2");
    world.assert_one_at_a_time();
}
