//! Timers and reminders that are asked for before the application has said what it hosts, or
//! while it is away (RT-6). Rows of http-api.md 8.1; grpc-api.md 3.6.

use std::time::Duration;

use odeon_host::channel::http::Config;
use odeon_proto::dapr::runtime::v1::{
    GetActorReminderRequest, ListActorRemindersRequest, RegisterActorReminderRequest,
    RegisterActorTimerRequest, UnregisterActorReminderRequest,
    UnregisterActorRemindersByTypeRequest,
};
use odeon_test_wire::app::Played;
use odeon_test_wire::{Rig, Told};
use tokio::time::{Instant, sleep};
use tonic::Code;

use crate::worker::Worker;

const FOREIGN: &str = "ERR_ACTOR_REMINDER_NON_HOSTED";
/// RT-6, with some milliseconds of which the host has used up as many before it could be asked.
const WAIT: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(2_500)..=Duration::from_millis(3_050);

async fn over_http(rig: &Rig, verb: &str, what: &str, body: &str) -> Told {
    rig.ask(verb, &format!("/v1.0/actors/W/a/{what}")).body(body.to_owned()).told().await
}

/// Waits until the type is withdrawn.
async fn gone(rig: &Rig) {
    let is_hosted = || {
        let types = rig.engine.status().types;
        types.iter().any(|one| one.actor_type.as_str() == "W" && one.is_hosted)
    };
    let gone = async {
        while is_hosted() {
            sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), gone).await.unwrap();
}

fn timer() -> RegisterActorTimerRequest {
    RegisterActorTimerRequest {
        actor_type: "W".into(),
        actor_id: "a".into(),
        name: "t".into(),
        due_time: "1h".into(),
        ..RegisterActorTimerRequest::default()
    }
}

fn reminder(actor_type: &str) -> RegisterActorReminderRequest {
    RegisterActorReminderRequest {
        actor_type: actor_type.into(),
        actor_id: "a".into(),
        name: "r".into(),
        due_time: "1h".into(),
        ..RegisterActorReminderRequest::default()
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_over_http_waits_for_the_application_s_word() {
    let rig = Rig::before_its_app().await;
    let mut app = Played::beside(&rig, Config::new(6000), |_| {});
    let due = r#"{"dueTime":"1h"}"#;
    let asked = async {
        tokio::join!(
            over_http(&rig, "POST", "reminders/r", due),
            over_http(&rig, "DELETE", "reminders/s", ""),
            over_http(&rig, "GET", "reminders/s", ""),
            over_http(&rig, "POST", "timers/t", due),
            rig.ask("GET", "/v1.0/actors/Other/a/reminders/r").told(),
        )
    };
    let spoken = async {
        sleep(Duration::from_secs(1)).await;
        app.says(r#"{"entities":["W"]}"#).await;
    };
    let began = Instant::now();
    let ((set, deleted, got, timer, other), ()) = tokio::join!(asked, spoken);
    assert_eq!((set.status.as_u16(), set.text()), (204, ""));
    assert_eq!(deleted.status, 204);
    assert_eq!((got.error().0, got.error().1.as_str()), (404, "ERR_ACTOR_REMINDER_NOT_FOUND"));
    assert_eq!((timer.status.as_u16(), timer.text()), (204, ""));
    // It has spoken, and not of that one.
    assert_eq!((other.error().0, other.error().1.as_str()), (403, FOREIGN));
    let waited = began.elapsed();
    assert!((1_000..2_000).contains(&waited.as_millis()), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_over_grpc_waits_for_the_application_s_word() {
    let rig = Rig::before_its_app().await;
    let began = Instant::now();
    let asked = async {
        let (mut a, mut b, mut c, mut d, mut e, mut f, mut g) = (
            rig.client(),
            rig.client(),
            rig.client(),
            rig.client(),
            rig.client(),
            rig.client(),
            rig.client(),
        );
        tokio::join!(
            a.register_actor_reminder(reminder("W")),
            b.register_actor_timer(timer()),
            c.list_actor_reminders(ListActorRemindersRequest {
                actor_type: "W".into(),
                actor_id: None,
            }),
            d.get_actor_reminder(GetActorReminderRequest {
                actor_type: "W".into(),
                actor_id: "b".into(),
                name: "r".into(),
            }),
            e.unregister_actor_reminder(UnregisterActorReminderRequest {
                actor_type: "W".into(),
                actor_id: "b".into(),
                name: "r".into(),
            }),
            f.unregister_actor_reminders_by_type(UnregisterActorRemindersByTypeRequest {
                actor_type: "W".into(),
                actor_id: Some("b".into()),
            }),
            g.register_actor_reminder(reminder("Other")),
        )
    };
    let spoken = async {
        sleep(Duration::from_secs(1)).await;
        Worker::start(&rig, &["W"]).await
    };
    let ((set, timer, listed, got, deleted, all, other), _worker) = tokio::join!(asked, spoken);
    set.unwrap();
    timer.unwrap();
    listed.unwrap();
    assert_eq!(got.unwrap_err().code(), Code::NotFound);
    deleted.unwrap();
    all.unwrap();
    assert_eq!(other.unwrap_err().code(), Code::PermissionDenied);
    let waited = began.elapsed();
    assert!((1_000..2_000).contains(&waited.as_millis()), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn an_application_that_says_nothing_is_waited_for_as_long_as_for_a_call() {
    let rig = Rig::before_its_app().await;
    let began = Instant::now();
    let told = over_http(&rig, "GET", "reminders/r", "").await;
    assert_eq!((told.error().0, told.error().1.as_str()), (403, FOREIGN));
    assert!(WAIT.contains(&began.elapsed()), "{:?}", began.elapsed());
    // Hosts had their time to start.
    let began = Instant::now();
    let refused = rig.client().register_actor_reminder(reminder("W")).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn an_application_that_went_is_waited_for_until_it_is_back() {
    let rig = Rig::before_its_app().await;
    let worker = Worker::start(&rig, &["W"]).await;
    sleep(Duration::from_secs(60)).await;
    drop(worker);
    gone(&rig).await;
    let back = async {
        sleep(Duration::from_secs(1)).await;
        Worker::start(&rig, &["W"]).await
    };
    let set = over_http(&rig, "POST", "reminders/r", r#"{"dueTime":"1h"}"#);
    let (set, worker) = tokio::join!(set, back);
    assert_eq!(set.status, 204);
    drop(worker);
    gone(&rig).await;
    let began = Instant::now();
    let told = over_http(&rig, "GET", "reminders/r", "").await;
    assert_eq!((told.error().0, told.error().1.as_str()), (403, FOREIGN));
    assert!(WAIT.contains(&began.elapsed()), "{:?}", began.elapsed());
}
