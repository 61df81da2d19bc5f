//! What operators see of a cluster and do to it, asked of any of its hosts (MG-1, MG-2, HO-8).

use std::time::Duration;

use std::sync::Arc;

use odeon_base::clock::TokioClock;
use odeon_base::{Execution, IdempotencyKey};
use odeon_blocks::host::forms::{
    ActorsForm, EndedForm, ExplainForm, HostForm, HostsForm, InspectForm, MovedForm,
};
use odeon_blocks::host::{HostActor, TYPE as HOST};
use odeon_blocks::reminder::PARTITIONS;
use odeon_blocks::reminder::forms::Registration;
use odeon_runtime::config::TypeConfig;
use odeon_runtime::error::Error;
use odeon_runtime::schedule::TimerSpec;
use odeon_runtime::{ActorRef, CallKind, Caller, Invocation};
use odeon_test_engine::world::{COMPONENT, TYPE, actor, invocation, scope, settle};
use odeon_test_engine::{Host, Kind, World, eventually};
use serde::de::DeserializeOwned;
use serde_json::json;

async fn cluster(names: &[&str]) -> (World, Vec<Host>) {
    cluster_of(Kind::Placed, names).await
}

async fn cluster_of(kind: Kind, names: &[&str]) -> (World, Vec<Host>) {
    let world = World::of_neighbours(kind);
    let mut hosts = Vec::new();
    for name in names {
        let host = world.host(name, kind, TypeConfig::default()).await;
        host.engine.offer(vec![HostActor::spec(None).unwrap()]).await.unwrap();
        hosts.push(host);
    }
    settle().await;
    (world, hosts)
}

async fn ask<T: DeserializeOwned>(
    host: &Host,
    whom: &str,
    method: &str,
    question: &serde_json::Value,
) -> Result<T, Error> {
    let actor = ActorRef::parse(HOST, whom).unwrap();
    let call = Invocation::new(actor, method, question.to_string());
    let reply = host.engine.call(call).await?;
    Ok(serde_json::from_slice(&reply.body).unwrap())
}

async fn about<T: DeserializeOwned>(host: &Host, method: &str, id: &str) -> T {
    let question = json!({"type": TYPE, "id": id});
    ask(host, &host.name, method, &question).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn any_host_tells_of_all() {
    let (world, hosts) = cluster(&["a:1", "b:1", "c:1"]).await;
    for number in 0..30 {
        hosts[0].call(&format!("{number:02}"), "count", "").await.unwrap();
    }
    let seen: HostsForm = ask(&hosts[1], "b:1", "hosts", &json!({})).await.unwrap();
    let names: Vec<_> = seen.hosts.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names, ["a:1", "b:1", "c:1"]);
    let active = |row: &HostForm| {
        let types = row.types.iter();
        types.filter(|one| one.r#type == TYPE).map(|one| one.active).sum::<usize>()
    };
    let each: Vec<_> = seen.hosts.iter().map(|row| active(row.status.as_ref().unwrap())).collect();
    assert_eq!(each.iter().sum::<usize>(), 30);
    // Another host's own word, through this one.
    let other: HostForm = ask(&hosts[1], "c:1", "status", &json!({})).await.unwrap();
    assert_eq!((other.name.as_str(), active(&other)), ("c:1", each[2]));
    let unknown = ask::<HostForm>(&hosts[1], "z:1", "status", &json!({})).await.unwrap_err();
    assert!(unknown.to_string().contains("those that do: a:1, b:1, c:1"), "{unknown}");
    // One that does not answer is named, with the reason.
    world.neighbours().cut("c:1");
    let seen: HostsForm = ask(&hosts[1], "b:1", "hosts", &json!({})).await.unwrap();
    assert!(seen.hosts[2].status.is_none() && seen.hosts[2].error.is_some());
}

#[tokio::test(start_paused = true)]
async fn actors_are_listed_over_all_hosts_in_pages() {
    let (world, hosts) = cluster(&["a:1", "b:1", "c:1"]).await;
    for number in 0..30 {
        hosts[0].call(&format!("{number:02}"), "count", "").await.unwrap();
    }
    let (mut ids, mut after, mut on) = (Vec::new(), String::new(), Vec::new());
    loop {
        let question = json!({"type": TYPE, "after": after, "limit": 7});
        let page: ActorsForm = ask(&hosts[2], "c:1", "allActors", &question).await.unwrap();
        assert!(page.actors.len() <= 7 && page.missing.is_empty());
        on.extend(page.actors.iter().map(|actor| actor.host.clone()));
        ids.extend(page.actors.into_iter().map(|actor| actor.id));
        match page.next {
            Some(next) => after = next,
            None => break,
        }
    }
    let expected: Vec<_> = (0..30).map(|number| format!("{number:02}")).collect();
    assert_eq!(ids, expected);
    on.sort();
    on.dedup();
    assert_eq!(on, ["a:1", "b:1", "c:1"]);
    // A turn that stands still is seen with its age, and who waits behind it.
    let stuck = hosts[0].start("07", "hold", "");
    eventually("it runs", || world.probe.running() == ["07"]).await;
    let waiting = hosts[1].start("07", "count", "");
    settle().await;
    tokio::time::advance(Duration::from_secs(2)).await;
    let told: InspectForm = about(&hosts[2], "inspect", "07").await;
    let active = told.activation.unwrap();
    assert_eq!((active.running, active.running_ms, active.waiting), (1, Some(2_000), 1));
    assert_eq!((active.waiting_ms, active.unused_ms), (Some(2_000), None));
    world.probe.let_go(1);
    stuck.await.unwrap().unwrap();
    waiting.await.unwrap().unwrap();
    let told: InspectForm = about(&hosts[2], "inspect", "07").await;
    assert_eq!(told.activation.unwrap().running_ms, None);
    let [due_time, period] = ["3s", "PT1M"].map(str::to_owned);
    let spec = TimerSpec { due_time, period, callback: "Ring".to_owned(), ..TimerSpec::default() };
    let kind = CallKind::SetTimer(spec.into());
    hosts[0].invoke(Invocation { kind, ..Invocation::new(actor("07"), "tea", "") }).await.unwrap();
    tokio::time::advance(Duration::from_secs(1)).await;
    let told: InspectForm = about(&hosts[2], "inspect", "07").await;
    let [timer] = &told.timers[..] else { panic!("{:?}", told.timers) };
    assert_eq!((&*timer.name, timer.next_ms), ("tea", Some(2_000)));
    assert_eq!((&*timer.period, &*timer.callback), ("PT1M", "Ring"));
    let bad = json!({"type": TYPE, "limt": 7});
    let refused = ask::<ActorsForm>(&hosts[2], "c:1", "allActors", &bad).await.unwrap_err();
    assert!(refused.to_string().contains("unknown field `limt`"), "{refused}");
}

// ST-6.
#[tokio::test(start_paused = true)]
async fn an_actor_is_explained_ended_and_deleted_where_it_lives() {
    let (world, hosts) = cluster(&["a:1", "b:1"]).await;
    for number in 0..8 {
        let id = number.to_string();
        let entry = &hosts[number % 2];
        entry.call(&id, "set", "k=v").await.unwrap();
        let once = Some(IdempotencyKey::parse("k1").unwrap());
        entry.invoke(Invocation { once, ..invocation(&id, "set", "l=w") }).await.unwrap();
        let told: ExplainForm = about(entry, "explain", &id).await;
        let owner = told.owner.unwrap();
        assert_eq!(told.told_by, owner, "the owner itself was asked");
        assert_eq!((told.gate.as_str(), told.tables.len()), ("open", 1));
        let shown: InspectForm = about(entry, "inspect", &id).await;
        assert_eq!(shown.host, owner);
        let keys: Vec<_> = shown.keys.iter().map(|key| (key.key.as_str(), key.bytes)).collect();
        assert_eq!(keys, [("k", 1), ("l", 1)]);

        let ended: EndedForm = about(entry, "deactivate", &id).await;
        assert_eq!((ended.host.as_str(), ended.was_active), (owner.as_str(), Some(true)));
        assert_eq!(world.probe.count(&format!("{id} bye")), 1);
        let again: EndedForm = about(entry, "deactivate", &id).await;
        assert_eq!(again.was_active, Some(false));

        // Neither its memory nor its goodbye is needed to delete it.
        let before = world.probe.log().len();
        let deleted: EndedForm = about(entry, "delete", &id).await;
        assert_eq!((deleted.host, deleted.keys_deleted), (owner, Some(2)));
        assert_eq!(world.probe.log().len(), before);
        assert_eq!(world.store.text(&scope(&id), "k"), None);
        assert!(world.store.fence(&scope(&id)).is_some(), "the tombstone stays");
        assert_eq!(entry.call(&id, "get", "k").await.unwrap(), "");
    }
    let unknown = json!({"type": "Nobodys", "id": "1"});
    let refused = ask::<ExplainForm>(&hosts[0], "a:1", "explain", &unknown).await.unwrap_err();
    assert!(refused.to_string().contains("no host offers the type 'Nobodys'"), "{refused}");
}

// ST-6: of a deleted actor nothing is left that could wake it up.
#[tokio::test(start_paused = true)]
async fn a_deleted_actor_has_neither_reminders_nor_timers() {
    let world = World::of(Kind::Native);
    let host = world.host("a:1", Kind::Native, TypeConfig::default()).await;
    host.engine.offer(vec![HostActor::spec(Some(COMPONENT)).unwrap()]).await.unwrap();
    let reminders = host.offer_reminders(PARTITIONS, Arc::new(TokioClock::start())).await;
    for id in ["x", "xy"] {
        host.call(id, "set", "k=v").await.unwrap();
        for name in ["count", "get"] {
            let asked = Registration {
                r#type: TYPE.to_owned(),
                id: id.to_owned(),
                name: name.to_owned(),
                due_time: "60s".to_owned(),
                ..Registration::default()
            };
            assert!(reminders.register(asked, Caller::default()).await.unwrap());
        }
        let spec = TimerSpec { due_time: "60s".to_owned(), ..TimerSpec::default() };
        let kind = CallKind::SetTimer(spec.into());
        let set = Invocation { kind, ..Invocation::new(actor(id), "count", "") };
        host.engine.call(set).await.unwrap();
    }
    let deleted: EndedForm = about(&host, "delete", "x").await;
    assert_eq!((deleted.keys_deleted, deleted.reminders_deleted), (Some(1), Some(2)));
    tokio::time::sleep(Duration::from_secs(120)).await;
    let woken = |id: &str| {
        world.probe.log().iter().filter(|line| line.starts_with(&format!("{id} count"))).count()
    };
    assert_eq!((woken("x"), woken("xy")), (0, 2), "its timer and its reminder");
}

// SYS-2: the host would wait for the turn, and the turn for the host.
#[tokio::test(start_paused = true)]
async fn a_turn_that_would_have_itself_ended_is_refused_at_once() {
    let (_world, hosts) = cluster(&["a:1", "b:1"]).await;
    for host in &hosts {
        for asked in ["a:1", "b:1"] {
            for method in ["deactivate", "delete"] {
                let begun = tokio::time::Instant::now();
                let question = json!({"type": TYPE, "id": "x"});
                let call = format!("{HOST}/{asked}/{method}/{question}");
                let refused = host.call("x", "nest", &call).await.unwrap_err();
                assert!(refused.to_string().contains("call cycle: actor 'Actor||x'"), "{refused}");
                assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
            }
        }
    }
}

// PL-5.
#[tokio::test(start_paused = true)]
async fn an_actor_moves_with_its_state_and_no_call_has_to_know() {
    let (world, hosts) = cluster(&["a:1", "b:1", "c:1"]).await;
    for host in &hosts {
        host.call("7", "set", "k=v").await.unwrap();
    }
    let told: ExplainForm = about(&hosts[0], "explain", "7").await;
    let home = told.owner.unwrap();
    let away = hosts.iter().map(|host| host.name.clone()).find(|name| *name != home).unwrap();
    let go = |id: &str, to: &str| json!({"type": TYPE, "id": id, "to": to});
    let back = |id: &str| json!({"type": TYPE, "id": id, "back": true});
    let ask_to_move = async |question| {
        let told: Result<MovedForm, Error> = ask(&hosts[1], "b:1", "move", &question).await;
        told.map(|told| (told.from, told.host, told.is_pinned, told.state))
    };
    let of = |from: &String, host: &String, pinned: bool, state: &str| {
        (from.clone(), host.clone(), pinned, state.to_owned())
    };
    // While a turn runs and others wait for it, the move waits too; then they run there.
    let stuck = hosts[0].start("7", "hold", "");
    eventually("it runs", || world.probe.running() == ["7"]).await;
    let waiting: Vec<_> = hosts.iter().map(|host| host.start("7", "get", "k")).collect();
    settle().await;
    let actor = ActorRef::parse(TYPE, "7").unwrap();
    let moving = hosts[2].engine.relocate(&actor, Some(&away), Duration::from_secs(50));
    let meanwhile = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let told: ExplainForm = about(&hosts[0], "explain", "7").await;
        assert_eq!((told.pinned_to.as_ref(), told.tables.len()), (Some(&away), 2));
        assert_eq!(told.gate, "shut: an earlier owner has not let go yet");
        world.probe.let_go(1);
        tokio::time::Instant::now()
    };
    let moved = async { (moving.await.unwrap(), tokio::time::Instant::now()) };
    let ((moved, done), let_go) = tokio::join!(moved, meanwhile);
    assert!(done >= let_go, "it waits for the turn that runs");
    stuck.await.unwrap().unwrap();
    assert_eq!((moved.host.as_str(), moved.is_pinned), (away.as_str(), true));
    for call in waiting {
        assert_eq!(call.await.unwrap().unwrap(), "v");
    }
    let shown: InspectForm = about(&hosts[0], "inspect", "7").await;
    assert!(shown.host == away && shown.activation.is_some());
    // Only that one: nobody else's owner is another now.
    assert_eq!(ask_to_move(go("7", &away)).await.unwrap(), of(&away, &away, true, "unchanged"));
    assert_eq!(ask_to_move(back("8")).await.unwrap().3, "unchanged");
    // Back, and there is nothing to take back then.
    assert_eq!(ask_to_move(back("7")).await.unwrap(), of(&away, &home, false, "moved"));
    assert_eq!(ask_to_move(back("7")).await.unwrap(), of(&home, &home, false, "unchanged"));
    assert_eq!(hosts[0].call("7", "get", "k").await.unwrap(), "v");
    // Its host goes, and so does the pin.
    assert_eq!(ask_to_move(go("7", &away)).await.unwrap(), of(&home, &away, true, "moved"));
    let leaver = hosts.iter().find(|host| host.name == away).unwrap();
    leaver.engine.leave(Duration::from_secs(5)).await.unwrap();
    settle().await;
    let rest = hosts.iter().find(|host| host.name != away).unwrap();
    let told: ExplainForm = about(rest, "explain", "7").await;
    assert!(told.pinned_to.is_none() && told.owner.unwrap() != away);
    assert_eq!(rest.call("7", "get", "k").await.unwrap(), "v");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_move_is_refused_in_words() {
    let (_world, hosts) = cluster(&["a:1", "b:1"]).await;
    hosts[0].call("7", "set", "k=v").await.unwrap();
    let refused = async |question: serde_json::Value| {
        let told: Result<MovedForm, Error> = ask(&hosts[0], "a:1", "move", &question).await;
        told.unwrap_err().to_string()
    };
    for (question, words) in [
        (json!({"type": TYPE, "id": "7", "to": "z:1"}), "to is 'z:1': expected a host that serves"),
        (json!({"type": TYPE, "id": "7", "to": "z:1"}), ": a:1, b:1"),
        (json!({"type": TYPE, "id": "7"}), "to is missing and back is false: expected the name"),
        (
            json!({"type": TYPE, "id": "7", "to": "a:1", "back": true}),
            "to is 'a:1' and back is true",
        ),
        (
            json!({"type": HOST, "id": "a:1", "to": "b:1"}),
            "type is 'sys.host', whose actors cannot be moved",
        ),
        (json!({"type": "Nobodys", "id": "7", "to": "b:1"}), "Nobodys"),
    ] {
        let told = refused(question.clone()).await;
        assert!(told.contains(words), "{question}: {told}");
    }
    hosts[1].engine.leave(Duration::from_secs(5)).await.unwrap();
    settle().await;
    let told = refused(json!({"type": TYPE, "id": "7", "to": "b:1"})).await;
    assert!(
        told.contains("only 'a:1' serves the type") && told.contains("no other host"),
        "{told}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_move_without_placement_fails_and_says_whether_it_may_still_happen() {
    let (world, hosts) = cluster_of(Kind::Native, &["a:1", "b:1"]).await;
    hosts[0].call("7", "set", "k=v").await.unwrap();
    let explained: ExplainForm = about(&hosts[0], "explain", "7").await;
    let home = explained.owner.unwrap();
    let away = if home == "a:1" { "b:1" } else { "a:1" };
    let (asked, actor) = (hosts.iter().find(|host| host.name == home).unwrap(), actor("7"));
    let relocated = async || {
        asked.engine.relocate(&actor, Some(away), Duration::from_millis(500)).await.unwrap_err()
    };
    // What becomes of its words does not reach it any more.
    world.board.cut_off(&home);
    let error = relocated().await;
    assert!(error.to_string().contains("it may still do so"), "{error}");
    assert_eq!(error.execution(), Execution::Maybe);
    world.board.set_reachable(false);
    settle().await;
    let error = relocated().await;
    assert!(error.to_string().contains("cannot be reached"), "{error}");
    assert_eq!(error.execution(), Execution::None);
}

// HO-8.
#[tokio::test(start_paused = true)]
async fn a_drained_host_stays_and_sends_calls_on() {
    let (world, hosts) = cluster(&["a:1", "b:1"]).await;
    for number in 0..20 {
        hosts[0].call(&number.to_string(), "count", "").await.unwrap();
    }
    let told: HostForm = ask(&hosts[0], "b:1", "drain", &json!({})).await.unwrap();
    assert!(told.is_draining);
    // Placement gathers changes for a while before it makes a table of them.
    for _ in 0..100 {
        tokio::time::advance(Duration::from_millis(10)).await;
        settle().await;
    }
    assert_eq!(hosts[1].status().active, 0);
    for number in 0..20 {
        hosts[1].call(&number.to_string(), "count", "").await.unwrap();
    }
    assert_eq!(hosts[0].status().active, 20);
    world.assert_one_at_a_time();
}
