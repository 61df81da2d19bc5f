//! RT-4: a call with an idempotency key has one effect, however often it is sent.

use std::time::Duration;

use odeon_base::{Execution, IdempotencyKey};
use odeon_runtime::config::TypeConfig;
use odeon_runtime::error::Error;
use odeon_runtime::{ActorRef, Invocation, Reply};
use odeon_test_engine::app::text;
use odeon_test_engine::store::Fate;
use odeon_test_engine::world::{COMPONENT, actor, invocation, living_on, scope, settle};
use odeon_test_engine::{Host, Kind, World, eventually, on_every_kind};

on_every_kind!(
    ;
    ring:
    a_repeat_is_answered_as_the_first_was,
    a_commit_leaves_its_mark_with_what_it_writes,
    what_was_not_committed_runs_again,
    an_error_without_a_commit_is_not_kept,
    a_repeat_that_overtakes_the_answer_waits_for_it,
    too_large_an_answer_is_known_but_not_kept,
    the_records_are_nobodys_keys,
);

const KEY: &str = "k/1||%";

fn keyed(id: &str, method: &str, body: &str, key: &str) -> Invocation {
    let once = Some(IdempotencyKey::parse(key).unwrap());
    Invocation { once, ..invocation(id, method, body) }
}

async fn call(host: &Host, id: &str, method: &str, body: &str) -> Result<Reply, Error> {
    host.engine.call(keyed(id, method, body, KEY)).await
}

fn first(text: &str) -> Reply {
    Reply { body: text.to_owned().into(), ..Reply::default() }
}

fn shown(answer: Result<Reply, Error>) -> (String, bool) {
    let reply = answer.unwrap();
    (text(&reply.body), reply.is_replay)
}

async fn host(kind: Kind) -> (World, Host) {
    let world = World::of(kind);
    let host = world.host("a:1", kind, TypeConfig::default()).await;
    (world, host)
}

async fn a_repeat_is_answered_as_the_first_was(kind: Kind) {
    let (world, host) = host(kind).await;
    assert_eq!(shown(call(&host, "x", "count", "").await), ("1".to_owned(), false));
    for _ in 0..3 {
        assert_eq!(shown(call(&host, "x", "count", "").await), ("1".to_owned(), true));
    }
    assert_eq!(host.call("x", "count", "").await.unwrap(), "2", "a call without a key");
    let other = host.engine.call(keyed("x", "count", "", "k2")).await;
    assert_eq!(shown(other), ("3".to_owned(), false), "another key");
    let other = call(&host, "y", "count", "").await;
    assert_eq!(shown(other), ("1".to_owned(), false), "another actor");
    assert!(host.engine.deactivate(&actor("x")).await);
    assert_eq!(shown(call(&host, "x", "count", "").await), ("1".to_owned(), true), "another life");
    assert_eq!(world.probe.count("x count"), 3);
}

/// Sends a call until it is answered, or refused for good.
async fn persistently(host: &Host, method: &str, body: &str) -> Result<Reply, Error> {
    match call(host, "x", method, body).await {
        Ok(reply) => Ok(reply),
        Err(error @ Error::Repeated { .. }) => Err(error),
        Err(_) => {
            settle().await;
            call(host, "x", method, body).await
        }
    }
}

async fn a_commit_leaves_its_mark_with_what_it_writes(kind: Kind) {
    let (world, host) = host(kind).await;
    world.store.next_commit(Fate::AnswerLost);
    let refused = persistently(&host, "set", "k=v").await.unwrap_err();
    assert!(matches!(refused, Error::Repeated { .. }), "{refused}");
    assert_eq!(refused.execution(), Execution::Done);
    assert_eq!(world.store.text(&scope("x"), "k").unwrap(), "v");
    assert_eq!(world.probe.count("x set k=v"), 1, "it has had its effect");
}

async fn what_was_not_committed_runs_again(kind: Kind) {
    let (world, host) = host(kind).await;
    world.store.next_commit(Fate::Lost);
    let answer = persistently(&host, "set", "k=v").await;
    assert_eq!(shown(answer), ("set".to_owned(), false));
    assert_eq!(world.store.text(&scope("x"), "k").unwrap(), "v");
    assert_eq!(world.probe.count("x set k=v"), 2);
    assert_eq!(shown(call(&host, "x", "set", "k=v").await), ("set".to_owned(), true));
}

async fn an_error_without_a_commit_is_not_kept(kind: Kind) {
    let (world, host) = host(kind).await;
    for _ in 0..2 {
        let error = call(&host, "x", "fail", "").await.unwrap_err();
        assert!(matches!(error, Error::App(_)), "{error}");
    }
    assert_eq!(world.probe.count("x fail"), 2);
    assert_eq!(shown(call(&host, "x", "count", "").await).0, "1");
}

async fn a_repeat_that_overtakes_the_answer_waits_for_it(kind: Kind) {
    let (world, host) = host(kind).await;
    let start = || host.send(keyed("x", "hold", "", KEY));
    let one = start();
    host.until_running(1).await;
    let two = start();
    host.until_waiting(1).await;
    world.probe.let_go(1);
    assert_eq!(shown(one.await.unwrap()), ("held".to_owned(), false));
    assert_eq!(shown(two.await.unwrap()), ("held".to_owned(), true));
    assert_eq!(world.probe.count("x hold"), 1);
}

async fn too_large_an_answer_is_known_but_not_kept(kind: Kind) {
    let (_world, host) = host(kind).await;
    let large = "v".repeat(70_000);
    host.call("x", "set", &format!("k={large}")).await.unwrap();
    assert_eq!(shown(call(&host, "x", "get", "k").await), (large, false));
    let refused = call(&host, "x", "get", "k").await.unwrap_err();
    assert!(matches!(refused, Error::Repeated { .. }), "{refused}");
}

async fn the_records_are_nobodys_keys(kind: Kind) {
    let (world, host) = host(kind).await;
    for number in 0..30 {
        let once = keyed("x", "set", &format!("a{number:02}=1"), &format!("k{number}"));
        host.engine.call(once).await.unwrap();
    }
    assert!(world.store.text(&scope("x"), "__once/k7").is_some());
    host.call("x", "set", "_=1").await.unwrap();
    let mut names = Vec::new();
    let mut after = None;
    loop {
        let page = host.engine.keys(&actor("x"), after, 10).await.unwrap();
        assert!(page.items.len() == 10 || page.next.is_none(), "pages are full");
        names.extend(page.items.into_iter().map(|(key, _)| key.name().to_owned()));
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    assert_eq!(names.len(), 31);
    assert!(!names.iter().any(|name| name.starts_with("__once")), "{names:?}");
    if kind == Kind::OverSysState {
        not_through_sys_state(&host).await;
    }
    host.call("x", "get", "__once/k7").await.unwrap_err();
    host.call("x", "set", "__once/k7=1").await.unwrap_err();
    // Deleted with the actor: the name is free again.
    host.engine.delete(&actor("x")).await.unwrap();
    assert_eq!(world.store.text(&scope("x"), "__once/k7"), None);
    let again = host.engine.call(keyed("x", "count", "", "k7")).await;
    assert!(!again.unwrap().is_replay);
}

async fn not_through_sys_state(host: &Host) {
    let ask = async |method: &str, body: &str| {
        let sys_state = ActorRef::parse("sys.state", COMPONENT).unwrap();
        host.invoke(Invocation::new(sys_state, method, body.to_owned())).await
    };
    let listed = ask("keys", r#"{"actorType":"Actor","actorId":"x","limit":1000}"#).await.unwrap();
    assert!(listed.contains("\"a07\"") && !listed.contains("__once"), "{listed}");
    for key in ["__once/k7", "__fence"] {
        let body = format!(r#"{{"key":"{key}","actorType":"Actor","actorId":"x"}}"#);
        let refused = ask("get", &body).await.unwrap_err().to_string();
        assert!(refused.contains("is the runtime's own"), "{refused}");
    }
}

// The engine sends such a call again by itself, where it may have run: RT-3.
#[tokio::test(start_paused = true)]
async fn an_answer_that_is_known_is_in_the_commit() {
    let (world, host) = host(Kind::Native).await;
    world.store.next_commit(Fate::AnswerLost);
    assert_eq!(shown(call(&host, "x", "set-telling", "k=v").await), ("set".to_owned(), true));
    assert_eq!(world.probe.count("x set-telling k=v"), 1);
    // One commit, not two.
    assert_eq!(shown(call(&host, "y", "set-telling", "k=v").await), ("set".to_owned(), false));
    assert_eq!(world.store.commits() - 1, 1);
}

#[tokio::test(start_paused = true)]
async fn the_answer_of_an_error_in_the_actors_own_words_is_kept() {
    let (world, host) = host(Kind::Native).await;
    let said = Reply { is_app_error: true, ..first("no") };
    assert_eq!(call(&host, "x", "say-no", "").await.unwrap(), said);
    let again = Reply { is_replay: true, ..said };
    assert_eq!(call(&host, "x", "say-no", "").await.unwrap(), again);
    assert_eq!(world.probe.count("x say-no"), 1);
}

#[tokio::test(start_paused = true)]
async fn without_state_there_is_nothing_to_remember_by() {
    for kind in [Kind::Native, Kind::System] {
        let world = World::of(kind);
        let host = world.bare_host("a:1");
        let stateless = kind == Kind::Native;
        host.offer(kind, TypeConfig { stateless, ..TypeConfig::default() }).await;
        let refused = call(&host, "x", "count", "").await.unwrap_err();
        assert_eq!(refused.execution(), Execution::None);
        let text = refused.to_string();
        assert!(text.contains("idempotency key") && text.contains("'Actor'"), "{text}");
    }
}

// A lost answer, and the call entered elsewhere: one effect, and the caller sees its answer.
#[tokio::test(start_paused = true)]
async fn an_answer_lost_between_hosts_is_asked_for_again() {
    let world = World::of_neighbours(Kind::Native);
    let first = world.host("a:1", Kind::Native, TypeConfig::default()).await;
    let second = world.host("b:1", Kind::Native, TypeConfig::default()).await;
    settle().await;
    let id = living_on(&first, &second).await;
    world.neighbours().mute("b:1");
    let sent = world.neighbours().sent().len();
    let running = first.send(keyed(&id, "count", "", KEY));
    eventually("it was sent", || world.neighbours().sent().len() > sent).await;
    settle().await;
    world.neighbours().unmute("b:1");
    assert_eq!(shown(running.await.unwrap()), ("1".to_owned(), true));
    assert_eq!(world.probe.count(&format!("{id} count")), 1);
    // A call without a key is not sent again: nobody could tell what became of it.
    world.neighbours().mute("b:1");
    let lost = first.call(&id, "count", "").await.unwrap_err();
    assert_eq!(lost.execution(), Execution::Maybe);
}

// The owner dies after its commit and before its answer; the next owner knows.
#[tokio::test(start_paused = true)]
async fn a_crash_between_commit_and_answer_has_one_effect() {
    let world = World::of_neighbours(Kind::Native);
    let first = world.host("a:1", Kind::Native, TypeConfig::default()).await;
    let second = world.host("b:1", Kind::Native, TypeConfig::default()).await;
    settle().await;
    let id = living_on(&first, &second).await;
    let running = first.send(keyed(&id, "set-telling-hold", "k=v", KEY));
    eventually("it has committed", || world.store.text(&scope(&id), "k").is_some()).await;
    world.neighbours().mute("b:1");
    world.neighbours().cut("b:1");
    second.kill().await;
    world.board.expire("b:1");
    world.probe.let_go(10);
    let answered = tokio::time::timeout(Duration::from_secs(60), running).await.unwrap();
    assert_eq!(shown(answered.unwrap()), ("set".to_owned(), true));
    assert_eq!(world.probe.count(&format!("{id} set-telling-hold k=v")), 1);
}
