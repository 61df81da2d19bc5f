//! `SubscribeActorEventsAlpha1`: one worker's stream from its first message to its end.
//!
//! A loop over what the worker sends. Answers go to the [`Link`]; the end, however
//! it comes, withdraws the worker's types first and then gives up what it was
//! asked. Source: grpc-api.md 4.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::Stream;
use odeon_base::{ActorType, TaskKind};
use odeon_proto::dapr::runtime::v1::subscribe_actor_events_request_alpha1::RequestType;
use odeon_proto::dapr::runtime::v1::subscribe_actor_events_response_alpha1::ResponseType;
use odeon_proto::dapr::runtime::v1::{
    SubscribeActorEventsRequestAlpha1, SubscribeActorEventsRequestInvokeResponseAlpha1,
    SubscribeActorEventsRequestReminderResponseAlpha1, SubscribeActorEventsResponseAlpha1,
    SubscribeActorEventsResponseInitialAlpha1,
};
use odeon_runtime::{Headers, Reply};
use tokio::sync::{mpsc, oneshot};
use tonic::{Status, Streaming};

use super::hub::{AppChannel, Hub};
use super::initial;
use super::link::{Answer, Kind, Link};
use super::refusals::Refusals;
use crate::api::Ended;
use crate::status;

/// What is sent to a worker: questions while there are any, at the end a status.
///
/// All that is ready comes out in one go, so that many waiting questions leave in
/// few writes.
#[derive(Debug)]
pub struct Outbound {
    questions: mpsc::Receiver<SubscribeActorEventsResponseAlpha1>,
    end: Option<oneshot::Receiver<Result<(), Ended>>>,
}

impl Stream for Outbound {
    type Item = Result<SubscribeActorEventsResponseAlpha1, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(end) = &mut self.end else { return Poll::Ready(None) };
        if let Poll::Ready(ended) = Pin::new(end).poll(cx) {
            self.end = None;
            return Poll::Ready(match ended {
                Ok(Ok(())) => None,
                Ok(Err(ended)) => Some(Err(status::of_stream(ended))),
                Err(_) => Some(Err(status::of_stream(Ended::Lost))),
            });
        }
        // Senders outlive the stream in askers' hands, so its end is not theirs.
        self.questions.poll_recv(cx).map(|question| question.map(Ok))
    }
}

/// Serves a stream that a worker opened, in a task of its own; what is sent to the
/// worker comes out of what this returns. `refusals` and `own` (settings of its
/// types beside those of its first message) are what it said when it opened it.
#[must_use]
pub fn accept(
    hub: &Hub,
    refusals: Refusals,
    own: String,
    inbound: Streaming<SubscribeActorEventsRequestAlpha1>,
) -> Outbound {
    let (link, outbound, end) = pair(hub.queue(), refusals);
    hub.tasks().spawn(TaskKind::Stream, run(hub.clone(), own, inbound, link, end));
    outbound
}

/// Both ends of a stream's sending side, and the way to end it.
fn pair(
    queue: usize,
    refusals: Refusals,
) -> (Arc<Link>, Outbound, oneshot::Sender<Result<(), Ended>>) {
    let (sender, questions) = mpsc::channel(queue);
    let (end, ended) = oneshot::channel();
    (Arc::new(Link::new(sender, refusals)), Outbound { questions, end: Some(ended) }, end)
}

/// Serves a worker until its stream ends.
async fn run(
    hub: Hub,
    own: String,
    mut inbound: Streaming<SubscribeActorEventsRequestAlpha1>,
    link: Arc<Link>,
    end: oneshot::Sender<Result<(), Ended>>,
) {
    let mut entered = None;
    let stop = hub.tasks().stopping().clone();
    let ended = tokio::select! {
        biased;
        ended = serve(&hub, &own, &mut inbound, &link, &mut entered) => ended,
        () = stop.cancelled() => Err(Ended::Draining),
    };
    if let Some(types) = entered {
        hub.leave(&link, &types).await;
    }
    link.close();
    // Whoever reads the stream may be gone already.
    let _ = end.send(ended);
}

/// `entered` is set as soon as there is something for [`Hub::leave`] to undo.
async fn serve(
    hub: &Hub,
    own: &str,
    inbound: &mut Streaming<SubscribeActorEventsRequestAlpha1>,
    link: &Arc<Link>,
    entered: &mut Option<Vec<ActorType>>,
) -> Result<(), Ended> {
    if hub.app_channel() == AppChannel::Http {
        return Err(Ended::HostsOverHttp);
    }
    let Some(first) = next(inbound).await? else { return Ok(()) };
    let Some(RequestType::InitialRequest(initial)) = first.request_type else {
        return Err(Ended::NotInitial);
    };
    let types = initial::types(&initial, own, hub.defaults())
        .map_err(|error| Ended::Settings(error.to_string()))?;
    *entered = Some(types.iter().map(|(actor_type, _)| actor_type.clone()).collect());
    tokio::select! {
        // Polled first, and so begun, whatever else is ready.
        biased;
        offered = hub.enter(link, types) => {
            offered.map_err(|error| Ended::NotOffered(error.to_string()))?;
        }
        early = next(inbound) => {
            return match early? {
                None => Ok(()),
                Some(_) => Err(Ended::TooEarly),
            };
        }
    }
    let initial = ResponseType::InitialResponse(SubscribeActorEventsResponseInitialAlpha1 {});
    if !link.open(SubscribeActorEventsResponseAlpha1 { response_type: Some(initial) }).await {
        return Ok(());
    }
    while let Some(message) = next(inbound).await? {
        receive(link, message)?;
    }
    Ok(())
}

/// The worker's next message.
async fn next(
    inbound: &mut Streaming<SubscribeActorEventsRequestAlpha1>,
) -> Result<Option<SubscribeActorEventsRequestAlpha1>, Ended> {
    inbound.message().await.map_err(Ended::Transport)
}

fn receive(link: &Link, message: SubscribeActorEventsRequestAlpha1) -> Result<(), Ended> {
    match message.request_type {
        Some(RequestType::InvokeResponse(response)) => {
            let (id, reply) = reply(response);
            link.answer(&id, Some(Kind::Invoke), Answer::Reply(reply));
        }
        Some(RequestType::ReminderResponse(response)) => {
            link.answer(&response.id, Some(Kind::Reminder), fired(&response));
        }
        Some(RequestType::TimerResponse(response)) => {
            link.answer(&response.id, Some(Kind::Timer), fired(&response));
        }
        Some(RequestType::DeactivateResponse(response)) => {
            link.answer(&response.id, Some(Kind::Deactivate), Answer::Done);
        }
        Some(RequestType::RequestFailed(failed)) => {
            let answer = Answer::Failed { code: failed.code, message: failed.message };
            link.answer(&failed.id, None, answer);
        }
        Some(RequestType::InitialRequest(_)) => {
            return Err(Ended::InitialAgain);
        }
        // A newer worker may answer in ways that this host does not know.
        None => tracing::debug!("a message of an unknown kind was dropped"),
    }
    Ok(())
}

/// What a worker says of a timer or reminder that fired.
fn fired(response: &SubscribeActorEventsRequestReminderResponseAlpha1) -> Answer {
    Answer::Reply(Reply { is_last: response.cancel, ..Reply::default() })
}

fn reply(response: SubscribeActorEventsRequestInvokeResponseAlpha1) -> (String, Reply) {
    let mut headers = Headers::new();
    for (name, value) in response.metadata {
        headers.push(name, value);
    }
    let (body, is_app_error) = (response.data, response.error);
    let reply = Reply { body, headers, is_app_error, ..Reply::default() };
    (response.id, reply)
}
