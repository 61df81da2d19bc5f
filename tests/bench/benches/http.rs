//! What does an actor call over HTTP cost, beside a bare proxy?
//!
//! Load goes over loopback from this process to an echo server called directly, to
//! a bare axum -> hyper proxy before it, to nginx `proxy_pass` before it where nginx
//! is installed, and to an Odeon host whose worker echoes. 256-byte bodies, 10,000
//! actors; 32 connections (calls a second) and one connection (p50). All servers
//! are processes of their own. Build the host first:
//! `cargo build --release -p odeon-host && cargo bench -p odeon-bench --bench http`.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a benchmark"
)]

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use odeon_bench::{Rates, human};
use odeon_sdk::{Ctx, Result as ActorResult, actor};
use rustix::process::{Pid, Signal, kill_process};
use tokio::net::TcpStream;

const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_millis(1500);

/// Answers what it is sent.
#[derive(Debug, Default)]
struct Echo;

#[actor]
impl Echo {
    /// The argument, as it came.
    async fn echo(&mut self, _ctx: &mut Ctx, text: String) -> ActorResult<String> {
        Ok(text)
    }
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // Asked and not killed: nginx would leave its workers behind.
        let pid = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            let _ = kill_process(pid, Signal::TERM);
        }
        let _ = self.0.wait();
    }
}

fn role(words: &[&str]) -> Server {
    let me = std::env::current_exe().unwrap();
    Server(Command::new(me).args(words).stdout(Stdio::null()).spawn().unwrap())
}

fn free() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

async fn connect(port: u16) -> http1::SendRequest<Full<Bytes>> {
    loop {
        if let Ok(stream) = TcpStream::connect(("127.0.0.1", port)).await {
            stream.set_nodelay(true).unwrap();
            let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
            tokio::spawn(connection);
            return sender;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn ask(sender: &mut http1::SendRequest<Full<Bytes>>, path: &str, body: &Bytes) -> u16 {
    sender.ready().await.unwrap();
    let request = Request::post(path)
        .header("host", "127.0.0.1")
        .header("content-type", "application/json")
        .body(Full::new(body.clone()))
        .unwrap();
    let answer = sender.send_request(request).await.unwrap();
    let status = answer.status().as_u16();
    assert!(answer.into_body().collect().await.unwrap().to_bytes().len() > 200);
    status
}

/// Calls a second over so many connections, and the p50 in microseconds.
async fn load(port: u16, connections: usize) -> (u64, Duration, f64) {
    let total = Arc::new(AtomicU64::new(0));
    let start = Instant::now();
    let mut tasks = Vec::new();
    for n in 0..connections {
        let total = Arc::clone(&total);
        let mut sender = connect(port).await;
        tasks.push(tokio::spawn(async move {
            let body = Bytes::from(format!("\"{}\"", "x".repeat(254)));
            let (mut calls, mut at, mut times) = (0_u64, n * 317, Vec::new());
            while start.elapsed() < ROUND {
                at = (at + 7) % 10_000;
                let before = Instant::now();
                let path = format!("/v1.0/actors/Echo/actor-{at:06}/method/echo");
                assert_eq!(ask(&mut sender, &path, &body).await, 200);
                times.push(before.elapsed());
                calls += 1;
            }
            total.fetch_add(calls, Ordering::Relaxed);
            times
        }));
    }
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.unwrap());
    }
    let took = start.elapsed();
    times.sort();
    (total.load(Ordering::Relaxed), took, times[times.len() / 2].as_secs_f64() * 1e6)
}

async fn wait_for(port: u16) {
    let mut sender = connect(port).await;
    let body = Bytes::from(format!("\"{}\"", "x".repeat(254)));
    loop {
        sender.ready().await.unwrap();
        let request = Request::post("/v1.0/actors/Echo/actor-000000/method/echo")
            .header("host", "127.0.0.1")
            .body(Full::new(body.clone()))
            .unwrap();
        if let Ok(answer) = sender.send_request(request).await
            && answer.status() == 200
        {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        sender = connect(port).await;
    }
}

fn nginx(folder: &std::path::Path, port: u16, echo: u16) -> Option<Server> {
    let config = format!(
        "worker_processes 2; daemon off; pid {0}/pid; error_log {0}/error.log;\nevents {{ worker_connections 512; }}\n\
         http {{ access_log off; client_body_temp_path {0}/b; proxy_temp_path {0}/p; fastcgi_temp_path {0}/f; uwsgi_temp_path {0}/u; scgi_temp_path {0}/s;\n\
         upstream e {{ server 127.0.0.1:{echo}; keepalive 64; }}\n\
         server {{ listen 127.0.0.1:{port}; keepalive_requests 100000000; location / {{ proxy_pass http://e; proxy_http_version 1.1; proxy_set_header Connection \"\"; }} }} }}",
        folder.display()
    );
    let file = folder.join("nginx.conf");
    std::fs::write(&file, config).unwrap();
    let mut command = Command::new("nginx");
    command.arg("-c").arg(&file).stderr(Stdio::null());
    Some(Server(command.spawn().ok()?))
}

async fn compare() {
    let odeon = std::env::current_exe().unwrap().parent().unwrap().join("../odeon");
    assert!(odeon.exists(), "build the host first: cargo build --release -p odeon-host");
    let folder = tempfile::tempdir().unwrap();
    let [echo, proxy, web, http, grpc] = std::array::from_fn(|_| free());
    let _echo = role(&["--echo", &echo.to_string()]);
    let _proxy = role(&["--proxy", &proxy.to_string(), &echo.to_string()]);
    let nginx = nginx(folder.path(), web, echo);
    let mut command = Command::new(odeon);
    command.args(["standalone", "--app-id", "bench", "--metrics-port", "0", "--data-dir"]);
    command.arg(folder.path().join("data")).stdout(Stdio::null());
    command.args(["--dapr-http-port", &http.to_string(), "--dapr-grpc-port", &grpc.to_string()]);
    let _odeon = Server(command.spawn().unwrap());
    let _worker = role(&["--worker", &grpc.to_string()]);
    let mut sides = vec![("echo, called directly", echo), ("axum -> hyper proxy", proxy)];
    if nginx.is_some() {
        sides.push(("nginx proxy_pass", web));
    }
    sides.push(("odeon, worker over gRPC", http));
    for (_, port) in &sides {
        wait_for(*port).await;
    }
    for connections in [32, 1] {
        let mut rates = vec![Rates::default(); sides.len()];
        let mut p50s = vec![Vec::new(); sides.len()];
        for round in 0..=ROUNDS {
            for (side, (_, port)) in sides.iter().enumerate() {
                let (calls, took, p50) = load(*port, connections).await;
                if round > 0 {
                    rates[side].push(calls, took);
                    p50s[side].push(p50);
                }
            }
        }
        println!("{connections} connections");
        for (side, (name, _)) in sides.iter().enumerate() {
            p50s[side].sort_by(f64::total_cmp);
            println!(
                "  {name:26} {:>8}/s  p50 {:>6.0} us",
                human(rates[side].median()),
                p50s[side][ROUNDS / 2]
            );
        }
        let ours = sides.len() - 1;
        for side in 1..ours {
            println!(
                "  odeon / {}: {:.2}",
                sides[side].0,
                rates[ours].median() / rates[side].median()
            );
        }
        let p50 = |side: usize| p50s[side][ROUNDS / 2];
        println!(
            "  added p50, odeon / axum proxy: {:.2}",
            (p50(ours) - p50(0)) / (p50(1) - p50(0))
        );
    }
}

async fn serve_echo(port: u16) {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    let app = axum::Router::new().fallback(|body: Bytes| async move { body });
    // Nagle would wait for acknowledgements that loopback delays.
    let listener =
        axum::serve::ListenerExt::tap_io(listener, |stream| stream.set_nodelay(true).unwrap());
    axum::serve(listener, app).await.unwrap();
}

async fn serve_proxy(port: u16, echo: u16) {
    let client: hyper_util::client::legacy::Client<_, axum::body::Body> =
        hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new()).build({
            let mut connector = hyper_util::client::legacy::connect::HttpConnector::new();
            connector.set_nodelay(true);
            connector
        });
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    let app = axum::Router::new().fallback(move |mut request: axum::extract::Request| {
        let client = client.clone();
        async move {
            let path = request.uri().path().to_owned();
            *request.uri_mut() = format!("http://127.0.0.1:{echo}{path}").parse().unwrap();
            client.request(request).await.unwrap()
        }
    });
    // Nagle would wait for acknowledgements that loopback delays.
    let listener =
        axum::serve::ListenerExt::tap_io(listener, |stream| stream.set_nodelay(true).unwrap());
    axum::serve(listener, app).await.unwrap();
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let port = |at: usize| words[at].parse::<u16>().unwrap();
    runtime.block_on(async {
        match words.first().map(String::as_str) {
            Some("--echo") => serve_echo(port(1)).await,
            Some("--proxy") => serve_proxy(port(1), port(2)).await,
            Some("--worker") => {
                let host = format!("http://127.0.0.1:{}", port(1));
                let worker = odeon_sdk::Worker::connect(host).actor::<Echo>();
                worker.run(std::future::pending::<()>()).await.unwrap();
            }
            _ => compare().await,
        }
    });
}
