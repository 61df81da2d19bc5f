//! Sixty seconds of a cluster under kills, pauses and restarts.

use odeon_chaos::{Options, report, run};

#[tokio::test(flavor = "multi_thread")]
async fn no_promise_is_broken_in_a_minute_of_chaos() {
    let outcome = run(&Options::default()).await.expect("a cluster");
    assert!(outcome.violations.is_empty(), "{}", report::text(&outcome));
    assert!(outcome.calls.len() > 1_000, "{}", report::text(&outcome));
}
