//! Service and client over a real socket: hosts join, reconnect and are refused.

#![expect(clippy::unwrap_used, reason = "a test that cannot begin has failed")]

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt, stream};
use odeon_base::clock::TokioClock;
use odeon_base::{ActorId, ActorType, AppId, HostName, Incarnation, Namespace, TaskKind, Tasks};
use odeon_placement::client::{self, Client};
use odeon_placement::token::TOKEN;
use odeon_placement::wire::{FromHost, Identity, PROTOCOL};
use odeon_placement::{Config, Embedded, Handle, Ledger, MemoryLedger, Role, Service, Token};
use odeon_proto::odeon::placement::v1 as proto;
use odeon_ring::{
    Chain, Join, Member, Policy, Rings, ToHost, ToPlacement, TypeKey, TypeOffer, TypeReport,
};
use proto::placement_client::PlacementClient;
use proto::placement_server::{Placement, PlacementServer};
use tokio::net::TcpListener;
use tokio::sync::mpsc::Receiver;
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Response, Status, Streaming};

/// No test takes nearly as long.
const DEADLINE: Duration = Duration::from_secs(20);

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let result = tokio::time::timeout(DEADLINE, future).await;
    result.unwrap_or_else(|_| panic!("waited too long: {what}"))
}

fn key() -> TypeKey {
    TypeKey { namespace: Namespace::default(), actor_type: ActorType::parse("T").unwrap() }
}

fn member() -> Member {
    Member {
        incarnation: Incarnation(7),
        host: HostName::parse("10.0.0.7:50001").unwrap(),
        address: "10.0.0.7:50001".into(),
    }
}

fn join() -> ToPlacement {
    let drain = Duration::from_secs(60);
    ToPlacement::Join(Join {
        member: member(),
        app: AppId::parse("app").unwrap(),
        namespace: Namespace::default(),
        types: vec![TypeOffer { actor_type: key().actor_type, policy: Policy::Ring, drain }],
        resources: Vec::new(),
        replaces: None,
    })
}

fn identity() -> Identity {
    Identity {
        host: member().host,
        address: member().address,
        app: AppId::parse("app").unwrap(),
        namespace: Namespace::default(),
        network: None,
    }
}

/// A placement that listens on a free port.
struct Server {
    tasks: Tasks,
    handle: Handle,
    address: String,
}

impl Server {
    async fn start(config: Config, ledger: &Arc<dyn Ledger>, token: Option<&str>) -> Self {
        let tasks = Tasks::new("server");
        let clock = Arc::new(TokioClock::start());
        let handle = Embedded::start(config, Arc::clone(ledger), clock, &tasks).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let token = token.map(|token| Token::parse(token).unwrap());
        let service = Service::new(handle.clone(), token, tasks.clone());
        tasks.spawn(TaskKind::Listener, async move { service.serve(listener).await.unwrap() });
        Self { tasks, handle, address }
    }

    /// One whose former hosts are gone, so that it leads at once.
    async fn alone(token: Option<&str>) -> Self {
        let config = Config { former_hosts_gone: true, ..Config::default() };
        Self::start(config, &memory(), token).await
    }

    async fn stop(self) {
        assert_eq!(self.tasks.stop(DEADLINE).await, Ok(()));
    }
}

fn memory() -> Arc<dyn Ledger> {
    Arc::new(MemoryLedger::default())
}

fn client(addresses: &[&str], token: Option<&str>, tasks: &Tasks) -> Client {
    let config = client::Config {
        addresses: addresses.iter().map(|&address| address.to_owned()).collect(),
        token: token.map(|token| Token::parse(token).unwrap()),
        identity: identity(),
        queue: 64,
    };
    Client::new(config, tasks.clone())
}

async fn next(from: &mut Receiver<ToHost>) -> ToHost {
    soon("a message from placement", from.recv()).await.expect("the stream goes on")
}

/// Waits for a table of the type that names the member.
async fn table(from: &mut Receiver<ToHost>, chain: &mut Chain) {
    while !chain.newest().has(member().incarnation) {
        for message in next(from).await.each() {
            if let ToHost::Prepare { epoch, update, hash, .. } = message {
                chain.prepare(epoch, &update, hash).unwrap();
            }
        }
    }
}

async fn raw(address: &str) -> PlacementClient<Channel> {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    PlacementClient::new(soon("a connection", endpoint.connect()).await.unwrap())
}

#[tokio::test]
async fn a_host_joins_and_goes_on_with_the_next_placement() {
    let ledger = memory();
    let config = Config { former_hosts_gone: true, ..Config::default() };
    let first = Server::start(config, &ledger, Some("s3cret")).await;
    // It waits for the hosts of the first one, and takes over what they report.
    let second = Server::start(Config::default(), &ledger, Some("s3cret")).await;
    let tasks = Tasks::new("host");
    let client = client(&[&first.address, &second.address], Some("s3cret"), &tasks);

    let (to, mut from) = soon("a stream", client.connect()).await.unwrap();
    to.send(join()).await.unwrap();
    let granted = next(&mut from).await;
    assert!(matches!(granted, ToHost::Lease { term: 1, seq: 0, incarnation: Incarnation(7), .. }));
    let mut chain = Chain::new(&Rings::default());
    table(&mut from, &mut chain).await;
    to.send(ToPlacement::Renew { incarnation: Incarnation(7), seq: 3 }).await.unwrap();
    while !matches!(next(&mut from).await, ToHost::Lease { seq: 3, .. }) {}

    // The stream ends with the server, for what the host says too.
    first.stop().await;
    while soon("the end", from.recv()).await.is_some() {}
    soon("the end of the other direction", to.closed()).await;

    let (to, mut from) = soon("another stream", client.connect()).await.unwrap();
    let tables = chain.tables().iter().map(|table| table.to_data()).collect();
    to.send(ToPlacement::Report {
        incarnation: Incarnation(7),
        lapsed: false,
        types: vec![TypeReport { key: key(), chain: tables, marks: chain.marks().clone() }],
    })
    .await
    .unwrap();
    to.send(join()).await.unwrap();
    to.send(ToPlacement::Renew { incarnation: Incarnation(7), seq: 4 }).await.unwrap();
    while !matches!(next(&mut from).await, ToHost::Lease { term: 2, .. }) {}
    let is_there = |snapshot: &odeon_placement::Snapshot| {
        snapshot.hosts.get(&Incarnation(7)).is_some_and(|host| host.is_connected)
    };
    soon("the host at the second one", second.handle.wait_for(is_there)).await.unwrap();

    // What is said last arrives, though both channels are dropped at once.
    to.send(ToPlacement::Farewell { incarnation: Incarnation(7) }).await.unwrap();
    drop((to, from));
    let is_gone = |snapshot: &odeon_placement::Snapshot| snapshot.hosts.is_empty();
    soon("the farewell", second.handle.wait_for(is_gone)).await.unwrap();
    assert_eq!(tasks.stop(DEADLINE).await, Ok(()));
    second.stop().await;
}

#[tokio::test]
async fn a_host_that_goes_away_ends_its_stream() {
    let server = Server::alone(None).await;
    let tasks = Tasks::new("host");
    let client = client(&[&server.address], None, &tasks);
    let (to, mut from) = soon("a stream", client.connect()).await.unwrap();
    to.send(join()).await.unwrap();
    next(&mut from).await;
    assert_eq!(tasks.stop(DEADLINE).await, Ok(()));
    let is_off = |snapshot: &odeon_placement::Snapshot| {
        snapshot.hosts.values().any(|host| !host.is_connected)
    };
    soon("the end", server.handle.wait_for(is_off)).await.unwrap();
    assert!(from.recv().await.is_none() || from.is_closed());
    server.stop().await;
}

#[tokio::test]
async fn a_host_that_does_not_read_is_disconnected() {
    let config = Config { former_hosts_gone: true, queue: 8, ..Config::default() };
    let server = Server::start(config, &memory(), None).await;
    let mut client = raw(&server.address).await;
    let mut writer = FromHost::new(identity());
    let mut said = writer.say(join()).unwrap();
    let renew = ToPlacement::Renew { incarnation: Incarnation(7), seq: 1 };
    let renew = writer.say(renew).unwrap().remove(0);
    // Each is answered by a lease. What fits into the connection is much, but not all that.
    said.extend(std::iter::repeat_n(renew, 500_000));
    let request = Request::new(stream::iter(said).chain(stream::pending()));
    let mut unread = soon("headers", client.connect(request)).await.unwrap().into_inner();
    let is_off = |snapshot: &odeon_placement::Snapshot| {
        snapshot.hosts.values().any(|host| !host.is_connected)
    };
    soon("the end", server.handle.wait_for(is_off)).await.unwrap();
    // Reading again, it learns that there is no more.
    let rest = async {
        loop {
            match unread.message().await {
                Ok(Some(_)) => {}
                other => return other,
            }
        }
    };
    let status = soon("the status", rest).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert!(status.message().contains("was not read from"), "{status}");
    drop(unread);
    server.stop().await;
}

#[tokio::test]
async fn a_host_that_says_nothing_loses_its_stream() {
    let server = Server::alone(None).await;
    let limit = Duration::from_millis(50);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let service = Service::new(server.handle.clone(), None, server.tasks.clone());
    let service = service.with_first_message(limit);
    server.tasks.spawn(TaskKind::Listener, async move { service.serve(listener).await.unwrap() });
    let mut client = raw(&address).await;
    let mut silent = soon("headers", client.connect(stream::pending())).await.unwrap().into_inner();
    let status = soon("the end", silent.message()).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
    assert!(status.message().contains("report is missing"), "{status}");
    // Who has said its first word may be silent.
    let said = FromHost::new(identity()).say(join()).unwrap();
    let said = stream::iter(said).chain(stream::pending());
    let mut heard = soon("headers", client.connect(said)).await.unwrap().into_inner();
    soon("a lease", heard.message()).await.unwrap().unwrap();
    // It outlives another one that said nothing for as long.
    let mut silent = soon("headers", client.connect(stream::pending())).await.unwrap().into_inner();
    soon("the end", silent.message()).await.unwrap_err();
    assert!(server.handle.tables().hosts.values().all(|host| host.is_connected));
    server.stop().await;
}

#[tokio::test]
async fn a_wrong_token_is_refused_with_a_reason() {
    let server = Server::alone(Some("s3cret")).await;
    let tasks = Tasks::new("host");
    for (token, reason) in [
        (None, "wants the cluster token in the metadata odeon-cluster-token"),
        (Some("guess"), "is not that of this placement"),
    ] {
        let client = client(&[&server.address], token, &tasks);
        let error = soon("an answer", client.connect()).await.unwrap_err();
        assert!(error.starts_with(&server.address) && error.contains(reason), "{error}");
        assert!(!error.contains("s3cret") && !error.contains("guess"), "{error}");
    }
    let status = raw(&server.address).await.owner(proto::OwnerRequest::default()).await;
    assert_eq!(status.unwrap_err().code(), Code::Unauthenticated);
    assert!(server.handle.tables().hosts.is_empty());
    server.stop().await;
}

#[tokio::test]
async fn what_cannot_be_understood_ends_the_stream_with_a_reason() {
    let server = Server::alone(Some("s3cret")).await;
    let mut client = raw(&server.address).await;
    let good = FromHost::new(identity()).say(join()).unwrap();
    let mut distant = good.clone();
    distant[0].protocol = PROTOCOL + 2;
    let (theirs, ours) = (format!("is {} ", PROTOCOL + 2), format!("{PROTOCOL} here"));
    let mut broken = good.clone();
    broken[1].message = None;
    for (said, code, texts) in [
        (distant, Code::FailedPrecondition, [theirs.as_str(), ours.as_str()]),
        (broken, Code::InvalidArgument, ["message", "missing"]),
    ] {
        let mut request = Request::new(stream::iter(said).chain(stream::pending()));
        request.metadata_mut().insert(TOKEN, MetadataValue::from_static("s3cret"));
        let mut answers = soon("headers", client.connect(request)).await.unwrap().into_inner();
        let status = soon("the end", answers.message()).await.unwrap_err();
        assert_eq!(status.code(), code, "{status}");
        for text in texts {
            assert!(status.message().contains(text), "{text} is not in: {status}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn anybody_may_ask_who_owns_an_actor() {
    let server = Server::alone(None).await;
    let tasks = Tasks::new("host");
    let mut asking = raw(&server.address).await;
    let request = |actor_type: &str| proto::OwnerRequest {
        namespace: "default".into(),
        actor_type: actor_type.into(),
        actor_id: "actor-1".into(),
    };
    soon("the leader", server.handle.wait_for(|s| s.role == Role::Leading)).await.unwrap();
    let owner = async |asking: &mut PlacementClient<Channel>, actor_type: &str| {
        let answer = soon("an answer", asking.owner(request(actor_type))).await.unwrap();
        match answer.into_inner().answer {
            Some(proto::owner_reply::Answer::Owner(owner)) => owner,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(owner(&mut asking, "T").await.member, None, "nobody offers it yet");
    let client = client(&[&server.address], None, &tasks);
    let (to, mut from) = soon("a stream", client.connect()).await.unwrap();
    to.send(join()).await.unwrap();
    table(&mut from, &mut Chain::new(&Rings::default())).await;
    let is_owned = |snapshot: &odeon_placement::Snapshot| {
        snapshot.owner(&key(), &ActorId::parse("actor-1").unwrap()).is_some()
    };
    soon("the table", server.handle.wait_for(is_owned)).await.unwrap();
    let answer = owner(&mut asking, "T").await;
    let member = answer.member.expect("an owner");
    assert_eq!((member.incarnation, member.address.as_str()), (7, "10.0.0.7:50001"));
    assert!(answer.epoch.is_some_and(|epoch| epoch.term == 1) && answer.awaited.is_empty());
    let status = soon("an answer", asking.owner(request("a/b"))).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().starts_with("actor_type is \"a/b\""), "{status}");
    tasks.stop(DEADLINE).await.unwrap();
    server.stop().await;
}

/// Says to everybody that another one leads.
struct Follower(String);

#[tonic::async_trait]
impl Placement for Follower {
    type ConnectStream = Pin<Box<dyn Stream<Item = Result<proto::ToHost, Status>> + Send>>;

    async fn connect(
        &self,
        _: Request<Streaming<proto::ToPlacement>>,
    ) -> Result<Response<Self::ConnectStream>, Status> {
        let news = proto::to_host::Message::NotLeader(proto::NotLeader { leader: self.0.clone() });
        let said = proto::ToHost { protocol: PROTOCOL, message: Some(news) };
        Ok(Response::new(Box::pin(stream::iter([Ok(said)]).chain(stream::pending()))))
    }

    async fn owner(
        &self,
        _: Request<proto::OwnerRequest>,
    ) -> Result<Response<proto::OwnerReply>, Status> {
        Err(Status::unimplemented("not asked"))
    }
}

#[tokio::test]
async fn a_host_is_led_to_the_leader_past_those_who_do_not_answer() {
    let leader = Server::alone(None).await;
    let tasks = Tasks::new("host");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let follower = listener.local_addr().unwrap().to_string();
    let serving = tonic::transport::Server::builder()
        .add_service(PlacementServer::new(Follower(leader.address.clone())))
        .serve_with_incoming(tonic::transport::server::TcpIncoming::from(listener));
    let stopping = tasks.stopping().clone();
    tasks.spawn(TaskKind::Listener, async move {
        stopping.run_until_cancelled(serving).await;
    });
    // Nobody listens here any more.
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();

    let lost = client(&[&gone, "no address"], None, &tasks);
    let error = soon("an answer", lost.connect()).await.unwrap_err();
    assert!(error.contains(&format!("{gone}: ")) && error.contains("refused"), "{error}");
    assert!(error.contains("; no address: "), "{error}");

    let client = client(&[&gone, &follower], None, &tasks);
    let (_to, mut from) = soon("a stream", client.connect()).await.unwrap();
    let address = Some(leader.address.clone());
    assert_eq!(next(&mut from).await, ToHost::NotLeader { address });
    assert_eq!(soon("the end", from.recv()).await, None);
    let (to, mut from) = soon("a stream to the leader", client.connect()).await.unwrap();
    to.send(join()).await.unwrap();
    assert!(matches!(next(&mut from).await, ToHost::Lease { .. }));
    tasks.stop(DEADLINE).await.unwrap();
    leader.stop().await;
}
