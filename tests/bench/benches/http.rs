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
use odeon_bench::{Rates, human};
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
        let mut rates = vec![Rates::default(); sides.len()];
        let mut p50s = vec![Vec::new(); sides.len()];
        for round in 0..=ROUNDS {
            for (side, Side(_, port)) in sides.iter().enumerate() {
                let (calls, took, p50) = web::load(*port, connections, ROUND, &tasks).await;
                if round > 0 {
                    rates[side].push(calls, took);
                    p50s[side].push(p50);
                }
            }
        }
        p50s.iter_mut().for_each(|p50s| p50s.sort_by(f64::total_cmp));
        let p50 = |side: usize| p50s[side][ROUNDS / 2];
        println!("{connections} connections");
        for (side, Side(name, _)) in sides.iter().enumerate() {
            println!("  {name:26} {:>8}/s  p50 {:>6.0} us", human(rates[side].median()), p50(side));
        }
        let ours = sides.len() - 1;
        for side in 1..ours {
            let part = rates[ours].median() / rates[side].median();
            let added = (p50(ours) - p50(0)) / (p50(side) - p50(0));
            println!("  odeon / {}: {part:.2}, added p50 {added:.2}", sides[side].0);
        }
    }
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        web::play(&words).await;
        let only = |what: &str| {
            !words.iter().any(|word| ["one", "two"].contains(&&**word) && word != what)
        };
        if only("one") {
            one_host().await;
        }
        if only("two") {
            two_hosts().await;
        }
    });
}
