//! The metrics page: names and labels (traffic-security-observability.md 17).

use std::sync::Arc;

use http::Request;
use http_body_util::BodyExt;
use odeon_base::AppId;
use odeon_base::clock::SystemClock;
use odeon_host::metrics::{Page, Sources, registry};
use odeon_test_wire::{APP, Rig};

async fn scrape(page: &Page, path: &str) -> (u16, String) {
    let request = Request::get(path).body(()).unwrap();
    let response = page.answer(&request);
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test(start_paused = true)]
async fn the_engines_numbers_are_on_the_page() {
    let rig = Rig::start().await;
    let page = Page::new(registry(Sources {
        app: AppId::parse(APP).unwrap(),
        engine: rig.engine.clone(),
        hub: Some(rig.hub.clone()),
        clock: Arc::new(SystemClock),
    }));
    rig.ask("POST", "/v1.0/actors/T/a/method/echo").told().await;
    rig.ask("POST", "/v1.0/actors/T/a/method/raise").body("0").told().await;
    // Told as 200, and counted as what it is.
    rig.ask("POST", "/v1.0/actors/T/a/method/app-error").body("why").told().await;
    rig.ask("POST", "/v1.0-alpha1/actors/T/a/deactivate").told().await;
    let (status, text) = scrape(&page, "/metrics").await;
    assert_eq!(status, 200);
    for line in [
        "odeon_actor_activations_total{app_id=\"app\",actor_type=\"T\"} 1",
        "odeon_actor_active{app_id=\"app\",actor_type=\"T\"} 0",
        "odeon_actor_turns_total{app_id=\"app\",actor_type=\"T\",outcome=\"done\"} 1",
        "odeon_actor_turns_total{app_id=\"app\",actor_type=\"T\",outcome=\"failed\"} 2",
        "dapr_runtime_actor_deactivated_total{app_id=\"app\",actor_type=\"T\"} 1",
        "dapr_runtime_actor_deactivated_failed_total{app_id=\"app\",actor_type=\"T\"} 0",
        "dapr_runtime_actor_pending_actor_calls{app_id=\"app\",actor_type=\"T\"} 0",
        "odeon_actor_turn_seconds_count{app_id=\"app\",actor_type=\"T\"} 3",
        "odeon_actor_turn_seconds_bucket{le=\"+Inf\",app_id=\"app\",actor_type=\"T\"} 3",
        "odeon_outbox_given_up_total{app_id=\"app\"} 0",
        "odeon_reminder_ticks_lost_total{app_id=\"app\"} 0",
        "odeon_worker_streams{app_id=\"app\"} 0",
    ] {
        assert!(text.lines().any(|have| have == line), "{line}\n{text}");
    }
    for name in [
        "process_resident_memory_bytes ",
        "process_cpu_seconds_total ",
        "process_start_time_seconds ",
        "process_open_fds ",
        "odeon_actor_oldest_waiter_seconds{",
        "odeon_actor_mailbox_wait_seconds_sum{",
        "odeon_actor_rejected_total{",
        "odeon_actor_running{",
    ] {
        assert!(text.lines().any(|have| have.starts_with(name)), "{name}\n{text}");
    }
    assert!(text.ends_with("# EOF\n"));
    assert_eq!(scrape(&page, "/").await.0, 404);
}
