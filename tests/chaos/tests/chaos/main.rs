//! A cluster under kills and pauses for as long as `cargo ci` has for it; `planted` shows that
//! what would be wrong there is found.

mod planted;

use std::process::Command;
use std::time::Duration;

use odeon_chaos::{Kind, Options, report, run, spaces};
use odeon_test_support::binaries;

#[tokio::test(flavor = "multi_thread")]
async fn no_promise_is_broken_in_a_minute_of_kills() {
    let options = Options { faults: vec![Kind::Kill], ..Options::default() };
    let outcome = run(&options).await.expect("a cluster");
    assert!(outcome.violations.is_empty(), "{}", report::text(&outcome));
    assert!(outcome.calls.len() > 1_000, "{}", report::text(&outcome));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_promise_is_broken_in_a_minute_of_kills_and_pauses() {
    let faults = vec![Kind::Kill, Kind::Pause, Kind::Placement, Kind::Freeze];
    let options = Options { faults, ..Options::default() };
    let outcome = run(&options).await.expect("a cluster");
    assert!(outcome.violations.is_empty(), "{}", report::text(&outcome));
    assert!(outcome.calls.len() > 1_000, "{}", report::text(&outcome));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_promise_is_broken_while_hosts_are_restarted_in_turn() {
    let length = Duration::from_secs(20);
    let options = Options { length, faults: vec![Kind::Restart], ..Options::default() };
    let outcome = run(&options).await.expect("a cluster");
    assert!(outcome.violations.is_empty(), "{}", report::text(&outcome));
}

/// Runs the program itself, which has to begin in a network of its own.
#[test]
#[expect(clippy::print_stdout, reason = "a test that is left out says why")]
fn no_promise_is_broken_while_the_network_is_parted() {
    if let Err(reason) = spaces::is_allowed() {
        println!("left out: this machine gives no network of our own: {reason}");
        return;
    }
    let mut program = Command::new(binaries::program("odeon-chaos", "odeon-chaos"));
    let ran = program.args(["--faults", "isolate,cut", "--seconds", "30"]).output();
    let ran = ran.expect("it was built");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stdout));
}
