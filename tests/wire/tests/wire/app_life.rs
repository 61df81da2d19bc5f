//! An application on a port that is waited for, asked, missed, found ill and well again.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use odeon_base::TaskKind;
use odeon_host::channel::http::{App, Config, Dial, Io, Probe};
use odeon_runtime::TypeConfig;
use odeon_test_wire::Rig;
use odeon_test_wire::app::Played;
use tokio::time::Instant;

use crate::app::{call, start};

/// The types that metadata lists, besides the rig's own.
async fn types(rig: &Rig) -> Vec<String> {
    let metadata = rig.ask("GET", "/v1.0/metadata").told().await.json();
    let listed = metadata["actorRuntime"]["activeActors"].as_array().cloned().unwrap_or_default();
    let names = listed.iter().map(|one| one["type"].as_str().unwrap().to_owned());
    names.filter(|name| name != odeon_test_wire::TYPE).collect()
}

async fn until_types(rig: &Rig, wanted: &[&str]) {
    let waiting = async {
        while types(rig).await != wanted {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(100), waiting).await.expect("the types in time");
}

#[tokio::test(start_paused = true)]
async fn the_host_is_ready_once_the_application_has_said_what_it_hosts() {
    let rig = Rig::start().await;
    let mut app = Played::beside(&rig, Config::new(6000), |_| {});
    app.port.die().await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let told = rig.ask("GET", "/v1.0/healthz").told().await;
    assert_eq!(told.error().2, "dapr is not ready: [app]");
    app.port.live();
    app.says(r#"{"entities":["W","V"]}"#).await;
    rig.health.ready().await;
    assert_eq!(rig.ask("GET", "/v1.0/healthz").told().await.status, 204);
    assert_eq!(types(&rig).await, ["V", "W"]);
}

/// A port that refuses at once, or never answers.
#[derive(Debug, Default)]
struct Shut {
    is_silent: bool,
    dialled: Mutex<Vec<Instant>>,
}

impl Dial for Shut {
    fn dial(&self) -> BoxFuture<'_, io::Result<Box<dyn Io>>> {
        self.dialled.lock().unwrap().push(Instant::now());
        let is_silent = self.is_silent;
        Box::pin(async move {
            if is_silent {
                std::future::pending::<()>().await;
            }
            Err(io::ErrorKind::ConnectionRefused.into())
        })
    }
}

// http-api.md 19.1, 3.
#[tokio::test(start_paused = true)]
async fn a_port_is_tried_every_100_ms_and_each_try_takes_500_at_most() {
    for (is_silent, pause) in [(false, 100), (true, 500)] {
        let rig = Rig::start().await;
        let port = Arc::new(Shut { is_silent, ..Shut::default() });
        let parts = odeon_test_wire::app::parts(&rig.engine, &rig.tasks, TypeConfig::default());
        let app = App::over(Arc::<Shut>::clone(&port), Config::new(6000), parts);
        rig.tasks.spawn(TaskKind::Watcher, app.run());
        tokio::time::sleep(Duration::from_secs(10)).await;
        let dialled = port.dialled.lock().unwrap();
        let pauses: Vec<_> = dialled.windows(2).map(|two| (two[1] - two[0]).as_millis()).collect();
        assert!(pauses.len() >= 15, "{pauses:?}");
        let is_so = |one: &u128| (pause..=pause + 100).contains(one);
        assert!(pauses.iter().all(is_so), "{pauses:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_application_without_actors_is_as_good_as_any() {
    for (status, body) in [(200, "{}"), (404, "no"), (500, "no"), (200, r#"{"entities":7}"#)] {
        let rig = Rig::start().await;
        let mut app = Played::beside(&rig, Config::new(6000), |_| {});
        app.asked().await.answer(status, &[], body);
        rig.health.ready().await;
        assert_eq!(types(&rig).await, [""; 0], "{status} {body}");
    }
    let rig = Rig::start().await;
    let config = Config { asks_config: false, ..Config::new(6000) };
    let mut app = Played::beside(&rig, config, |_| {});
    rig.health.ready().await;
    assert!(app.is_idle());
}

#[tokio::test(start_paused = true)]
async fn an_application_that_dies_in_a_turn_may_have_run_it() {
    let (rig, mut app) = start().await;
    let (told, _asked) = tokio::join!(call(&rig, "a"), async {
        let asked = app.asked().await;
        app.port.die().await;
        asked
    });
    assert_eq!(told.error().1, "ERR_ACTOR_INVOKE_METHOD");
    assert_eq!(told.header("odeon-actor-execution"), "maybe");
    until_types(&rig, &[]).await;
}

#[tokio::test(start_paused = true)]
async fn a_call_to_one_that_is_gone_waits_and_is_served_when_it_is_back() {
    let (rig, mut app) = start().await;
    let (_, ()) = tokio::join!(call(&rig, "a"), async {
        app.asked().await.answer(200, &[], "");
    });
    app.port.die().await;
    let (told, ()) = tokio::join!(call(&rig, "a"), async {
        until_types(&rig, &[]).await;
        app.port.live();
        // Asked anew, since it may be another one now.
        app.says(r#"{"entities":["W","V"]}"#).await;
        app.asked().await.answer(200, &[], "back");
    });
    assert_eq!(told.text(), "back");
    assert_eq!(types(&rig).await, ["V", "W"]);
    assert!(app.is_idle(), "nothing ran twice");
}

#[tokio::test(start_paused = true)]
async fn a_call_to_one_that_stays_away_certainly_did_not_run() {
    let (rig, app) = start().await;
    app.port.die().await;
    let told = call(&rig, "a").await;
    assert_eq!(told.error().0, 500);
    assert_eq!(told.header("odeon-actor-execution"), "none", "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn connections_that_were_closed_meanwhile_cost_no_call() {
    let (rig, mut app) = start().await;
    for _ in 0..3 {
        let (told, ()) = tokio::join!(call(&rig, "a"), async {
            app.asked().await.answer(200, &[], "served");
        });
        assert_eq!(told.text(), "served");
        // Restarted between two calls.
        app.port.die().await;
        app.port.live();
    }
}

fn probed() -> Config {
    Config { probe: Some(Probe { path: "/well".into(), ..Probe::default() }), ..Config::new(6000) }
}

#[tokio::test(start_paused = true)]
async fn an_unhealthy_application_is_called_no_more_until_it_is_well() {
    let rig = Rig::start().await;
    let mut app = Played::beside(&rig, probed(), |parts| parts.token = Some("t".into()));
    let began = Instant::now();
    let first = app.asked().await;
    assert!(began.elapsed() < Duration::from_secs(1), "the first probe is not waited for");
    assert_eq!(first.line, "GET /well");
    assert_eq!(first.header("dapr-api-token"), "", "a probe shows none");
    assert!(rig.health.awaited().is_empty(), "the host does not wait for its health");
    first.answer(503, &[], "");
    app.asked().await.answer(204, &[], "");
    app.says(r#"{"entities":["W"]}"#).await;
    until_types(&rig, &["W"]).await;
    let (told, ()) = tokio::join!(call(&rig, "a"), async {
        app.asked().await.answer(200, &[], "well");
    });
    assert_eq!(told.text(), "well");
    // Two misses and a hit change nothing (DEA-4).
    for status in [500, 500, 200] {
        let asked = app.asked().await;
        assert_eq!(asked.line, "GET /well");
        asked.answer(status, &[], "");
    }
    assert_eq!(types(&rig).await, ["W"]);
    // No answer at all is a miss, too.
    app.asked().await.answer(500, &[], "");
    let unanswered = app.asked().await;
    app.asked().await.answer(301, &[], "");
    drop(unanswered);
    let goodbye = app.asked().await;
    assert_eq!(goodbye.line, "DELETE /actors/W/a");
    goodbye.answer(200, &[], "");
    until_types(&rig, &[]).await;
    // Well again: offered without being asked what it hosts.
    app.asked().await.answer(200, &[], "");
    until_types(&rig, &["W"]).await;
    let (told, ()) = tokio::join!(call(&rig, "a"), async {
        app.asked().await.answer(200, &[], "again");
    });
    assert_eq!(told.text(), "again");
}

#[tokio::test(start_paused = true)]
async fn turns_of_an_application_that_falls_ill_may_end() {
    let rig = Rig::start().await;
    let mut app = Played::beside(&rig, probed(), |_| {});
    app.asked().await.answer(200, &[], "");
    app.says(r#"{"entities":["W"]}"#).await;
    until_types(&rig, &["W"]).await;
    let (told, ()) = tokio::join!(call(&rig, "a"), async {
        let turn = app.asked().await;
        for _ in 0..3 {
            app.asked().await.answer(500, &[], "");
        }
        until_types(&rig, &[]).await;
        turn.answer(200, &[], "ended");
    });
    assert_eq!(told.text(), "ended");
    assert_eq!(app.asked().await.line, "DELETE /actors/W/a");
}
