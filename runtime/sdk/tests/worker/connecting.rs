//! A connection that comes to nothing is the business of those who waited for it.
//!
//! The host's door here does not answer for a while: its queue is as short as it can be, and
//! full. So a connection hangs for as long as the test likes, and is refused once the door
//! is gone.

#![expect(clippy::unwrap_used, reason = "a test's own door: what breaks here fails the test")]

use std::net::{Shutdown, SocketAddr};
use std::pin::pin;
use std::time::Duration;

use futures::{StreamExt as _, future, stream};
use odeon_base::Execution;
use odeon_sdk::Client;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};

use crate::host::{Host, in_time};
use crate::scene_of;

/// How often a condition is looked at.
const EVERY: Duration = Duration::from_millis(5);

/// A door with room for one connection in its queue.
fn door() -> (TcpListener, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let door = socket.listen(0).unwrap();
    let address = door.local_addr().unwrap();
    (door, address)
}

/// Waits until so many connections to a port are being made, by the system's own list.
async fn until_connecting(address: SocketAddr, connections: usize) {
    let remote = format!("0100007F:{:04X}", address.port());
    let mut look = tokio::time::interval(EVERY);
    let waiting = || {
        let all = std::fs::read_to_string("/proc/net/tcp").unwrap();
        // Local address, remote address, state; 2 is SYN_SENT.
        let is_one = |line: &&str| {
            let mut words = line.split_whitespace().skip(2);
            (words.next(), words.next()) == (Some(&*remote), Some("02"))
        };
        all.lines().filter(is_one).count()
    };
    in_time(async {
        while waiting() < connections {
            look.tick().await;
        }
    })
    .await;
}

/// Takes the door away; returns once all who waited there have been refused.
async fn refuse(door: TcpListener, address: SocketAddr, before: usize, queued: TcpStream) {
    // The last one in the row: the system tries again for each after the same time.
    let last = pin!(TcpStream::connect(address));
    let gone = async {
        until_connecting(address, before + 1).await;
        drop((door, queued));
    };
    let (last, ()) = futures::join!(last, gone);
    assert!(last.is_err(), "{last:?}");
}

/// A host of that address.
async fn host(address: SocketAddr) -> Host {
    let listener = TcpListener::bind(address).await.unwrap();
    Host::start_with(address, TcpListenerStream::new(listener))
}

/// A client whose first call was given up while it connected, which then came to nothing.
async fn client_of_one_that_died() -> (Client, SocketAddr) {
    let (door, address) = door();
    let queued = TcpStream::connect(address).await.unwrap();
    let client = Client::connect(&format!("http://{address}")).unwrap();
    {
        let given_up = pin!(client.invoke("Counter", "c1", "add", "1"));
        let connecting = pin!(until_connecting(address, 1));
        let first = future::select(given_up, connecting).await;
        assert!(matches!(first, future::Either::Right(_)));
    }
    refuse(door, address, 1, queued).await;
    (client, address)
}

#[tokio::test]
async fn the_first_call_to_a_host_that_is_back_reaches_it() {
    let (client, address) = client_of_one_that_died().await;
    let _host = host(address).await;
    let answer = in_time(client.invoke("Counter", "c1", "add", "1")).await;
    assert_eq!(answer.unwrap(), "1");
}

#[tokio::test]
async fn a_call_that_was_never_sent_has_certainly_not_run() {
    let (client, _) = client_of_one_that_died().await;
    let nobody = in_time(client.invoke("Counter", "c1", "add", "1")).await.unwrap_err();
    assert_eq!(nobody.execution(), Execution::None, "{nobody}");
}

#[tokio::test]
async fn a_turn_is_not_told_how_connecting_ended_for_one_of_a_stream_before() {
    let (door, address) = door();
    let (taken, streams) = mpsc::channel(1);
    let incoming = ReceiverStream::new(streams);
    let mut scene = scene_of(Host::start_with(address, incoming.chain(stream::pending())));
    let connection = in_time(door.accept()).await.unwrap().0.into_std().unwrap();
    let end = connection.try_clone().unwrap();
    taken.send(TcpStream::from_std(connection)).await.unwrap();
    let mut line = scene.host.welcome().await;

    // From here on nobody takes connections, and a turn wants one for its state.
    let queued = TcpStream::connect(address).await.unwrap();
    line.ask("c1", "value", "").await;
    until_connecting(address, 1).await;
    end.shutdown(Shutdown::Both).unwrap();
    drop(line);
    // The worker tries for its next stream: that turn has been cut.
    until_connecting(address, 2).await;
    refuse(door, address, 2, queued).await;

    scene.host = host(address).await;
    let mut line = scene.host.welcome().await;
    assert_eq!(line.turn("c1", "value", "").await, Ok("0".to_owned()));
}
