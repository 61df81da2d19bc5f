//! Which calls are `none` and which `maybe` when a connection ends, at every stage.

use futures::{FutureExt as _, StreamExt as _};
use tokio::sync::Semaphore;

use super::*;

fn message(room: &Arc<Semaphore>, id: u64) -> Box<Message> {
    let room = Arc::clone(room).try_acquire_owned().unwrap();
    let call = proto::Call { call_id: id, ..proto::Call::default() };
    Box::new((wire::say_call(call), room))
}

fn written(outgoing: &mut Outgoing) -> Vec<String> {
    let mut said = Vec::new();
    while let Some(Some(message)) = outgoing.next().now_or_never() {
        said.push(match message.request {
            Some(proto::peer_request::Request::Call(call)) => format!("call {}", call.call_id),
            Some(proto::peer_request::Request::Cancel(cancel)) => {
                format!("cancel {}", cancel.call_id)
            }
            Some(proto::peer_request::Request::Hello(_)) | None => "hello".to_owned(),
        });
    }
    said
}

fn outbox() -> (Arc<Outbox>, Outgoing, Arc<Semaphore>) {
    let outbox = Outbox::beginning_with(proto::PeerRequest::default());
    (Arc::clone(&outbox), Outgoing(outbox), Arc::new(Semaphore::new(100)))
}

#[test]
fn what_was_taken_may_have_run_and_what_was_not_has_not() {
    let (outbox, mut outgoing, room) = outbox();
    let mut first = outbox.ask(1, message(&room, 1)).unwrap();
    assert_eq!(written(&mut outgoing), ["hello", "call 1"]);
    let mut second = outbox.ask(2, message(&room, 2)).unwrap();
    outbox.end(&"it broke".into());
    assert!(matches!(first.end.try_recv(), Ok(End::Lost(why)) if *why == *"it broke"));
    assert!(matches!(second.end.try_recv(), Ok(End::Unwritten(_))));
    assert!(matches!(outbox.ask(3, message(&room, 3)), Err(NotTaken::Ended(_))));
    assert!(written(&mut outgoing).is_empty(), "nothing is written after the end");
}

#[test]
fn answers_still_count_when_nothing_can_be_written_any_more() {
    let (outbox, mut outgoing, room) = outbox();
    let mut first = outbox.ask(1, message(&room, 1)).unwrap();
    assert_eq!(written(&mut outgoing), ["hello", "call 1"]);
    let mut second = outbox.ask(2, message(&room, 2)).unwrap();
    drop(outgoing);
    assert!(matches!(second.end.try_recv(), Ok(End::Unwritten(_))));
    outbox.answer(1, Ok(odeon_runtime::Reply::default()));
    assert!(matches!(first.end.try_recv(), Ok(End::Answered(Ok(_)))));
}

#[test]
fn a_call_that_is_dropped_is_cancelled_only_if_it_was_written() {
    let (outbox, mut outgoing, room) = outbox();
    let first = outbox.ask(1, message(&room, 1)).unwrap();
    assert_eq!(written(&mut outgoing), ["hello", "call 1"]);
    drop(first);
    drop(outbox.ask(2, message(&room, 2)).unwrap());
    assert_eq!(written(&mut outgoing), ["cancel 1"]);
    // It came too late, and is for nobody.
    outbox.answer(1, Ok(odeon_runtime::Reply::default()));
    let mut third = outbox.ask(3, message(&room, 3)).unwrap();
    outbox.answer(3, Err(wire::Answered::Moved(odeon_base::Epoch::default())));
    assert!(matches!(third.end.try_recv(), Ok(End::Answered(Err(_)))));
    drop(third);
    assert!(written(&mut outgoing).is_empty(), "an answered call is not cancelled");
}

#[test]
fn room_comes_back_when_a_message_was_taken_or_given_up() {
    let (outbox, mut outgoing, room) = outbox();
    let first = outbox.ask(1, message(&room, 1)).unwrap();
    let second = outbox.ask(2, message(&room, 2)).unwrap();
    assert_eq!(room.available_permits(), 98);
    drop(second);
    assert_eq!(room.available_permits(), 99);
    written(&mut outgoing);
    assert_eq!(room.available_permits(), 100);
    drop(first);
}

#[test]
fn no_call_goes_out_twice_at_a_time() {
    let (outbox, mut outgoing, room) = outbox();
    let _first = outbox.ask(1, message(&room, 1)).unwrap();
    assert!(matches!(outbox.ask(1, message(&room, 1)), Err(NotTaken::Twice)));
    assert_eq!(written(&mut outgoing), ["hello", "call 1"]);
}

#[test]
fn only_a_connection_that_nobody_uses_ends_as_idle() {
    let (outbox, mut outgoing, room) = outbox();
    let call = outbox.ask(1, message(&room, 1)).unwrap();
    written(&mut outgoing);
    assert!(!outbox.end_if_idle(&"idle".into()));
    outbox.answer(1, Ok(odeon_runtime::Reply::default()));
    drop(call);
    assert!(outbox.end_if_idle(&"idle".into()) && outbox.is_over());
}

#[test]
fn a_call_is_taken_back_as_long_as_it_was_not_written() {
    let (outbox, mut outgoing, room) = outbox();
    let first = outbox.ask(1, message(&room, 1)).unwrap();
    let second = outbox.ask(2, message(&room, 2)).unwrap();
    assert!(first.take_back());
    assert_eq!(written(&mut outgoing), ["hello", "call 2"]);
    assert!(!second.take_back(), "it may run");
    assert_eq!(room.available_permits(), 100, "neither holds its place");
}

#[tokio::test(start_paused = true)]
async fn a_process_that_stood_still_writes_nothing_on_what_it_had_open() {
    let pause = |pause| async move {
        let (outbox, mut outgoing, room) = outbox();
        let mut first = outbox.ask(1, message(&room, 1)).unwrap();
        assert_eq!(written(&mut outgoing), ["hello", "call 1"]);
        let mut second = outbox.ask(2, message(&room, 2)).unwrap();
        outbox.tick();
        tokio::time::advance(pause).await;
        // Whoever comes first finds out: here the connection, which would take the call.
        let said = written(&mut outgoing).len();
        let third = outbox.ask(3, message(&room, 3)).is_ok();
        outbox.answer(1, Ok(odeon_runtime::Reply::default()));
        let is_answered = matches!(first.end.try_recv(), Ok(End::Answered(Ok(_))));
        let is_unwritten = matches!(second.end.try_recv(), Ok(End::Unwritten(_)));
        (said, third, is_answered, is_unwritten)
    };
    assert_eq!(pause(STILL_MAX).await, (1, true, true, false));
    assert_eq!(pause(STILL_MAX + TICK).await, (0, false, true, true));
}

#[tokio::test(start_paused = true)]
async fn a_tick_after_a_pause_ends_what_is_written_and_one_in_time_does_not() {
    let (outbox, mut outgoing, room) = outbox();
    for _ in 0..20 {
        tokio::time::advance(TICK).await;
        outbox.tick();
    }
    assert_eq!(written(&mut outgoing), ["hello"]);
    tokio::time::advance(STILL_MAX * 2).await;
    outbox.tick();
    assert!(outbox.is_over());
    // A call that comes after the tick does not take the connection for sound again.
    assert!(matches!(outbox.ask(1, message(&room, 1)), Err(NotTaken::Ended(_))));
}
