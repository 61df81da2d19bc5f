//! Calls between hosts over real sockets: what arrives, and what is told of what does not.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use futures::{FutureExt as _, StreamExt as _};
use http_body_util::Full;
use odeon_base::{AppId, Entropy, Epoch, Execution, HostName, Incarnation, Kind, Namespace};
use odeon_base::{TaskKind, Tasks};
use odeon_host::peer::{Client, Config, Server};
use odeon_placement::Token;
use odeon_placement::wire::PROTOCOL;
use odeon_proto::odeon::host::v1 as proto;
use odeon_ring::Member;
use odeon_runtime::peers::{PeerError, Peers as _};
use odeon_runtime::{ActorRef, CallChain, Invocation, Reply};
use odeon_test_wire::{Cable, Rig};
use prost::Message as _;
use proto::peer_reply::Answer;
use proto::peer_request::Request;
use proto::peer_server::Peer as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};
use tonic::Status;
use tonic::codec::{Codec as _, Streaming};
use tonic_prost::ProstCodec;

/// No test takes nearly as long.
const DEADLINE: Duration = Duration::from_secs(30);
const HOST: &str = "rig:1";

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(DEADLINE, future).await.unwrap_or_else(|_| panic!("waited too long: {what}"))
}

fn config(host: &str) -> Config {
    Config::new(HostName::parse(host).unwrap(), AppId::parse("app").unwrap())
}

/// A host that can be called, and one that calls it.
struct Pair {
    rig: Rig,
    to: Member,
    client: Client,
    serving: Tasks,
    calling: Tasks,
}

impl Pair {
    async fn start() -> Self {
        Self::with(|_| {}, |_| {}).await
    }

    async fn with(serves: impl FnOnce(&mut Config), calls: impl FnOnce(&mut Config)) -> Self {
        let rig = Rig::start().await;
        rig.engine.ready().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = member(&listener.local_addr().unwrap().to_string());
        let (serving, calling) = (Tasks::new("serving"), Tasks::new("calling"));
        let (mut served, mut called) = (config(HOST), config("caller:1"));
        serves(&mut served);
        calls(&mut called);
        let server = Server::new(served, rig.engine.clone(), serving.clone());
        serving.spawn(TaskKind::Listener, async move { server.serve(listener).await.unwrap() });
        let client = Client::new(called, Entropy::seeded(1), calling.clone());
        Self { rig, to, client, serving, calling }
    }

    async fn call(&self, id: u64, method: &str, body: &str) -> Result<Reply, PeerError> {
        soon(method, self.client.call(&self.to, id, &call("a", method, body))).await
    }

    async fn stop(self) {
        self.calling.stop(DEADLINE).await.unwrap();
        self.serving.stop(DEADLINE).await.unwrap();
    }
}

fn member(address: &str) -> Member {
    Member {
        incarnation: Incarnation(1),
        host: HostName::parse(HOST).unwrap(),
        address: address.into(),
    }
}

fn call(id: &str, method: &str, body: &str) -> Invocation {
    let actor = ActorRef::parse("T", id).unwrap();
    let routed_by = Some(Epoch::default());
    Invocation { routed_by, ..Invocation::new(actor, method, body.to_owned()) }
}

fn unreachable(answer: Result<Reply, PeerError>) -> String {
    let error = answer.unwrap_err();
    assert_eq!((error.kind(), error.execution()), (Kind::Unavailable, Execution::None), "{error}");
    assert!(matches!(error, PeerError::Unreachable { .. }), "{error:?}");
    error.to_string()
}

fn lost(answer: Result<Reply, PeerError>) -> String {
    let error = answer.unwrap_err();
    assert_eq!(error.execution(), Execution::Maybe, "{error}");
    assert!(matches!(error, PeerError::Lost { .. }), "{error:?}");
    error.to_string()
}

#[tokio::test]
async fn a_call_arrives_whole_and_its_answer_comes_back() {
    let pair = Pair::start().await;
    let mut asked = call("a", "seen", "");
    asked.headers.push("x-one", "1");
    asked.chain = CallChain::new(&[7, 8], Some("r".into()));
    asked.deadline = Some(Instant::now() + DEADLINE);
    let answer = soon("the answer", pair.client.call(&pair.to, 1, &asked)).await.unwrap();
    let seen: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(seen["headers"]["x-one"], "1");
    assert_eq!(seen["reentrancy"], "r");
    assert_eq!(seen["has_deadline"], true);
    assert_eq!(seen["hops"], 3, "the actor itself is the last");
    let failed = pair.call(2, "app-error", "no").await.unwrap();
    assert!(failed.is_app_error && failed.body == "no");
    let headers = pair.call(3, "headers", "").await.unwrap().headers;
    assert_eq!(headers.get("x-kept"), Some("1"));
    pair.stop().await;
}

#[tokio::test]
async fn a_failure_comes_back_as_it_was() {
    let pair = Pair::start().await;
    let Err(PeerError::Failed(failure)) = pair.call(1, "raise", "0").await else { panic!() };
    assert_eq!((failure.kind, failure.execution), (Kind::AppFailed, Execution::Done));
    assert_eq!(failure.message, "error from actor service: (500) boom <&>");
    let Err(PeerError::Failed(failure)) = pair.call(2, "raise", "2").await else { panic!() };
    assert_eq!((failure.kind, failure.execution), (Kind::NotFound, Execution::None));
    pair.stop().await;
}

// O5: a host that goes on after it stood still closes what was open before.
#[tokio::test]
async fn another_incarnation_is_called_on_a_connection_of_its_own() {
    let pair = Pair::start().await;
    pair.call(1, "echo", "x").await.unwrap();
    let again = Member { incarnation: Incarnation(2), ..pair.to.clone() };
    let later = call("a", "echo", "y");
    let answer = soon("the answer", pair.client.call(&again, 2, &later)).await.unwrap();
    assert_eq!(answer.body, "y");
    let streams = pair.calling.running().iter().map(|(_, count)| count).sum::<usize>();
    assert_eq!(streams, 2, "the one before is kept for what is still on it");
    pair.stop().await;
}

#[tokio::test]
async fn ten_thousand_calls_share_one_connection() {
    let pair = Pair::start().await;
    let ids: Vec<String> = (0..10_000).map(|n| format!("a{n}")).collect();
    let calls: Vec<_> = ids.iter().map(|id| call(id, "echo", id)).collect();
    let asked = calls.iter().zip(1..).map(|(call, n)| pair.client.call(&pair.to, n, call));
    let answers = soon("all answers", join_all(asked)).await;
    for (id, answer) in ids.iter().zip(answers) {
        assert_eq!(answer.unwrap().body, id.as_bytes());
    }
    let streams = |tasks: &Tasks| tasks.running().iter().map(|(_, count)| count).sum::<usize>();
    assert_eq!(streams(&pair.calling), 1, "one connection is kept");
    pair.stop().await;
}

#[tokio::test]
async fn more_calls_than_are_taken_are_refused_and_may_be_sent_again() {
    let pair = Pair::with(|served| served.calls_max = 2, |_| {}).await;
    let calls: Vec<_> = (0..4).map(|n| call(&format!("a{n}"), "slow", "200")).collect();
    let asked = calls.iter().zip(1..).map(|(call, n)| pair.client.call(&pair.to, n, call));
    let answers = soon("all answers", join_all(asked)).await;
    let refused: Vec<_> = answers.into_iter().filter_map(Result::err).collect();
    assert_eq!(refused.len(), 2, "{refused:?}");
    for error in refused {
        assert_eq!((error.kind(), error.execution()), (Kind::Overloaded, Execution::None));
    }
    pair.stop().await;
}

#[tokio::test]
async fn a_caller_that_leaves_takes_its_call_out_of_the_queue() {
    let pair = Pair::start().await;
    // There is a connection, so that what follows goes out in its order.
    pair.call(9, "echo", "").await.unwrap();
    let (running, waiting) = (call("a", "slow", "300"), call("a", "echo", "x"));
    let mut first = pair.client.call(&pair.to, 1, &running);
    assert!((&mut first).now_or_never().is_none());
    let depth = || pair.rig.engine.metrics().iter().map(|of| of.waiting).sum::<usize>();
    {
        let second = pair.client.call(&pair.to, 2, &waiting);
        let queued = async {
            while depth() == 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            biased;
            answer = second => panic!("{answer:?}"),
            answer = &mut first => panic!("{answer:?}"),
            () = soon("the call waits", queued) => {}
        }
    }
    let gone = async {
        while depth() > 0 {
            tokio::task::yield_now().await;
        }
    };
    soon("the call is taken out", gone).await;
    soon("the turn that began runs on", first).await.unwrap();
    pair.stop().await;
}

#[tokio::test]
async fn the_owner_says_whether_a_turn_had_begun_when_time_was_over() {
    let pair = Pair::start().await;
    // There is a connection, so that what follows goes out in its order.
    pair.call(9, "echo", "").await.unwrap();
    let limited = |method: &str, body: &str| {
        let deadline = Some(Instant::now() + Duration::from_millis(50));
        Invocation { deadline, ..call("a", method, body) }
    };
    let running = limited("slow", "400");
    let waiting = limited("echo", "x");
    let first = pair.client.call(&pair.to, 1, &running);
    let second = pair.client.call(&pair.to, 2, &waiting);
    let (first, second) = soon("both", async { tokio::join!(first, second) }).await;
    let ends = [first, second].map(|answer| answer.unwrap_err());
    assert_eq!(ends.each_ref().map(PeerError::kind), [Kind::Timeout; 2]);
    assert_eq!(ends.each_ref().map(PeerError::execution), [Execution::Maybe, Execution::None]);
    pair.stop().await;
}

#[tokio::test]
async fn nobody_there_is_none() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = member(&listener.local_addr().unwrap().to_string());
    drop(listener);
    let tasks = Tasks::new("calling");
    let client = Client::new(config("caller:1"), Entropy::seeded(1), tasks.clone());
    for id in 1..4 {
        let text =
            unreachable(soon("it fails", client.call(&to, id, &call("a", "echo", ""))).await);
        assert!(text.starts_with(&format!("cannot reach host rig:1 at {}", to.address)), "{text}");
    }
    let deadline = Some(Instant::now());
    let late = Invocation { deadline, ..call("a", "echo", "") };
    unreachable(soon("no longer than its time", client.call(&to, 9, &late)).await);
    tasks.stop(DEADLINE).await.unwrap();
}

#[tokio::test]
async fn a_host_that_accepts_and_says_nothing_is_none_after_a_second() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = member(&listener.local_addr().unwrap().to_string());
    let tasks = Tasks::new("calling");
    let mut own = config("caller:1");
    own.opening = Duration::from_millis(200);
    let client = Client::new(own, Entropy::seeded(1), tasks.clone());
    let text = unreachable(soon("it fails", client.call(&to, 1, &call("a", "echo", ""))).await);
    assert!(text.contains("no answer within 200ms"), "{text}");
    tasks.stop(DEADLINE).await.unwrap();
}

#[tokio::test]
async fn a_connection_that_breaks_leaves_written_calls_open_and_opens_anew() {
    let pair = Pair::start().await;
    let cable = Cable::to(&pair.to.address);
    let to = member(cable.address());
    let slow = call("slow", "slow", "60000");
    let began = async {
        while pair.rig.engine.metrics().iter().all(|of| of.running == 0) {
            tokio::task::yield_now().await;
        }
        cable.cut().await;
    };
    let (answer, ()) =
        soon("both", async { tokio::join!(pair.client.call(&to, 1, &slow), began) }).await;
    let text = lost(answer);
    assert!(text.contains("broke during the call"), "{text}");
    // The cable is gone, and with it the way: nothing is begun any more.
    unreachable(soon("it fails", pair.client.call(&to, 2, &call("a", "echo", ""))).await);
    // The other way was never touched.
    assert_eq!(pair.call(3, "echo", "x").await.unwrap().body, "x");
    pair.stop().await;
}

// A host that was stopped (SIGSTOP) keeps its connections and acknowledges nothing.
#[tokio::test]
async fn a_host_that_freezes_is_given_up_after_a_lease_and_no_call_waits_past_its_time() {
    let pair = Pair::start().await;
    let cable = Cable::to(&pair.to.address);
    let to = member(cable.address());
    let greeting = soon("it answers", pair.client.call(&to, 1, &call("a", "echo", "x"))).await;
    assert_eq!(greeting.unwrap().body, "x");
    cable.freeze();
    let began = Instant::now();
    let limit = Duration::from_millis(300);
    let limited = Invocation { deadline: Some(began + limit), ..call("a", "echo", "y") };
    let unlimited = call("b", "echo", "z");
    let patient = pair.client.call(&to, 3, &unlimited);
    let hasty = async {
        let answer = pair.client.call(&to, 2, &limited).await;
        (answer.unwrap_err(), began.elapsed())
    };
    let (lost_one, (late, took)) = soon("both", async { tokio::join!(patient, hasty) }).await;
    assert_eq!((late.kind(), late.execution()), (Kind::Timeout, Execution::Maybe), "{late}");
    assert!(took >= limit && took < Duration::from_secs(3), "{took:?}");
    let (text, took) = (lost(lost_one), began.elapsed());
    assert!(text.contains("broke during the call"), "{text}");
    assert!(took <= Duration::from_secs(9), "a lease, and room for a busy machine: {took:?}");
    cable.cut().await;
    pair.stop().await;
}

#[tokio::test]
async fn a_host_that_stops_answers_first_and_comes_back_at_the_same_address() {
    let pair = Pair::start().await;
    assert_eq!(pair.call(1, "echo", "x").await.unwrap().body, "x");
    pair.serving.stop(DEADLINE).await.unwrap();
    unreachable(pair.call(2, "echo", "x").await);

    let listener = TcpListener::bind(&*pair.to.address).await.unwrap();
    let again = Tasks::new("again");
    let server = Server::new(config(HOST), pair.rig.engine.clone(), again.clone());
    again.spawn(TaskKind::Listener, async move { server.serve(listener).await.unwrap() });
    let answered = async {
        for id in 3.. {
            match pair.call(id, "echo", "y").await {
                Ok(answer) => return answer.body,
                Err(error) => assert_eq!(error.execution(), Execution::None),
            }
        }
        unreachable!("it goes on until there is an answer")
    };
    assert_eq!(soon("it answers again", answered).await, "y");
    pair.calling.stop(DEADLINE).await.unwrap();
    again.stop(DEADLINE).await.unwrap();
}

/// Messages of a stream, as a connection would carry them.
fn asking(messages: impl IntoIterator<Item = Request>) -> Streaming<proto::PeerRequest> {
    let mut bytes = Vec::new();
    for (number, request) in messages.into_iter().enumerate() {
        let protocol = if number == 0 { PROTOCOL } else { 0 };
        let message = proto::PeerRequest { protocol, request: Some(request) };
        bytes.push(0);
        bytes.extend(u32::try_from(message.encoded_len()).unwrap().to_be_bytes());
        message.encode(&mut bytes).unwrap();
    }
    let decoder = ProstCodec::<proto::PeerReply, proto::PeerRequest>::default().decoder();
    Streaming::new_request(decoder, Full::new(Bytes::from(bytes)), None, None)
}

// RT-3: whoever calls cannot tell a call that lost its answer from one that ran.
#[tokio::test(start_paused = true)]
async fn a_host_that_stops_answers_all_it_read_though_nobody_takes_the_answers_yet() {
    let rig = Rig::start().await;
    let serving = Tasks::new("serving");
    let mut own = config(HOST);
    own.calls_max = 1;
    let server = Server::new(own, rig.engine.clone(), serving.clone());
    let hello = proto::Hello {
        host: "caller:1".to_owned(),
        namespace: "default".to_owned(),
        app: "app".to_owned(),
        ..Default::default()
    };
    let unclear = |call_id| Request::Call(proto::Call { call_id, ..Default::default() });
    let asked = asking(std::iter::once(Request::Hello(hello)).chain((1..=100).map(unclear)));
    let answer = server.exchange(tonic::Request::new(asked)).await.unwrap();
    // Time passes only when nothing goes on any more: the answers have no room left.
    tokio::time::sleep(Duration::from_millis(1)).await;
    let told = answer.into_inner().collect::<Vec<_>>();
    let (stopped, told) = tokio::join!(serving.stop(DEADLINE), told);
    stopped.unwrap();
    let failed = |told: &Result<proto::PeerReply, Status>| match &told.as_ref().ok()?.answer {
        Some(Answer::Failure(failure)) => Some(failure.call_id),
        _ => None,
    };
    let answered: Vec<u64> = told.iter().filter_map(failed).collect();
    assert_eq!(answered, (1..=100).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_connection_that_nobody_uses_is_closed_and_made_again() {
    let idle = |called: &mut Config| called.idle = Duration::from_millis(50);
    let pair = Pair::with(|_| {}, idle).await;
    assert_eq!(pair.call(1, "echo", "x").await.unwrap().body, "x");
    let closed = async {
        while !pair.calling.running().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    soon("it is closed", closed).await;
    assert_eq!(pair.call(2, "echo", "y").await.unwrap().body, "y");
    pair.stop().await;
}

#[tokio::test]
async fn who_is_no_neighbour_is_refused_by_name() {
    let token = |text| Some(Token::parse(text).unwrap());
    let namespace = |text| Namespace::parse(text).unwrap();
    let wants = |served: &mut Config| served.token = token("one");
    for (pair, expected) in [
        (Pair::with(wants, |_| {}).await, "has no cluster token in the metadata"),
        (Pair::with(wants, |own| own.token = token("two")).await, "is not the one of this cluster"),
        (
            Pair::with(|_| {}, |own| own.namespace = namespace("other")).await,
            "hello.namespace is \"other\" (5 bytes), but expected is default",
        ),
    ] {
        let text = unreachable(pair.call(1, "echo", "x").await);
        assert!(text.contains(expected), "{text}");
        pair.stop().await;
    }
    let pair = Pair::with(wants, |own| own.token = token("one")).await;
    assert_eq!(pair.call(1, "echo", "x").await.unwrap().body, "x");
    let other = Member { host: HostName::parse("other:1").unwrap(), ..pair.to.clone() };
    let answer = soon("it fails", pair.client.call(&other, 2, &call("a", "echo", ""))).await;
    let text = unreachable(answer);
    assert!(text.contains("host rig:1 answers there"), "{text}");
    pair.stop().await;
}

#[tokio::test]
async fn large_bodies_pass_up_to_the_limit_and_not_beyond() {
    let pair = Pair::start().await;
    let large = "x".repeat(4 << 20);
    assert_eq!(pair.call(1, "echo", &large).await.unwrap().body.len(), 4 << 20);
    let Err(PeerError::Failed(refused)) = pair.call(2, "echo", &"x".repeat((4 << 20) + 1)).await
    else {
        panic!("it passed")
    };
    assert_eq!((refused.kind, refused.execution), (Kind::Invalid, Execution::None));
    let size = ((4 << 20) + 1).to_string();
    let Err(PeerError::Failed(refused)) = pair.call(3, "large", &size).await else {
        panic!("it passed")
    };
    assert_eq!((refused.kind, refused.execution), (Kind::Invalid, Execution::Done));
    assert!(refused.message.contains("the answer has 4194305 bytes"), "{}", refused.message);
    assert_eq!(pair.call(4, "echo", "x").await.unwrap().body, "x", "others go on");
    pair.stop().await;
}

#[tokio::test]
async fn what_is_not_a_peer_harms_nobody() {
    let pair = Pair::start().await;
    let mut stranger = TcpStream::connect(&*pair.to.address).await.unwrap();
    stranger.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let mut told = Vec::new();
    let _ = soon("it is let go", stranger.read_to_end(&mut told)).await;
    assert_eq!(pair.call(1, "echo", "x").await.unwrap().body, "x");
    let calls = Arc::new(call("a", "echo", "y"));
    assert_eq!(soon("again", pair.client.call(&pair.to, 2, &calls)).await.unwrap().body, "y");
    pair.stop().await;
}
