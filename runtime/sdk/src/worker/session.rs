//! One stream with the host, from the introduction to its end.
//!
//! Reads the host's questions and hands each to its type, which answers by itself.
//! Opening the next stream is not decided here but in `mod.rs`.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use odeon_base::{Execution, Tasks, WallClock};
use odeon_proto::dapr::runtime::v1 as proto;
use odeon_runtime::Headers;
use prost::Message as _;
use proto::subscribe_actor_events_response_alpha1::ResponseType;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;

use super::answer::{self, Asked};
use super::desk::Desk;
use super::hosted::{Hosted, Offered, Question};
use crate::error::Cause;
use crate::native;
use crate::remote::{self, Remote, Turns};

/// Answers on their way to the host; at the limit turns wait with theirs.
const ANSWERS_MAX: usize = 1_024;
/// How long the host may take to close its side after ours is closed.
const CLOSE_MAX: Duration = Duration::from_secs(5);

/// What every stream of a worker is opened with.
pub(crate) struct Setup {
    /// The host; each stream has connections of its own.
    pub(crate) host: Remote,
    pub(crate) types: Vec<Offered>,
    pub(crate) wall: Arc<dyn WallClock>,
    pub(crate) tasks: Tasks,
    pub(crate) running_max: usize,
    pub(crate) grace: Duration,
}

/// How a stream ended.
#[derive(Debug)]
pub(crate) enum End {
    /// The worker was told to stop, and has.
    Stopped,
    /// It was never open.
    Refused(Cause),
    /// It was open and was lost.
    Lost(Option<Cause>),
}

/// Serves one stream until it is lost or `stop` comes.
pub(crate) async fn serve<F: Future>(setup: &Setup, mut stop: Pin<&mut F>) -> End {
    let (answers, outgoing) = mpsc::channel(ANSWERS_MAX);
    let introduction =
        answer::introduction(setup.types.iter().map(|offered| (offered.name, &offered.settings)));
    let own = answer::own(setup.types.iter().map(|offered| (offered.name, &offered.settings)));
    // The queue is empty, so this never waits.
    let _ = answers.send(introduction).await;
    // One connection for the stream, another for state and calls; both end with it. A turn of
    // an earlier stream was perhaps cut while it connected to a host that was dying, and how
    // that ended is told to whoever uses that connection next.
    let (host, calls) = (setup.host.anew(), setup.host.anew());
    let opened = async {
        let mut turns = host
            .turns(answer::REFUSAL_CODES, own.as_deref(), ReceiverStream::new(outgoing))
            .await?;
        welcome(&mut turns).await?;
        Ok(turns)
    };
    let turns = tokio::select! {
        biased;
        _ = stop.as_mut() => return End::Stopped,
        opened = opened => match opened {
            Ok(turns) => turns,
            Err(cause) => return End::Refused(cause),
        },
    };
    tracing::info!(types = ?setup.types.iter().map(|offered| offered.name).collect::<Vec<_>>(), "hosting actors");
    let tasks = setup.tasks.child("worker turns");
    let wall = Arc::clone(&setup.wall);
    let desk = Desk::new(calls, wall, answers, tasks.clone(), setup.running_max);
    let types = setup.types.iter().map(|offered| (offered.name, offered.open())).collect();
    let mut session = Session { desk: Arc::new(desk), types, turns, is_stopping: false };
    tokio::select! {
        biased;
        _ = stop => {}
        cause = session.read() => return session.lost(cause, &tasks, setup.grace).await,
    }
    session.stop(&tasks, setup.grace).await
}

/// The host's first word; before it, nothing is registered.
async fn welcome(turns: &mut Turns) -> Result<(), Cause> {
    match turns.message().await.map_err(|status| remote::cause(&status))? {
        Some(proto::SubscribeActorEventsResponseAlpha1 {
            response_type: Some(ResponseType::InitialResponse(_)),
        }) => Ok(()),
        Some(_) => {
            Err(never(Code::Internal, "the host asked before it had answered the introduction"))
        }
        None => Err(never(Code::Unavailable, "the host closed the stream at once")),
    }
}

/// Why a stream never came to be.
fn never(code: Code, words: &str) -> Cause {
    Cause::Host { code, message: words.to_owned(), execution: Execution::None }
}

struct Session {
    desk: Arc<Desk>,
    types: HashMap<&'static str, Arc<dyn Hosted>>,
    turns: Turns,
    /// Only calls that running turns wait for are let in.
    is_stopping: bool,
}

impl Session {
    /// Reads questions until the stream ends; with the reason, if there is one.
    ///
    /// # Cancel safety
    /// Can be dropped and called again: no question is lost.
    async fn read(&mut self) -> Option<Cause> {
        loop {
            match self.turns.message().await {
                Ok(Some(message)) => self.question(message.response_type),
                Ok(None) => return None,
                Err(status) => return Some(remote::cause(&status)),
            }
        }
    }

    fn question(&self, message: Option<ResponseType>) {
        match message {
            Some(ResponseType::InvokeRequest(asked)) => {
                let mut headers = Headers::new();
                asked.metadata.into_iter().for_each(|(name, value)| headers.push(name, value));
                let question = Question {
                    asked: Asked::Invoke,
                    id: asked.id,
                    actor_id: asked.actor_id,
                    method: asked.method,
                    body: asked.data,
                    headers,
                };
                self.turn(&asked.actor_type, question);
            }
            Some(ResponseType::ReminderRequest(asked)) => {
                let question = Question {
                    asked: Asked::Reminder,
                    id: asked.id,
                    actor_id: asked.actor_id,
                    method: asked.name,
                    body: data(asked.data),
                    headers: Headers::new(),
                };
                self.turn(&asked.actor_type, question);
            }
            Some(ResponseType::TimerRequest(asked)) => {
                let question = Question {
                    asked: Asked::Timer,
                    id: asked.id,
                    actor_id: asked.actor_id,
                    method: native::called_back(&asked.callback, &asked.name).to_owned(),
                    body: data(asked.data),
                    headers: Headers::new(),
                };
                self.turn(&asked.actor_type, question);
            }
            Some(ResponseType::DeactivateRequest(asked)) => {
                match self.types.get(asked.actor_type.as_str()) {
                    Some(hosted) => {
                        Arc::clone(hosted).deactivate(&self.desk, asked.id, asked.actor_id);
                    }
                    None => self.desk.say(answer::deactivated(asked.id)),
                }
            }
            // A second welcome, or something of a later version: there is nobody to answer.
            Some(ResponseType::InitialResponse(_)) | None => {}
        }
    }

    fn turn(&self, actor_type: &str, question: Question) {
        let is_late = self.is_stopping && !is_inner(&question.headers);
        let (code, words) = match (self.types.get(actor_type), self.desk.seat()) {
            _ if is_late => (Code::Unavailable, "the worker is stopping".to_owned()),
            (None, _) => {
                (Code::NotFound, format!("this worker does not host actor type '{actor_type}'"))
            }
            (Some(_), None) => {
                (Code::ResourceExhausted, "the worker runs as many turns as it may".to_owned())
            }
            (Some(hosted), Some(seat)) => {
                return Arc::clone(hosted).turn(&self.desk, seat, question);
            }
        };
        self.desk.say(answer::failed(question.id, code, words));
    }

    /// The host has ended the activations: turns are dropped where they wait, and
    /// instances without a goodbye.
    async fn lost(self, cause: Option<Cause>, tasks: &Tasks, grace: Duration) -> End {
        self.desk.cut();
        // Whoever computes without waiting cannot be dropped: the next stream begins after.
        if let Err(left) = tasks.stop(grace).await {
            tracing::error!("turns of a lost stream go on: {left}");
        }
        End::Lost(cause)
    }

    /// Lets running turns end, says goodbye to all instances, and closes.
    async fn stop(mut self, tasks: &Tasks, grace: Duration) -> End {
        self.is_stopping = true;
        let goodbyes = self.types.values().map(Arc::clone).collect::<Vec<_>>();
        let drain = async {
            let left = tasks.stop(grace).await;
            let ends = futures::future::join_all(goodbyes.into_iter().map(Hosted::end));
            let is_in_time = tokio::time::timeout(grace, ends).await.is_ok();
            (left, is_in_time)
        };
        let (left, is_in_time) = tokio::select! {
            biased;
            ended = drain => ended,
            _ = self.read() => {
                self.lost(None, tasks, grace).await;
                return End::Stopped;
            }
        };
        if let Err(left) = left {
            tracing::warn!("turns are cut when the worker stops: {left}");
            self.desk.cut();
            let _ = tasks.stop(grace).await;
        }
        if !is_in_time {
            tracing::warn!("goodbyes took longer than the time to stop");
        }
        let Self { desk, mut turns, .. } = self;
        // The last holder of the way for answers: the host sees the end of the stream.
        drop(desk);
        let closed = async { while let Ok(Some(_)) = turns.message().await {} };
        let _ = tokio::time::timeout(CLOSE_MAX, closed).await;
        End::Stopped
    }
}

/// Whether another actor's turn waits for this call: the chain names more than the
/// actor that is called.
fn is_inner(headers: &Headers) -> bool {
    remote::caller(headers, Instant::now()).chain.hops().len() > 1
}

/// What a reminder or timer was registered with: JSON, wrapped once more when it was
/// registered over gRPC.
fn data(data: Option<prost_types::Any>) -> Bytes {
    let Some(any) = data else { return Bytes::new() };
    if any.type_url.ends_with("google.protobuf.BytesValue")
        && let Ok(inner) = Bytes::decode(&*any.value)
    {
        return inner;
    }
    any.value.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_unwrapped_if_it_was_wrapped() {
        let json = Bytes::from_static(b"{\"n\":1}");
        let plain = prost_types::Any { type_url: String::new(), value: json.to_vec() };
        assert_eq!(data(Some(plain)), json);
        let wrapped = prost_types::Any {
            type_url: "type.googleapis.com/google.protobuf.BytesValue".into(),
            value: json.encode_to_vec(),
        };
        assert_eq!(data(Some(wrapped)), json);
        assert_eq!(data(None), "");
    }
}
