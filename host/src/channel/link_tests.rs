//! Questions, answers, late ones and the end of a link, without a stream.

use std::time::Duration;

use futures::FutureExt;
use odeon_proto::dapr::runtime::v1::SubscribeActorEventsResponseDeactivateRequestAlpha1;
use tokio::time::timeout;

use super::*;

type Sent = mpsc::Receiver<SubscribeActorEventsResponseAlpha1>;

fn actor(id: &str) -> ActorRef {
    ActorRef::parse("T", id).unwrap()
}

fn question(id: String) -> ResponseType {
    ResponseType::DeactivateRequest(SubscribeActorEventsResponseDeactivateRequestAlpha1 {
        id,
        ..Default::default()
    })
}

async fn open() -> (Link, Sent) {
    let (queue, mut sent) = mpsc::channel(8);
    let link = Link::new(queue, Refusals::default());
    let initial = SubscribeActorEventsResponseAlpha1 { response_type: None };
    assert!(link.open(initial).await);
    assert!(sent.recv().await.is_some(), "the initial response goes out first");
    (link, sent)
}

fn id(message: SubscribeActorEventsResponseAlpha1) -> String {
    match message.response_type {
        Some(ResponseType::DeactivateRequest(request)) => request.id,
        other => panic!("{other:?}"),
    }
}

fn reply(body: &'static str) -> Answer {
    Answer::Reply(Reply { body: body.into(), ..Reply::default() })
}

#[tokio::test]
async fn answers_find_their_questions_in_any_order() {
    let (link, mut sent) = open().await;
    let (a, b) = (actor("a"), actor("b"));
    let asking = async {
        tokio::join!(
            link.ask(Kind::Invoke, &a, question),
            link.ask(Kind::Invoke, &b, question),
            async {
                let first = id(sent.recv().await.unwrap());
                let second = id(sent.recv().await.unwrap());
                assert_eq!((first.as_str(), second.as_str()), ("1", "2"), "ids count from 1");
                link.answer("77", Some(Kind::Invoke), reply("stray"));
                link.answer("x", Some(Kind::Invoke), reply("stray"));
                link.answer(&second, Some(Kind::Invoke), reply("second"));
                link.answer(&first, Some(Kind::Invoke), reply("first"));
                link.answer(&first, Some(Kind::Invoke), reply("again"));
            }
        )
    };
    let (first, second, ()) = asking.await;
    assert_eq!(first.unwrap(), reply("first"));
    assert_eq!(second.unwrap(), reply("second"));
}

#[tokio::test]
async fn an_answer_of_another_kind_is_a_failure() {
    let (link, mut sent) = open().await;
    let a = actor("a");
    let asking = link.ask(Kind::Timer, &a, question);
    let answering = async {
        let id = id(sent.recv().await.unwrap());
        link.answer(&id, Some(Kind::Reminder), Answer::Done);
    };
    let (answer, ()) = tokio::join!(asking, answering);
    let Ok(Answer::Failed { message, .. }) = answer else { panic!("{answer:?}") };
    assert_eq!(message, "the worker answered timer request 1 as if it were a reminder request");
}

#[tokio::test(start_paused = true)]
async fn an_actor_is_settled_once_its_late_question_is_answered() {
    let (link, mut sent) = open().await;
    let (a, b) = (actor("a"), actor("b"));
    let cut = timeout(Duration::from_secs(1), link.ask(Kind::Invoke, &a, question)).await;
    assert!(cut.is_err());
    let id = id(sent.recv().await.unwrap());
    assert!(link.settled(&b).now_or_never().is_some(), "another actor is not concerned");
    assert!(link.settled(&a).now_or_never().is_none());
    let (settled, ()) = tokio::join!(timeout(Duration::from_secs(1), link.settled(&a)), async {
        link.answer(&id, Some(Kind::Invoke), reply("late"));
    });
    settled.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_question_that_never_went_out_leaves_nothing_behind() {
    let (queue, mut sent) = mpsc::channel(1);
    let link = Link::new(queue, Refusals::default());
    let a = actor("a");
    let early = timeout(Duration::from_secs(1), link.ask(Kind::Invoke, &a, question)).await;
    assert!(early.is_err(), "nothing goes out before the link is open");
    let initial = SubscribeActorEventsResponseAlpha1 { response_type: None };
    assert!(link.open(initial).await);
    let full = timeout(Duration::from_secs(1), link.ask(Kind::Invoke, &a, question)).await;
    assert!(full.is_err(), "the queue has room for one message, the initial response");
    assert!(link.settled(&a).now_or_never().is_some());
    assert!(link.flights().open.is_empty());
    assert_eq!(sent.recv().await.unwrap().response_type, None);
}

#[tokio::test]
async fn the_end_of_a_link_tells_everybody_who_waits() {
    let (link, mut sent) = open().await;
    let a = actor("a");
    let asking = link.ask(Kind::Invoke, &a, question);
    let (answer, ()) = tokio::join!(asking, async {
        sent.recv().await.unwrap();
        link.close();
    });
    let error = answer.unwrap_err();
    assert_eq!(error.to_string(), "actor host disconnected before responding");
    assert_eq!(error.execution(), Execution::Maybe, "it went out");
    let error = link.ask(Kind::Invoke, &a, question).await.unwrap_err();
    assert_eq!(error.execution(), Execution::None, "it did not");
    assert!(link.settled(&a).now_or_never().is_some());
}

#[tokio::test]
async fn a_link_that_closes_before_it_opened_lets_its_askers_go() {
    let (queue, _sent) = mpsc::channel(1);
    let link = Link::new(queue, Refusals::default());
    let a = actor("a");
    let (answer, ()) = tokio::join!(link.ask(Kind::Invoke, &a, question), async { link.close() });
    assert_eq!(answer.unwrap_err().execution(), Execution::None);
}
