//! Calls from host to host over the simulated network.
//!
//! One connection between two hosts carries many calls, each a stream of its own: they
//! overtake each other. A process that dies resets its connections, a place without a
//! process refuses them, and a way that is cut holds up what is on it until it is mended,
//! or whoever sent it has had enough.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use odeon_base::TaskKind;
use odeon_ring::Member;
use odeon_runtime::peers::PeerError;
use odeon_runtime::seams::Peers;
use odeon_runtime::{Error, Invocation, Reply};
use tokio::sync::oneshot;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::host::{Process, slot};
use crate::net::Node;
use crate::world::World;

/// How long making a connection may take.
const CONNECT_MAX: Duration = Duration::from_secs(1);

/// One host's way to the others.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) world: Arc<World>,
    pub(crate) slot: usize,
}

/// What came of a call.
enum Fate {
    Answered(Box<Result<Reply, Error>>),
    Refused(&'static str),
    Lost(&'static str),
}

impl Peers for Wire {
    fn call<'a>(
        &'a self,
        to: &'a Member,
        _: u64,
        call: &'a Invocation,
    ) -> BoxFuture<'a, Result<Reply, PeerError>> {
        async move {
            let (host, address) = (to.host.to_string(), to.address.to_string());
            let Some(there) = slot(&address) else {
                let reason = "no such address".to_owned();
                return Err(PeerError::Unreachable { host, address, reason });
            };
            let (tell, told) = oneshot::channel();
            let hung_up = CancellationToken::new();
            let _here: DropGuard = hung_up.clone().drop_guard();
            let (world, from, call) = (Arc::clone(&self.world), self.slot, call.clone());
            self.world.tasks.spawn(TaskKind::Stream, async move {
                let fate = carry(&world, from, there, call, hung_up).await;
                let _ = tell.send(fate);
            });
            match told.await.unwrap_or(Fate::Lost("the network is gone")) {
                Fate::Answered(answer) => answer.map_err(told_of),
                Fate::Refused(reason) => {
                    Err(PeerError::Unreachable { host, address, reason: reason.to_owned() })
                }
                Fate::Lost(reason) => {
                    Err(PeerError::Lost { host, address, reason: reason.to_owned() })
                }
            }
        }
        .boxed()
    }
}

async fn carry(
    world: &Arc<World>,
    from: usize,
    there: usize,
    call: Invocation,
    hung_up: CancellationToken,
) -> Fate {
    let (a, b) = (Node::Host(from), Node::Host(there));
    let line = world.net.line(a, b);
    // Half of the connections stand already: then what is sent is on its way, for good.
    let is_connected = world.chance.one_in(2);
    let arriving = world.net.pass(a, b);
    if is_connected {
        tokio::select! {
            biased;
            () = arriving => {}
            () = line.cancelled() => return Fate::Lost("the connection was reset"),
        }
    } else if tokio::time::timeout(CONNECT_MAX, arriving).await.is_err() {
        return Fate::Refused("no answer");
    }
    let Some(process) = world.process(there).filter(|process| !process.gone.is_cancelled()) else {
        world.net.pass(b, a).await;
        return Fate::Refused("connection refused");
    };
    let answered = serve(world, &process, (a, b), call, hung_up);
    let fate = tokio::select! {
        biased;
        answer = answered => answer.map_or(Fate::Lost("the connection was reset"), |answer| Fate::Answered(Box::new(answer))),
        () = process.gone.cancelled() => Fate::Lost("the connection was reset"),
        () = line.cancelled() => return Fate::Lost("the connection was reset"),
    };
    tokio::select! {
        biased;
        () = world.net.pass(b, a) => fate,
        () = line.cancelled() => Fate::Lost("the connection was reset"),
    }
}

/// The host has the call run, until it is answered or nobody waits for it any more.
fn serve(
    world: &Arc<World>,
    process: &Arc<Process>,
    (a, b): (Node, Node),
    call: Invocation,
    hung_up: CancellationToken,
) -> oneshot::Receiver<Result<Reply, Error>> {
    let (tell, told) = oneshot::channel();
    let (world, engine, guest) = (Arc::clone(world), process.engine.clone(), Guest::enter(process));
    process.tasks.spawn(TaskKind::Connection, async move {
        let _guest = guest;
        let abandoned = async {
            hung_up.cancelled().await;
            world.net.pass(a, b).await;
        };
        tokio::select! {
            biased;
            answer = engine.call(call) => {
                let _ = tell.send(answer);
            }
            () = abandoned => {}
        }
    });
    told
}

/// Somebody whom a process serves.
#[derive(Debug)]
pub(crate) struct Guest(Arc<Process>);

impl Guest {
    pub(crate) fn enter(process: &Arc<Process>) -> Self {
        process.serving.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(process))
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.0.serving.fetch_sub(1, Ordering::Relaxed);
    }
}

fn told_of(error: Error) -> PeerError {
    match error {
        Error::Moved { epoch, .. } => PeerError::Moved(epoch),
        other => PeerError::Failed(other.to_failure(String::new())),
    }
}
