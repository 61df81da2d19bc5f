//! What HTTP benchmarks put side by side: an echo, bare proxies, hosts' workers, and load.
//!
//! Every server is a process of its own. A bench program started with a role's words is that
//! server ([`play`]); it starts itself so ([`role`]), and else runs its parts ([`bench()`]).

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use futures::future::LocalBoxFuture;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use odeon_base::{TaskKind, Tasks};
use odeon_sdk::{Ctx, Result as ActorResult, actor};
use odeon_test_support::{Node, NodeBuilder, until};
use rustix::process::{Pid, Signal, kill_process};
use tokio::net::{TcpListener, TcpStream};

use crate::{Caller, Round};

/// How many actors the load calls.
pub const ACTORS: usize = 10_000;

/// Answers what it is sent.
#[derive(Debug, Default)]
pub struct Echo;

#[actor]
impl Echo {
    /// The argument, as it came.
    async fn echo(&mut self, _ctx: &mut Ctx, text: String) -> ActorResult<String> {
        Ok(text)
    }
}

/// A server's process, asked to end when this is dropped.
#[derive(Debug)]
pub struct Server(Child);

impl Server {
    /// Starts a program, what it says unheard.
    ///
    /// # Errors
    /// When there is no such program.
    pub fn start(command: &mut Command) -> std::io::Result<Self> {
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().map(Self)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Asked and not killed: nginx would leave its workers behind.
        let pid = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // One that has ended needs no signal.
            let _ = kill_process(pid, Signal::TERM);
        }
        let _ = self.0.wait();
    }
}

/// This program again, in a role: `--echo PORT`, `--proxy PORT TO`, `--worker GRPC-PORT`.
///
/// # Panics
/// When it cannot be started.
#[must_use]
pub fn role(words: &[&str]) -> Server {
    let me = std::env::current_exe().expect("a running program has a path");
    Server::start(Command::new(me).args(words)).expect("a program starts itself")
}

/// A role's echo, on a free port.
#[must_use]
pub fn echo() -> (Server, u16) {
    let port = odeon_test_support::ports::free();
    (role(&["--echo", &port.to_string()]), port)
}

/// A role's proxy before a port, on a free port.
#[must_use]
pub fn proxy(to: u16) -> (Server, u16) {
    let port = odeon_test_support::ports::free();
    (role(&["--proxy", &port.to_string(), &to.to_string()]), port)
}

/// A host that joins a placement service, its data in this folder; it has a store in
/// memory, without which it would host no actors.
///
/// # Panics
/// When the folder cannot be written to.
#[must_use]
pub fn host(folder: &Path, placement: &str) -> NodeBuilder {
    let host = Node::builder(folder.join("data")).joining(placement, "bench");
    host.store(folder, "state.in-memory")
}

/// A role's worker beside a host.
#[must_use]
pub fn worker(grpc: u16) -> Server {
    role(&["--worker", &grpc.to_string()])
}

/// What a benchmark does, or a server that it needs.
pub type Work = LocalBoxFuture<'static, ()>;

/// A part of a benchmark: its name, and what is done for it.
pub type Part = (&'static str, fn() -> Work);

/// Runs a benchmark program on two threads: the role that its words name, or else the parts
/// that they name, or all.
///
/// # Errors
/// When a word names none of them; no part was run.
///
/// # Panics
/// When there is no runtime to be had, or a part does.
pub fn bench(play: fn(Vec<String>) -> Work, parts: &[Part]) -> Result<(), String> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        play(words.clone()).await;
        // That one is cargo's.
        let wanted: Vec<&str> =
            words.iter().map(String::as_str).filter(|word| *word != "--bench").collect();
        let is_known = |word: &&&str| parts.iter().any(|(name, _)| name == *word);
        if let Some(word) = wanted.iter().find(|word| !is_known(word)) {
            let known: Vec<&str> = parts.iter().map(|(name, _)| *name).collect();
            return Err(format!(
                "'{word}' is none of this benchmark's parts: {}",
                known.join(", ")
            ));
        }
        for (name, part) in parts {
            if wanted.is_empty() || wanted.contains(name) {
                part().await;
            }
        }
        Ok(())
    })
}

/// Serves a role for ever, if the words name one.
///
/// # Panics
/// When the role cannot be served.
pub async fn play(words: Vec<String>) {
    let port = |at: usize| words[at].parse::<u16>().expect("a port");
    match words.first().map(String::as_str) {
        Some("--echo") => serve_echo(port(1)).await,
        Some("--proxy") => serve_proxy(port(1), port(2)).await,
        Some("--worker") => {
            let host = format!("http://127.0.0.1:{}", port(1));
            let worker = odeon_sdk::Worker::connect(host).actor::<Echo>();
            worker.run(std::future::pending::<()>()).await.expect("a worker that stands");
        }
        _ => {}
    }
}

async fn serve_echo(port: u16) {
    serve(port, axum::Router::new().fallback(|body: Bytes| async move { body })).await;
}

async fn serve_proxy(port: u16, to: u16) {
    let mut connector = hyper_util::client::legacy::connect::HttpConnector::new();
    connector.set_nodelay(true);
    let client: hyper_util::client::legacy::Client<_, axum::body::Body> =
        hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new())
            .build(connector);
    let app = axum::Router::new().fallback(move |mut request: axum::extract::Request| {
        let client = client.clone();
        async move {
            let path = request.uri().path();
            let uri = format!("http://127.0.0.1:{to}{path}");
            *request.uri_mut() = uri.parse().expect("an address");
            client.request(request).await.expect("the next server answers")
        }
    });
    serve(port, app).await;
}

async fn serve(port: u16, app: axum::Router) {
    let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("a free port");
    // Nagle would wait for acknowledgements that loopback delays.
    let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
        stream.set_nodelay(true).expect("a socket's setting");
    });
    axum::serve(listener, app).await.expect("a server that stands");
}

/// A connection that sends one request after the other.
#[derive(Debug)]
pub struct Connection(http1::SendRequest<Full<Bytes>>);

impl Connection {
    /// Connects, as soon as somebody listens there.
    ///
    /// # Panics
    /// When nobody does in time, or the other side speaks no HTTP.
    pub async fn to(port: u16, tasks: &Tasks) -> Self {
        let connect = || async { TcpStream::connect(("127.0.0.1", port)).await.ok() };
        let stream = until("a server", connect).await;
        stream.set_nodelay(true).expect("a socket's setting");
        let shaken = http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) = shaken.expect("a server of HTTP");
        tasks.spawn(TaskKind::Connection, async move {
            // An end in the middle of a request is that request's failure.
            let _ = connection.await;
        });
        Self(sender)
    }

    /// Calls an actor's echo; the answer's status and the size of its body.
    ///
    /// # Errors
    /// When the connection ended.
    ///
    /// # Panics
    /// Never: the request is valid.
    pub async fn echo(&mut self, actor: usize, body: &Bytes) -> hyper::Result<(u16, usize)> {
        self.0.ready().await?;
        let request = Request::post(format!("/v1.0/actors/Echo/{}/method/echo", id(actor)))
            .header("host", "127.0.0.1")
            .header("content-type", "application/json")
            .body(Full::new(body.clone()))
            .expect("a valid request");
        let answer = self.0.send_request(request).await?;
        let status = answer.status().as_u16();
        Ok((status, answer.into_body().collect().await?.to_bytes().len()))
    }
}

/// The id of an actor, always of the same length.
#[must_use]
pub fn id(actor: usize) -> String {
    format!("actor-{actor:06}")
}

/// What is sent and comes back: 256 bytes of JSON.
#[must_use]
pub fn body() -> Bytes {
    Bytes::from(format!("\"{}\"", "x".repeat(254)))
}

/// Waits until a call through this port is answered.
///
/// # Panics
/// When none is in time.
pub async fn until_serving(port: u16, tasks: &Tasks) {
    let body = body();
    until("an answer", || async {
        let mut connection = Connection::to(port, tasks).await;
        matches!(connection.echo(0, &body).await, Ok((200, _))).then_some(())
    })
    .await;
}

/// Calls one actor after the other over a connection of its own.
struct Echoing {
    connection: Connection,
    at: usize,
    body: Bytes,
}

impl Caller for Echoing {
    async fn call(&mut self) {
        self.at = (self.at + 7) % ACTORS;
        let told = self.connection.echo(self.at, &self.body).await.expect("a connection");
        assert_eq!(told, (200, self.body.len()));
    }
}

/// Calls for so long over so many connections.
///
/// # Panics
/// When a call fails.
pub async fn load(port: u16, connections: usize, length: Duration, tasks: &Tasks) -> Round {
    let mut callers = Vec::new();
    for n in 0..connections {
        let connection = Connection::to(port, tasks).await;
        callers.push(Echoing { connection, at: n * 317, body: body() });
    }
    crate::load(callers, length, tasks).await
}
