//! How do calls between hosts go best: a unary call each, or all on streams that stay open?
//!
//! Over loopback, from this process to another one, one connection each: unary calls of tonic
//! with the messages of `peer.proto`, answered at once; the same messages on one stream,
//! answered at once; and what hosts do, `odeon_host::peer` with an engine and an actor behind
//! it, which does more than either. 256-byte bodies; 32 callers and one.
//! `cargo bench -p odeon-bench --bench peers`.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark")]

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{BoxStream, StreamExt as _};
use odeon_base::clock::SystemClock;
use odeon_base::{AppId, Entropy, Epoch, HostName, Incarnation, TaskKind, Tasks};
use odeon_bench::web::{self, Echo, Server};
use odeon_bench::{Caller, human, load, rounds};
use odeon_blocks::state::memory::MemoryStore;
use odeon_host::peer;
use odeon_proto::odeon::host::v1 as proto;
use odeon_ring::Member;
use odeon_runtime::peers::Peers as _;
use odeon_runtime::{ActorRef, Invocation};
use odeon_test_support::{ports, until};
use proto::peer_client::PeerClient;
use proto::peer_reply::Answer;
use proto::peer_request::Request as Asked;
use proto::peer_server::{Peer, PeerServer};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::codegen::{Service, http};
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_millis(1_000);
const UNARY: &str = "/odeon.bench.Unary/Call";
/// The windows that hosts have.
const WINDOWS: [u32; 2] = [4 << 20, 8 << 20];

fn question(id: u64) -> proto::PeerRequest {
    let call = proto::Call {
        call_id: id,
        namespace: "default".to_owned(),
        actor_type: "Echo".to_owned(),
        actor_id: web::id(actor(id)),
        method: "echo".to_owned(),
        body: web::body(),
        epoch: Some(odeon_proto::odeon::placement::v1::Epoch { term: 1, n: 1 }),
        ..proto::Call::default()
    };
    proto::PeerRequest { protocol: 0, request: Some(Asked::Call(call)) }
}

fn actor(id: u64) -> usize {
    usize::try_from(id * 7).unwrap() % web::ACTORS
}

/// The body back.
fn answer(asked: proto::PeerRequest) -> proto::PeerReply {
    let Some(Asked::Call(proto::Call { call_id, body, .. })) = asked.request else {
        return proto::PeerReply::default();
    };
    let reply = proto::Reply { call_id, body, ..proto::Reply::default() };
    proto::PeerReply { protocol: 0, answer: Some(Answer::Reply(reply)) }
}

/// Answers unary calls at once.
#[derive(Debug, Clone)]
struct Unary;

impl tonic::server::NamedService for Unary {
    const NAME: &'static str = "odeon.bench.Unary";
}

impl tonic::server::UnaryService<proto::PeerRequest> for Unary {
    type Response = proto::PeerReply;
    type Future = futures::future::Ready<Result<Response<proto::PeerReply>, Status>>;

    fn call(&mut self, request: Request<proto::PeerRequest>) -> Self::Future {
        futures::future::ready(Ok(Response::new(answer(request.into_inner()))))
    }
}

impl Service<http::Request<tonic::body::Body>> for Unary {
    type Response = http::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<tonic::body::Body>) -> Self::Future {
        Box::pin(async move {
            let codec = ProstCodec::<proto::PeerReply, proto::PeerRequest>::default();
            Ok(tonic::server::Grpc::new(codec).unary(Self, request).await)
        })
    }
}

/// Answers what comes on a stream at once.
#[derive(Debug)]
struct Bare;

#[tonic::async_trait]
impl Peer for Bare {
    type ExchangeStream = BoxStream<'static, Result<proto::PeerReply, Status>>;

    async fn exchange(
        &self,
        request: Request<Streaming<proto::PeerRequest>>,
    ) -> Result<Response<Self::ExchangeStream>, Status> {
        let answers = request.into_inner().map(|asked| asked.map(answer));
        Ok(Response::new(answers.boxed()))
    }
}

/// Serves both bare ways on the first port, and a host's on the second.
async fn serve(bare: u16, host: u16) {
    let tasks = Tasks::new("bench");
    let engine = odeon_bench::engine().await;
    // Without a store there are no actors; this one keeps nothing in it.
    engine
        .use_store(Arc::new(MemoryStore::new(Arc::new(SystemClock), Arc::new(Entropy::seeded(1)))));
    engine.offer(odeon_sdk::actors![Echo]).await.unwrap();
    // An own call waits for the type's first table; another host's would be told that it moved.
    let first = ActorRef::parse("Echo", "first").unwrap();
    engine.call(Invocation::new(first, "echo", web::body())).await.unwrap();
    let server = peer::Server::new(config(), engine, tasks.clone());
    let listener = TcpListener::bind(("127.0.0.1", host)).await.unwrap();
    tasks.spawn(TaskKind::Listener, server.serve(listener));
    let listener = TcpListener::bind(("127.0.0.1", bare)).await.unwrap();
    let incoming = tonic::transport::server::TcpIncoming::from(listener).with_nodelay(Some(true));
    tonic::transport::Server::builder()
        .initial_stream_window_size(WINDOWS[0])
        .initial_connection_window_size(WINDOWS[1])
        .add_service(Unary)
        .add_service(PeerServer::new(Bare))
        .serve_with_incoming(incoming)
        .await
        .unwrap();
}

fn config() -> peer::Config {
    // The name that the engine of the benchmarks has.
    peer::Config::new(HostName::parse("127.0.0.1:1").unwrap(), AppId::parse("bench").unwrap())
}

async fn channel(port: u16) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://127.0.0.1:{port}"))
        .unwrap()
        .tcp_nodelay(true)
        .initial_stream_window_size(WINDOWS[0])
        .initial_connection_window_size(WINDOWS[1]);
    until("a server", || async { endpoint.connect().await.ok() }).await
}

/// One call under a number, and its answer.
type Way = Arc<dyn Fn(u64) -> BoxFuture<'static, ()> + Send + Sync>;

async fn unary(port: u16) -> Way {
    let channel = channel(port).await;
    Arc::new(move |id| {
        let channel = channel.clone();
        Box::pin(async move {
            let mut grpc = tonic::client::Grpc::new(channel);
            grpc.ready().await.unwrap();
            let codec = ProstCodec::<proto::PeerRequest, proto::PeerReply>::default();
            let path = http::uri::PathAndQuery::from_static(UNARY);
            let answered = grpc.unary(Request::new(question(id)), path, codec).await.unwrap();
            assert!(answered.into_inner().answer.is_some());
        })
    })
}

async fn stream(port: u16, tasks: &Tasks) -> Way {
    let (asks, queue) = mpsc::channel(1_024);
    let mut client = PeerClient::new(channel(port).await);
    // The server's headers come with its first answer.
    asks.send(question(0)).await.unwrap();
    let mut answers = client.exchange(ReceiverStream::new(queue)).await.unwrap().into_inner();
    let waiting: Arc<Mutex<HashMap<u64, oneshot::Sender<proto::Reply>>>> = Arc::default();
    let askers = Arc::clone(&waiting);
    tasks.spawn(TaskKind::Stream, async move {
        while let Ok(Some(answered)) = answers.message().await {
            let Some(Answer::Reply(reply)) = answered.answer else { continue };
            let asker = askers.lock().unwrap().remove(&reply.call_id);
            asker.map(|asker| asker.send(reply));
        }
    });
    Arc::new(move |id| {
        let (asks, waiting) = (asks.clone(), Arc::clone(&waiting));
        Box::pin(async move {
            let (tell, told) = oneshot::channel();
            waiting.lock().unwrap().insert(id, tell);
            asks.send(question(id)).await.unwrap();
            assert!(!told.await.unwrap().body.is_empty());
        })
    })
}

fn ours(port: u16, tasks: &Tasks) -> Way {
    let client = Arc::new(peer::Client::new(config(), Entropy::seeded(1), tasks.clone()));
    let to = Arc::new(Member {
        incarnation: Incarnation(1),
        host: config().host,
        address: format!("127.0.0.1:{port}").into(),
    });
    Arc::new(move |id| {
        let (client, to) = (Arc::clone(&client), Arc::clone(&to));
        Box::pin(async move {
            let actor = ActorRef::parse("Echo", &web::id(actor(id))).unwrap();
            let mut call = Invocation::new(actor, "echo", web::body());
            call.routed_by = Some(Epoch::default());
            let reply = client.call(&to, id, &call).await.unwrap();
            assert!(!reply.body.is_empty());
        })
    })
}

/// Calls in one way, under numbers that no other caller uses.
struct Numbered {
    way: Way,
    id: u64,
    step: u64,
}

impl Caller for Numbered {
    async fn call(&mut self) {
        (self.way)(self.id).await;
        self.id += self.step;
    }
}

async fn compare() {
    let tasks = Tasks::new("load");
    let (bare, host) = (ports::free(), ports::free());
    let _server: Server = web::role(&["--serve", &bare.to_string(), &host.to_string()]);
    let sides = [
        ("unary calls, answered at once", unary(bare).await),
        ("a stream, answered at once", stream(bare, &tasks).await),
        ("hosts: streams, engine, actor", ours(host, &tasks)),
    ];
    let mut id = 1;
    for callers in [32, 1] {
        let run = async |side: usize| {
            let way = |caller| Numbered {
                way: Arc::clone(&sides[side].1),
                id: id + caller,
                step: callers,
            };
            let round = load((0..callers).map(way).collect(), ROUND, &tasks).await;
            id += callers * (round.calls + 1);
            round
        };
        let told = rounds(sides.len(), ROUNDS, run).await;
        println!("{callers} callers");
        for ((name, _), side) in sides.iter().zip(&told) {
            let ratio = side.rate / told[0].rate;
            let (rate, p50) = (human(side.rate), side.p50);
            println!("  {name:30} {rate:>8}/s  p50 {p50:>5.0} us  {ratio:.2} of unary");
        }
    }
}

/// Both servers, if the words name that role.
async fn play(words: Vec<String>) {
    if let [role, bare, host] = &words[..]
        && role == "--serve"
    {
        serve(bare.parse().unwrap(), host.parse().unwrap()).await;
    }
}

fn main() -> Result<(), String> {
    web::bench(|words| Box::pin(play(words)), &[("ways", || Box::pin(compare()))])
}
