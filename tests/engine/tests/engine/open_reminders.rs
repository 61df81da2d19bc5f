//! Reminders of a type that another application hosts, asked for by way of its hosts (REM-9).

use std::sync::Arc;
use std::time::Duration;

use odeon_base::clock::TokioClock;
use odeon_base::{ActorType, AppId, Execution, Kind as Sort};
use odeon_blocks::host::{HostActor, TYPE as HOST};
use odeon_blocks::reminder::forms::{Listing, Registration};
use odeon_blocks::reminder::{PARTITIONS, Reminders};
use odeon_runtime::config::{Pool, TypeConfig};
use odeon_runtime::error::Error;
use odeon_runtime::{ActorRef, Caller, Invocation};
use odeon_test_engine::world::{COMPONENT, TYPE, actor, settle};
use odeon_test_engine::{Host, Kind, World};
use tokio::time::Instant;

/// Two hosts of an application, of which the second has its reminders, and one of another.
struct Scene {
    world: World,
    first: Host,
    second: Host,
    /// Of the application's own host.
    own: Reminders,
    /// Of the other's.
    foreign: Reminders,
    other: Host,
}

async fn scene() -> Scene {
    let world = World::of_neighbours(Kind::Native);
    let first = world.host("a:1", Kind::Native, TypeConfig::default()).await;
    let second = world.host("b:1", Kind::Native, TypeConfig::default()).await;
    for host in [&first, &second] {
        host.engine.offer(vec![HostActor::spec(Some(COMPONENT)).unwrap()]).await.unwrap();
    }
    let own = second.offer_reminders(PARTITIONS, Arc::new(TokioClock::start())).await;
    let other = world.host_with("w:1", Arc::new(TokioClock::start()), |config| {
        config.app = AppId::parse("web").unwrap();
    });
    other.engine.offer(vec![HostActor::spec(None).unwrap()]).await.unwrap();
    let foreign = Reminders::elsewhere(&other.engine, ActorType::parse(HOST).unwrap());
    settle().await;
    Scene { world, first, second, own, foreign, other }
}

fn registration(id: &str, name: &str) -> Registration {
    Registration {
        r#type: TYPE.to_owned(),
        id: id.to_owned(),
        name: name.to_owned(),
        due_time: "1h".to_owned(),
        overwrite: true,
        ..Registration::default()
    }
}

fn anyone() -> Caller {
    Caller::default()
}

#[tokio::test(start_paused = true)]
async fn reminders_of_another_application_are_set_read_listed_and_deleted() {
    let Scene { own, foreign, .. } = scene().await;
    for number in 0..8 {
        let asked = registration(&format!("i{}", number % 4), &format!("r{number}"));
        assert!(foreign.register(asked, anyone()).await.unwrap());
    }
    let again = Registration { overwrite: false, ..registration("i1", "r1") };
    assert!(!foreign.register(again, anyone()).await.unwrap());
    let seen = own.get(&actor("i1"), "r1", anyone()).await.unwrap().unwrap();
    let read = foreign.get(&actor("i1"), "r1", anyone()).await.unwrap().unwrap();
    assert_eq!((&*read.due_time, read.next), ("1h", seen.next));
    assert!(foreign.get(&actor("i1"), "none", anyone()).await.unwrap().is_none());

    let mut listing = Listing { r#type: TYPE.to_owned(), limit: 3, ..Listing::default() };
    let mut names = Vec::new();
    loop {
        let page = foreign.list(&listing, anyone()).await.unwrap();
        names.extend(page.reminders.into_iter().map(|one| one.name));
        let Some(next) = page.next else { break };
        listing.after = Some(next);
    }
    names.sort();
    assert_eq!(names, ["r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7"]);
    let wrong = Listing { after: Some("x".to_owned()), ..listing };
    assert_eq!(foreign.list(&wrong, anyone()).await.unwrap_err().kind(), Sort::Invalid);

    foreign.delete(&actor("i1"), "r1", anyone()).await.unwrap();
    assert!(own.get(&actor("i1"), "r1", anyone()).await.unwrap().is_none());
    let of_type = actor("any").actor_type;
    assert_eq!(foreign.delete_all(&of_type, Some("i2"), anyone()).await.unwrap(), 2);
    assert_eq!(foreign.delete_all(&of_type, None, anyone()).await.unwrap(), 5);
}

#[tokio::test(start_paused = true)]
async fn another_host_of_the_type_is_asked_where_one_is_gone() {
    let Scene { world, foreign, second, .. } = scene().await;
    world.neighbours().cut("a:1");
    for number in 0..16 {
        let asked = registration(&format!("i{number}"), "r");
        assert!(foreign.register(asked, anyone()).await.unwrap());
    }
    let sent = world.neighbours().sent();
    assert!(sent.iter().any(|one| one.to == "a:1"), "it owns some of them");
    // With none of them there a call waits, and so does this.
    world.neighbours().cut(&second.name);
    let deadline = Some(Instant::now() + Duration::from_secs(5));
    let caller = Caller { deadline, ..Caller::default() };
    let error = foreign.get(&actor("i1"), "r", caller).await.unwrap_err();
    assert_eq!((error.kind(), error.execution()), (Sort::Unavailable, Execution::None));
    let (reminders, mended) = (foreign.clone(), world.neighbours());
    let asked = async move { reminders.get(&actor("i1"), "r", anyone()).await };
    let back = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        mended.mend(&second.name);
    };
    let (found, ()) = tokio::join!(asked, back);
    assert!(found.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_host_that_let_the_type_go_keeps_no_reminder_of_it() {
    let Scene { first, second, own, foreign, other, .. } = scene().await;
    let of_type = [actor("any").actor_type];
    let question = |name: &str| {
        let whom = ActorRef::parse(HOST, &first.name).unwrap();
        let body = format!(r#"{{"type":"{name}","id":"i"}}"#);
        Invocation::new(whom, "reminders/get", body)
    };
    first.engine.withdraw(&of_type).await;
    let error = first.engine.call(question(TYPE)).await.unwrap_err();
    assert_eq!((error.kind(), error.execution()), (Sort::Unavailable, Execution::None), "{error}");
    let told = first.engine.call(question(HOST)).await.unwrap();
    assert!(String::from_utf8_lossy(&told.body).contains("reserved"));
    // Whoever has the type now is asked, whatever the table says yet.
    assert!(foreign.register(registration("i", "r"), anyone()).await.unwrap());
    assert!(own.get(&actor("i"), "r", anyone()).await.unwrap().is_some());
    second.engine.withdraw(&of_type).await;
    settle().await;
    // RT-6: it is waited for, and then refused as a call is.
    let (whose, call) = (actor("i"), other.engine.call(Invocation::new(actor("i"), "m", "")));
    let (error, called) = tokio::join!(foreign.get(&whose, "r", anyone()), call);
    assert!(matches!(error, Err(Error::NoHost { .. })), "{error:?}");
    assert!(matches!(called, Err(Error::NoHost { .. })), "{called:?}");
    let nobody = ActorRef::parse("Nobody", "i").unwrap();
    let error = foreign.get(&nobody, "r", anyone()).await.unwrap_err();
    assert!(matches!(error, Error::NoHost { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_is_refused_in_the_host_s_words() {
    let Scene { first, second, foreign, .. } = scene().await;
    let wrong = Registration { due_time: "-1s".to_owned(), ..registration("i", "r") };
    let error = foreign.register(wrong, anyone()).await.unwrap_err();
    assert_eq!((error.kind(), error.execution()), (Sort::Invalid, Execution::None), "{error}");
    let config = TypeConfig {
        stateless: true,
        pool: Some(Pool { max_per_host: 1, scale_at: 1 }),
        ..TypeConfig::default()
    };
    for host in [&first, &second] {
        host.offer_as(Kind::Native, "Pooled", config.clone()).await;
    }
    settle().await;
    let asked = Registration { r#type: "Pooled".to_owned(), ..registration("i", "r") };
    let error = foreign.register(asked, anyone()).await.unwrap_err();
    assert!(error.to_string().contains("runs in several copies"), "{error}");
}
