//! The HTTP door as bytes on a connection: HTTP/1.1 and h2c on one port, limits,
//! and what no client library would send.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Version};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use odeon_base::{TaskKind, Tasks};
use odeon_host::http::{Protocol, serve, serve_connection};
use odeon_test_wire::Rig;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

const HTTP: Protocol = Protocol::Http(4 << 10);

/// The client's end of a connection to the rig's HTTP door.
fn connect(rig: &Rig, protocol: Protocol) -> DuplexStream {
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let door = rig.http.clone();
    rig.tasks.spawn(TaskKind::Connection, async move {
        serve_connection(theirs, protocol, door).await;
    });
    ours
}

/// Everything that comes back for these bytes, until the connection ends.
async fn exchange(rig: &Rig, sent: &[u8]) -> String {
    let (mut read, mut write) = tokio::io::split(connect(rig, HTTP));
    let mut told = Vec::new();
    let both = async {
        tokio::join!(read.read_to_end(&mut told), async {
            // The other end may have hung up before all was sent.
            let _ = write.write_all(sent).await;
        })
    };
    let both = timeout(Duration::from_secs(60), both).await;
    assert!(both.is_ok(), "the connection hangs: {}", String::from_utf8_lossy(&told));
    String::from_utf8_lossy(&told).into_owned()
}

/// The same for bytes after which the client says that no more will come.
async fn exchange_all(rig: &Rig, sent: &[u8]) -> String {
    let mut connection = connect(rig, HTTP);
    let _ = connection.write_all(sent).await;
    let _ = connection.shutdown().await;
    let mut told = Vec::new();
    let read = timeout(Duration::from_secs(60), connection.read_to_end(&mut told)).await;
    assert!(read.is_ok(), "the connection hangs");
    String::from_utf8_lossy(&told).into_owned()
}

fn post(path: &str, extra: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nhost: h\r\ncontent-length: {length}\r\n{extra}\r\n{body}")
        .into()
}

#[tokio::test(start_paused = true)]
async fn requests_follow_each_other_on_one_connection() {
    let rig = Rig::start().await;
    let mut sent = post("/v1.0/actors/T/a/method/echo", "", "one");
    sent.extend(post("/v1.0/actors/T/a/method/echo", "connection: close\r\n", "two"));
    let told = exchange(&rig, &sent).await;
    let (one, two) = (told.find("\r\n\r\none").unwrap(), told.find("\r\n\r\ntwo").unwrap());
    assert!(one < two && told.matches("HTTP/1.1 200 OK").count() == 2, "{told}");
}

#[tokio::test(start_paused = true)]
async fn chunked_bodies_are_read_and_limited() {
    let rig = Rig::with(|parts| parts.limits.body_bytes = Some(10)).await;
    let chunked = |body: &str| {
        format!(
            "PUT /v1.0/actors/T/a/method/echo HTTP/1.1\r\nhost: h\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n{body}"
        )
    };
    let told = exchange(&rig, chunked("3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n").as_bytes()).await;
    assert!(told.ends_with("\r\n\r\nabcdefg"), "{told}");
    let told = exchange(&rig, chunked("6\r\nabcdef\r\n6\r\nabcdef\r\n0\r\n\r\n").as_bytes()).await;
    assert!(told.contains("400 Bad Request") && told.contains("ERR_BAD_REQUEST"), "{told}");
    for broken in ["6\r\nabc", "zz\r\nabc"] {
        // Such a connection is of no further use to either side.
        let told = exchange_all(&rig, chunked(broken).as_bytes()).await;
        assert!(told.is_empty() || told.contains("400"), "{told}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_huge_body_is_refused_and_the_answer_arrives() {
    let rig = Rig::start().await;
    let body = "x".repeat(5 << 20);
    let close = "connection: close\r\n";
    let told = exchange(&rig, &post("/v1.0/actors/T/a/method/echo", close, &body)).await;
    assert!(told.contains("ERR_BAD_REQUEST"), "{}", &told[..told.len().min(300)]);
    let told = exchange(&rig, &post("/v1.0/actors/T/a/state", close, &body)).await;
    assert!(told.contains("ERR_BODY_READ"), "{}", &told[..told.len().min(300)]);
}

#[tokio::test(start_paused = true)]
async fn garbage_is_answered_with_a_400_or_a_closed_connection() {
    let rig = Rig::start().await;
    let long = format!("GET /{} HTTP/1.1\r\nhost: h\r\n\r\n", "x".repeat(200_000));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(500));
    for sent in [
        &b"\0\0\0\0\r\n\r\n"[..],
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /a b HTTP/1.1\r\n\r\n",
        b"GET /\x01 HTTP/1.1\r\nhost: h\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nhost: h\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nbad header\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\ngarbage that is no frame at all",
        b"OPTIONS * HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n",
        long.as_bytes(),
        many.as_bytes(),
    ] {
        let told = exchange_all(&rig, sent).await;
        let is_refused =
            told.is_empty() || told.starts_with("HTTP/1.1 4") || !told.starts_with("HTTP/1.1");
        assert!(is_refused, "{:?}: {told}", String::from_utf8_lossy(&sent[..sent.len().min(60)]));
    }
}

#[tokio::test(start_paused = true)]
async fn http_2_is_spoken_by_prior_knowledge_and_an_upgrade_is_left_alone() {
    let rig = Rig::start().await;
    let io = TokioIo::new(connect(&rig, HTTP));
    let (mut client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    rig.tasks.spawn(TaskKind::Connection, async move {
        let _ = connection.await;
    });
    let request = Request::post("http://h/v1.0/actors/T/a/method/echo")
        .body(Full::new(Bytes::from_static(b"x")))
        .unwrap();
    let response = client.send_request(request).await.unwrap();
    assert_eq!((response.version(), response.status().as_u16()), (Version::HTTP_2, 200));
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "x");
    let upgrade = "connection: upgrade, http2-settings, close\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAARAAAAAAAIAAAAA\r\n";
    let told = exchange(&rig, &post("/v1.0/actors/T/a/method/echo", upgrade, "x")).await;
    assert!(told.starts_with("HTTP/1.1 200 OK"), "{told}");
}

#[tokio::test(start_paused = true)]
async fn a_head_may_take_ten_seconds_and_an_idle_connection_as_long_as_it_likes() {
    let rig = Rig::start().await;
    let mut connection = connect(&rig, HTTP);
    let request = post("/v1.0/actors/T/a/method/slow", "", "20000");
    for _ in 0..3 {
        // The call takes longer than a head may, and so does the pause after it.
        connection.write_all(&request).await.unwrap();
        let mut told = [0; 15];
        connection.read_exact(&mut told).await.unwrap();
        assert_eq!(&told, b"HTTP/1.1 200 OK");
        let rest = timeout(Duration::from_secs(60), connection.read_to_end(&mut Vec::new())).await;
        assert!(rest.is_err(), "an idle connection stays open");
    }
    connection.write_all(&request[..20]).await.unwrap();
    let before = tokio::time::Instant::now();
    connection.read_to_end(&mut Vec::new()).await.unwrap();
    assert_eq!(before.elapsed().as_secs(), 10, "half a head does not");
}

#[tokio::test]
async fn a_listener_stops_accepting_and_lets_open_requests_end() {
    let rig = Rig::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let tasks = Tasks::new("doors");
    let serving = serve(listener, HTTP, rig.http.clone(), tasks.clone());
    tasks.spawn(TaskKind::Listener, serving);
    let mut connection = TcpStream::connect(address).await.unwrap();
    let sent = post("/v1.0/actors/T/a/method/slow", "", "300");
    connection.write_all(&sent).await.unwrap();
    let mut idle = TcpStream::connect(address).await.unwrap();
    idle.write_all(b"GET /v1.0/healthz HTTP/1.1\r\nhost: h\r\n\r\n").await.unwrap();
    let mut first = [0; 12];
    idle.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 204");
    // The slow request has to be in hand before the doors close.
    while rig.engine.metrics().iter().all(|of| of.running == 0) {
        tokio::task::yield_now().await;
    }
    let (stopped, told) = tokio::join!(tasks.stop(Duration::from_secs(10)), async {
        let mut told = Vec::new();
        connection.read_to_end(&mut told).await.unwrap();
        String::from_utf8_lossy(&told).into_owned()
    });
    assert!(told.starts_with("HTTP/1.1 200 OK"), "{told}");
    assert_eq!(stopped, Ok(()));
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).await.unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}
