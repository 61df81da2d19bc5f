//! Actors behind the host's own door and channel: a worker on its stream, in this process.
//!
//! The worker is played message by message, as any SDK would; it keeps its own memory,
//! reaches its state and other actors over gRPC, and runs on when a turn is cut. It is
//! not asked to make an actor: it says hello to one that it does not know.

use std::collections::{BTreeMap, HashMap};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::FutureExt;
use odeon_base::{AppId, Namespace, TaskKind, Tasks};
use odeon_host::api::{Api, Health, Identity, Parts};
use odeon_host::channel::{AppChannel, Hub};
use odeon_host::grpc::Door;
use odeon_proto::dapr::runtime::v1 as proto;
use odeon_runtime::error::Error;
use odeon_runtime::turn::Caller;
use odeon_runtime::{ActorRef, Engine, Reply, TypeConfig};
use odeon_test_wire::InProcess;
use prost::Message;
use proto::dapr_client::DaprClient;
use proto::subscribe_actor_events_request_alpha1::RequestType;
use proto::subscribe_actor_events_response_alpha1::ResponseType;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use crate::app::{Memory, Place, Probe, perform};
use crate::wire::Wire;

/// Messages on the stream; more than any test has under way.
const QUEUE: usize = 1_024;
/// gRPC's Unknown and Internal: the method's own no, and a panic.
const FAILED: u32 = 2;
const PANICKED: u32 = 13;

type Question = proto::SubscribeActorEventsResponseInvokeRequestAlpha1;

/// A worker that hosts one type.
#[derive(Debug)]
struct Worker {
    engine: Engine,
    client: DaprClient<InProcess>,
    answers: mpsc::Sender<proto::SubscribeActorEventsRequestAlpha1>,
    probe: Arc<Probe>,
    memories: Mutex<BTreeMap<String, Arc<Memory>>>,
}

/// Opens a worker's stream to a host; returns once calls of the type are routed to it.
/// `config` is what the host gives a type whose worker sets nothing.
pub(crate) async fn start(
    engine: &Engine,
    actor_type: &str,
    config: TypeConfig,
    probe: &Arc<Probe>,
    tasks: &Tasks,
) {
    let identity = Identity::new(AppId::parse("app").expect("an app id"), Namespace::default());
    let hub = Hub::new(
        engine.clone(),
        tasks.clone(),
        Health::default(),
        config,
        AppChannel::NotHttp,
        QUEUE,
    );
    let door = Door::new(Api::new(Parts::new(engine.clone(), identity)), hub);
    let client = DaprClient::new(InProcess(door.expect("descriptors")));
    let (answers, sent) = mpsc::channel(QUEUE);
    let worker = Arc::new(Worker {
        engine: engine.clone(),
        client: client.clone(),
        answers,
        probe: Arc::clone(probe),
        memories: Mutex::default(),
    });
    let initial = proto::SubscribeActorEventsRequestInitialAlpha1 {
        entities: vec![actor_type.to_owned()],
        ..Default::default()
    };
    worker.say(RequestType::InitialRequest(initial)).await;
    let opened = client.clone().subscribe_actor_events_alpha1(ReceiverStream::new(sent)).await;
    let mut questions = opened.expect("a stream").into_inner();
    let first = questions.message().await.expect("a stream that stands").expect("a first message");
    assert!(matches!(first.response_type, Some(ResponseType::InitialResponse(_))), "{first:?}");
    let turns = tasks.clone();
    tasks.spawn(TaskKind::Process, async move { worker.listen(questions, &turns).await });
}

impl Worker {
    async fn say(&self, what: RequestType) {
        let message = proto::SubscribeActorEventsRequestAlpha1 { request_type: Some(what) };
        // A stream that is over needs no answers.
        let _ = self.answers.send(message).await;
    }

    async fn listen(
        self: Arc<Self>,
        mut questions: Streaming<proto::SubscribeActorEventsResponseAlpha1>,
        tasks: &Tasks,
    ) {
        while let Ok(Some(message)) = questions.message().await {
            match message.response_type {
                Some(ResponseType::InvokeRequest(question)) => {
                    let worker = Arc::clone(&self);
                    tasks.spawn(TaskKind::Process, async move { worker.turn(question).await });
                }
                Some(ResponseType::TimerRequest(fired)) => {
                    let proto::SubscribeActorEventsResponseTimerRequestAlpha1 {
                        id,
                        actor_type,
                        actor_id,
                        name: method,
                        data,
                        ..
                    } = fired;
                    let (data, metadata) = (held(data), HashMap::new());
                    let question = Question { id, actor_type, actor_id, method, data, metadata };
                    let worker = Arc::clone(&self);
                    tasks.spawn(TaskKind::Process, async move { worker.tick(question).await });
                }
                Some(ResponseType::DeactivateRequest(question)) => {
                    self.forget(&question.actor_type, &question.actor_id);
                    let id = question.id;
                    let done = proto::SubscribeActorEventsRequestDeactivateResponseAlpha1 { id };
                    self.say(RequestType::DeactivateResponse(done)).await;
                }
                other => unreachable!("not asked of a worker here: {other:?}"),
            }
        }
    }

    fn memory(&self, actor: &ActorRef) -> Arc<Memory> {
        let mut memories = self.memories.lock().unwrap_or_else(PoisonError::into_inner);
        let memory = memories.entry(name(actor)).or_insert_with(|| {
            self.probe.note(format!("{} hello", actor.id));
            Arc::default()
        });
        Arc::clone(memory)
    }

    fn forget(&self, actor_type: &str, id: &str) {
        self.probe.note(format!("{id} bye"));
        let mut memories = self.memories.lock().unwrap_or_else(PoisonError::into_inner);
        memories.remove(&format!("{actor_type}/{id}"));
    }

    async fn tick(&self, question: Question) {
        let id = question.id.clone();
        let answer = match self.run(question).await {
            Ok(reply) => {
                let cancel = reply.is_last;
                RequestType::TimerResponse(
                    proto::SubscribeActorEventsRequestReminderResponseAlpha1 { id, cancel },
                )
            }
            Err((code, message)) => failed(id, code, message),
        };
        self.say(answer).await;
    }

    async fn turn(&self, question: Question) {
        let id = question.id.clone();
        let answer = match self.run(question).await {
            Ok(reply) => answered(id, reply),
            Err((code, message)) => failed(id, code, message),
        };
        self.say(answer).await;
    }

    async fn run(&self, question: Question) -> Result<Reply, (u32, String)> {
        let Question { id: _, actor_type, actor_id, method, data, metadata } = question;
        let actor = ActorRef::parse(&actor_type, &actor_id).expect("a good name");
        let memory = self.memory(&actor);
        let wire = Wire { client: self.client.clone(), metadata };
        let place = Place {
            engine: self.engine.clone(),
            actor,
            caller: Caller::default(),
            turn: None,
            wire: Some(&wire),
        };
        let turn = perform(&self.probe, place, &memory, &method, &data);
        match AssertUnwindSafe(turn).catch_unwind().await {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(Error::App(failure))) => Err((FAILED, failure.message)),
            Ok(Err(error)) => Err((FAILED, error.to_string())),
            Err(_) => Err((PANICKED, "the turn panicked".to_owned())),
        }
    }
}

/// The bytes in the message that stands for data on a stream: one field, number 1.
fn held(data: Option<prost_types::Any>) -> Bytes {
    let bytes = data.map(|data| Vec::<u8>::decode(data.value.as_slice()).expect("a BytesValue"));
    bytes.unwrap_or_default().into()
}

fn name(actor: &ActorRef) -> String {
    format!("{}/{}", actor.actor_type, actor.id)
}

fn answered(id: String, reply: Reply) -> RequestType {
    RequestType::InvokeResponse(proto::SubscribeActorEventsRequestInvokeResponseAlpha1 {
        id,
        data: reply.body,
        ..Default::default()
    })
}

fn failed(id: String, code: u32, message: String) -> RequestType {
    RequestType::RequestFailed(proto::SubscribeActorEventsRequestFailedAlpha1 { id, code, message })
}
