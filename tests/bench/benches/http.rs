//! What does an actor call over HTTP cost, beside bare proxies?
//!
//! Load goes over loopback from this process to an echo server called directly, to bare
//! axum -> hyper proxies before it (one, and two in a row), to nginx `proxy_pass` before it
//! where nginx is installed, to an Odeon host whose worker echoes, and to an Odeon host
//! beside which there is no worker, so that every call goes on to the host that has one.
//! 256-byte bodies, 10,000 actors; 32 connections (calls a second) and one connection (p50).
//! All servers are processes of their own. `cargo bench -p odeon-bench --bench http`; with
//! `-- one` or `-- two` only what has so many hosts.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark")]

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use odeon_base::Tasks;
use odeon_bench::web::{self, Server};
use odeon_bench::{human, rounds};
use odeon_test_support::{Node, Placement, ports};

const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_millis(1500);

/// What is compared: its name, and where it listens.
struct Side(&'static str, u16);

fn nginx(folder: &Path, port: u16, echo: u16) -> Option<Server> {
    let config = format!(
        "worker_processes 2; daemon off; pid {0}/pid; error_log {0}/error.log;\nevents {{ worker_connections 512; }}\n\
         http {{ access_log off; client_body_temp_path {0}/b; proxy_temp_path {0}/p; fastcgi_temp_path {0}/f; uwsgi_temp_path {0}/u; scgi_temp_path {0}/s;\n\
         upstream e {{ server 127.0.0.1:{echo}; keepalive 64; }}\n\
         server {{ listen 127.0.0.1:{port}; keepalive_requests 100000000; location / {{ proxy_pass http://e; proxy_http_version 1.1; proxy_set_header Connection \"\"; }} }} }}",
        folder.display()
    );
    let file = folder.join("nginx.conf");
    std::fs::write(&file, config).unwrap();
    Server::start(Command::new("nginx").arg("-c").arg(&file)).ok()
}

/// One host, its worker beside it.
async fn one_host() {
    let folder = tempfile::tempdir().unwrap();
    let (_echo, echo) = web::echo();
    let (_proxy, proxy) = web::proxy(echo);
    let front = ports::free();
    let nginx = nginx(folder.path(), front, echo);
    let host = Node::builder(folder.path().join("data")).words(&["--app-id", "bench"]);
    let host = host.start().await;
    let _worker = web::worker(host.grpc);
    let mut sides = vec![Side("echo, called directly", echo), Side("axum -> hyper proxy", proxy)];
    if nginx.is_some() {
        sides.push(Side("nginx proxy_pass", front));
    }
    sides.push(Side("odeon, worker over gRPC", host.http));
    compare(&sides).await;
}

/// Two hosts; the worker is beside the one that is not called.
async fn two_hosts() {
    let folder = tempfile::tempdir().unwrap();
    let (_echo, echo) = web::echo();
    let (_near, near) = web::proxy(echo);
    let (_far, far) = web::proxy(near);
    let placement = Placement::builder(folder.path().join("placement"));
    let placement = placement.words(&["--new-cluster"]).start().await;
    let host = |name: &str| web::host(&folder.path().join(name), &placement.address()).start();
    let (caller, owner) = (host("caller").await, host("owner").await);
    let _worker = web::worker(owner.grpc);
    let sides = [
        Side("echo, called directly", echo),
        Side("two axum -> hyper proxies", far),
        Side("odeon, two hosts", caller.http),
    ];
    compare(&sides).await;
}

/// The first side is what all others lead to, the last is ours.
async fn compare(sides: &[Side]) {
    let tasks = Tasks::new("load");
    for Side(_, port) in sides {
        web::until_serving(*port, &tasks).await;
    }
    for connections in [32, 1] {
        let run = async |side: usize| {
            let Side(_, port) = sides[side];
            web::load(port, connections, ROUND, &tasks).await
        };
        let told = rounds(sides.len(), ROUNDS, run).await;
        println!("{connections} connections");
        for (Side(name, _), side) in sides.iter().zip(&told) {
            println!("  {name:26} {:>8}/s  p50 {:>6.0} us", human(side.rate), side.p50);
        }
        let (bare, ours) = (told[0], told[told.len() - 1]);
        for (Side(name, _), side) in sides.iter().zip(&told).take(sides.len() - 1).skip(1) {
            let part = ours.rate / side.rate;
            let added = (ours.p50 - bare.p50) / (side.p50 - bare.p50);
            println!("  odeon / {name}: {part:.2}, added p50 {added:.2}");
        }
    }
}

fn main() -> Result<(), String> {
    web::bench(
        |words| Box::pin(web::play(words)),
        &[("one", || Box::pin(one_host())), ("two", || Box::pin(two_hosts()))],
    )
}
