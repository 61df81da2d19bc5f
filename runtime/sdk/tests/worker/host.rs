//! A host by script: the few RPCs that a worker uses, on a free loopback port.
//!
//! A test holds the host's end of each stream that a worker opens and says what the
//! host says. State is a map; its next commits can be made to fail.

#![expect(clippy::unwrap_used, reason = "a test's own host: what breaks here fails the test")]

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use futures::future::BoxFuture;
use odeon_base::{TaskKind, Tasks};
use odeon_proto::dapr::runtime::v1 as proto;
use proto::subscribe_actor_events_request_alpha1::RequestType;
use proto::subscribe_actor_events_response_alpha1::ResponseType;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::server::{Grpc, NamedService, StreamingService, UnaryService};
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

/// No test waits longer for anything.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the host keeps, and what it is to do.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(crate) state: HashMap<String, Bytes>,
    /// Answers to the next commits; then all succeed.
    pub(crate) commits: VecDeque<Status>,
    /// Answers to the next streams; then all are opened.
    pub(crate) refusals: VecDeque<Status>,
    /// Calls of actors that arrived.
    pub(crate) calls: Vec<proto::InvokeActorRequest>,
    /// Headers of the last request.
    pub(crate) token: Option<String>,
    pub(crate) activation: Option<String>,
}

/// The host's end of a stream.
pub(crate) struct Line {
    to: mpsc::Sender<Result<proto::SubscribeActorEventsResponseAlpha1, Status>>,
    from: Streaming<proto::SubscribeActorEventsRequestAlpha1>,
    asked: u32,
}

/// The host.
pub(crate) struct Host {
    pub(crate) address: String,
    pub(crate) memory: Arc<Mutex<Memory>>,
    lines: mpsc::Receiver<Line>,
    tasks: Tasks,
}

impl Drop for Host {
    fn drop(&mut self) {
        self.tasks.stopping().cancel();
    }
}

impl Host {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Self::start_with(address, TcpListenerStream::new(listener))
    }

    /// A host of this address, which serves these connections.
    pub(crate) fn start_with(
        address: SocketAddr,
        incoming: impl Stream<Item = io::Result<TcpStream>> + Send + 'static,
    ) -> Self {
        let address = format!("http://{address}");
        let memory = Arc::<Mutex<Memory>>::default();
        let (opened, lines) = mpsc::channel(8);
        let tasks = Tasks::new("scripted host");
        let stop = tasks.stopping().clone();
        let script = Script { memory: Arc::clone(&memory), opened };
        tasks.spawn(TaskKind::Listener, async move {
            let server = tonic::transport::Server::builder().add_service(script);
            tokio::select! {
                served = server.serve_with_incoming(incoming) => served.unwrap(),
                () = stop.cancelled() => {}
            }
        });
        Self { address, memory, lines, tasks }
    }

    /// The next stream, with the worker's introduction; not yet answered.
    pub(crate) async fn line(&mut self) -> (Line, proto::SubscribeActorEventsRequestInitialAlpha1) {
        let mut line = in_time(self.lines.recv()).await.unwrap();
        match line.hear().await {
            Some(RequestType::InitialRequest(initial)) => (line, initial),
            other => panic!("no introduction: {other:?}"),
        }
    }

    /// The next stream, welcomed.
    pub(crate) async fn welcome(&mut self) -> Line {
        let (line, _) = self.line().await;
        line.say(ResponseType::InitialResponse(
            proto::SubscribeActorEventsResponseInitialAlpha1 {},
        ))
        .await;
        line
    }
}

impl Line {
    pub(crate) async fn say(&self, response_type: ResponseType) {
        let message =
            proto::SubscribeActorEventsResponseAlpha1 { response_type: Some(response_type) };
        in_time(self.to.send(Ok(message))).await.unwrap();
    }

    /// What the worker says next; `None` when it has closed its side.
    pub(crate) async fn hear(&mut self) -> Option<RequestType> {
        let message = in_time(self.from.message()).await;
        message.ok().flatten().and_then(|message| message.request_type)
    }

    /// Asks for a turn of `Counter` and returns the question's id.
    pub(crate) async fn ask(&mut self, actor: &str, method: &str, body: &str) -> String {
        self.ask_with(actor, method, body, HashMap::new()).await
    }

    pub(crate) async fn ask_with(
        &mut self,
        actor: &str,
        method: &str,
        body: &str,
        metadata: HashMap<String, String>,
    ) -> String {
        self.asked += 1;
        let id = self.asked.to_string();
        self.say(ResponseType::InvokeRequest(
            proto::SubscribeActorEventsResponseInvokeRequestAlpha1 {
                id: id.clone(),
                actor_type: "Counter".to_owned(),
                actor_id: actor.to_owned(),
                method: method.to_owned(),
                data: Bytes::from(body.to_owned()),
                metadata,
            },
        ))
        .await;
        id
    }

    /// Asks for a turn and waits for its answer: the body, or code and words.
    pub(crate) async fn turn(
        &mut self,
        actor: &str,
        method: &str,
        body: &str,
    ) -> Result<String, (u32, String)> {
        let id = self.ask(actor, method, body).await;
        let (answered, answer) = self.answer().await;
        assert_eq!(answered, id);
        answer
    }

    /// The next answer to a turn, with the question's id.
    pub(crate) async fn answer(&mut self) -> (String, Result<String, (u32, String)>) {
        match self.hear().await {
            Some(RequestType::InvokeResponse(answer)) => {
                (answer.id, Ok(String::from_utf8(answer.data.to_vec()).unwrap()))
            }
            Some(RequestType::RequestFailed(failed)) => {
                (failed.id, Err((failed.code, failed.message)))
            }
            other => panic!("not an answer to a turn: {other:?}"),
        }
    }

    pub(crate) async fn deactivate(&mut self, actor: &str) {
        self.say(ResponseType::DeactivateRequest(
            proto::SubscribeActorEventsResponseDeactivateRequestAlpha1 {
                id: "d".to_owned(),
                actor_type: "Counter".to_owned(),
                actor_id: actor.to_owned(),
            },
        ))
        .await;
        match self.hear().await {
            Some(RequestType::DeactivateResponse(answer)) => assert_eq!(answer.id, "d"),
            other => panic!("not deactivated: {other:?}"),
        }
    }
}

pub(crate) async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it happens in time")
}

/// The RPCs.
#[derive(Clone)]
struct Script {
    memory: Arc<Mutex<Memory>>,
    opened: mpsc::Sender<Line>,
}

impl NamedService for Script {
    const NAME: &'static str = "dapr.proto.runtime.v1.Dapr";
}

impl Service<http::Request<Body>> for Script {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let script = self.clone();
        let header = |name: &str| {
            let value = request.headers().get(name)?;
            value.to_str().ok().map(ToOwned::to_owned)
        };
        let mut memory = script.memory.lock().unwrap();
        (memory.token, memory.activation) = (header("dapr-api-token"), header("odeon-activation"));
        drop(memory);
        Box::pin(async move {
            let method = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
            Ok(match method.as_str() {
                "SubscribeActorEventsAlpha1" => {
                    Grpc::new(ProstCodec::default()).streaming(Open(script), request).await
                }
                "GetActorState" => {
                    Grpc::new(ProstCodec::default()).unary(Get(script), request).await
                }
                "ExecuteActorStateTransaction" => {
                    Grpc::new(ProstCodec::default()).unary(Commit(script), request).await
                }
                "InvokeActor" => {
                    Grpc::new(ProstCodec::default()).unary(Invoke(script), request).await
                }
                other => Status::unimplemented(other).into_http(),
            })
        })
    }
}

struct Open(Script);

impl StreamingService<proto::SubscribeActorEventsRequestAlpha1> for Open {
    type Response = proto::SubscribeActorEventsResponseAlpha1;
    type ResponseStream = ReceiverStream<Result<Self::Response, Status>>;
    type Future = BoxFuture<'static, Result<Response<Self::ResponseStream>, Status>>;

    fn call(
        &mut self,
        request: Request<Streaming<proto::SubscribeActorEventsRequestAlpha1>>,
    ) -> Self::Future {
        let script = self.0.clone();
        Box::pin(async move {
            if let Some(refusal) = script.memory.lock().unwrap().refusals.pop_front() {
                return Err(refusal);
            }
            let (to, outgoing) = mpsc::channel(64);
            let line = Line { to, from: request.into_inner(), asked: 0 };
            script.opened.send(line).await.unwrap();
            Ok(Response::new(ReceiverStream::new(outgoing)))
        })
    }
}

fn key(actor_type: &str, actor_id: &str, key: &str) -> String {
    format!("{actor_type}||{actor_id}||{key}")
}

struct Get(Script);

impl UnaryService<proto::GetActorStateRequest> for Get {
    type Response = proto::GetActorStateResponse;
    type Future = BoxFuture<'static, Result<Response<Self::Response>, Status>>;

    fn call(&mut self, request: Request<proto::GetActorStateRequest>) -> Self::Future {
        let asked = request.into_inner();
        let key = key(&asked.actor_type, &asked.actor_id, &asked.key);
        let data = self.0.memory.lock().unwrap().state.get(&key).cloned().unwrap_or_default();
        let answer = proto::GetActorStateResponse { data, ..Default::default() };
        Box::pin(async move { Ok(Response::new(answer)) })
    }
}

struct Commit(Script);

impl UnaryService<proto::ExecuteActorStateTransactionRequest> for Commit {
    type Response = ();
    type Future = BoxFuture<'static, Result<Response<()>, Status>>;

    fn call(
        &mut self,
        request: Request<proto::ExecuteActorStateTransactionRequest>,
    ) -> Self::Future {
        let asked = request.into_inner();
        let mut memory = self.0.memory.lock().unwrap();
        let refusal = memory.commits.pop_front();
        if refusal.is_none() {
            for operation in asked.operations {
                let key = key(&asked.actor_type, &asked.actor_id, &operation.key);
                match operation.operation_type.as_str() {
                    "upsert" => {
                        let value = operation.value.unwrap_or_default().value;
                        memory.state.insert(key, value.into());
                    }
                    _ => drop(memory.state.remove(&key)),
                }
            }
        }
        Box::pin(async move { refusal.map_or_else(|| Ok(Response::new(())), Err) })
    }
}

struct Invoke(Script);

impl UnaryService<proto::InvokeActorRequest> for Invoke {
    type Response = proto::InvokeActorResponse;
    type Future = BoxFuture<'static, Result<Response<Self::Response>, Status>>;

    fn call(&mut self, request: Request<proto::InvokeActorRequest>) -> Self::Future {
        let asked = request.into_inner();
        let data = asked.data.clone();
        let answer = match asked.method.as_str() {
            "fail" => Err(Status::internal(
                "error invoke actor method: error from actor service: changed my mind",
            )),
            _ => Ok(Response::new(proto::InvokeActorResponse { data })),
        };
        self.0.memory.lock().unwrap().calls.push(asked);
        Box::pin(async move { answer })
    }
}
