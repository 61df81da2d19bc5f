//! Placement for those outside its process: the gRPC service over a [`Handle`].
//!
//! A stream of the wire becomes a pair of channels as [`Handle::connect`] gives them. One
//! task reads what the host says; what it hears is pulled by the connection. It decides
//! nothing; the words are in `wire`, the reasons to refuse in `refusal`.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::{Stream, stream};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status, Streaming};

use odeon_base::{ActorId, ActorType, Namespace, TaskKind, Tasks};
use odeon_proto::odeon::placement::v1 as proto;
use odeon_ring::{ToHost, ToPlacement, TypeKey};
use proto::placement_server::{Placement, PlacementServer};

use crate::core::{Role, Snapshot};
use crate::handle::{Handle, Origin};
use crate::probe::is_of_this_machine;
use crate::refusal::Refusal;
use crate::token::Token;
use crate::wire::{self, AtPlacement, FromPlacement, MESSAGE_BYTES_MAX};

/// How it is noticed that the machine of a silent host is gone. A stream that breaks is only a
/// hint, so this need not be quicker than a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeepAlive {
    /// How often a silent connection is asked. Default: 2 s. Source: Dapr, `--keepalive-time`.
    pub interval: Duration,
    /// How long the answer may take. Default: 3 s. Source: Dapr, `--keepalive-timeout`.
    pub timeout: Duration,
}

impl Default for KeepAlive {
    fn default() -> Self {
        Self { interval: Duration::from_secs(2), timeout: Duration::from_secs(3) }
    }
}

/// How long a host may take from the opening of its stream to its report, unless told
/// otherwise. It has it at hand: whoever says nothing shall not hold a stream for nothing.
const FIRST_MESSAGE: Duration = Duration::from_secs(10);

/// Placement as a gRPC service. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Service {
    handle: Handle,
    token: Option<Token>,
    keep_alive: KeepAlive,
    first_message: Duration,
    tasks: Tasks,
}

impl Service {
    /// A service for whoever shows the token, or for all if there is none. The tasks that
    /// read from hosts belong to `tasks`.
    #[must_use]
    pub fn new(handle: Handle, token: Option<Token>, tasks: Tasks) -> Self {
        let keep_alive = KeepAlive::default();
        Self { handle, token, keep_alive, first_message: FIRST_MESSAGE, tasks }
    }

    /// The same with other times for silent connections.
    #[must_use]
    pub fn with_keep_alive(self, keep_alive: KeepAlive) -> Self {
        Self { keep_alive, ..self }
    }

    /// The same with another time for the first message of a stream. Default: 10 s.
    #[must_use]
    pub fn with_first_message(self, first_message: Duration) -> Self {
        Self { first_message, ..self }
    }

    /// The service as tonic wants it, with room for large reports.
    #[must_use]
    pub fn into_server(self) -> PlacementServer<Self> {
        PlacementServer::new(self).max_decoding_message_size(MESSAGE_BYTES_MAX)
    }

    /// Serves hosts on a listener until the tasks are told to stop, and ends their streams then.
    ///
    /// # Errors
    /// When the server cannot go on; a failing connection concerns its own peer alone.
    ///
    /// # Cancel safety
    /// Dropped, it takes no more connections; open streams end with the tasks.
    pub async fn serve(self, listener: TcpListener) -> Result<(), tonic::transport::Error> {
        let stopping = self.tasks.stopping().clone();
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        tonic::transport::Server::builder()
            .http2_keepalive_interval(Some(self.keep_alive.interval))
            .http2_keepalive_timeout(Some(self.keep_alive.timeout))
            .add_service(self.into_server())
            .serve_with_incoming_shutdown(incoming, stopping.cancelled_owned())
            .await
    }

    fn admit<T>(&self, request: &Request<T>) -> Result<(), Refusal> {
        match &self.token {
            Some(token) => Ok(token.check(request.metadata())?),
            None => Ok(()),
        }
    }
}

#[tonic::async_trait]
impl Placement for Service {
    type ConnectStream = Pin<Box<dyn Stream<Item = Result<proto::ToHost, Status>> + Send>>;

    async fn connect(
        &self,
        request: Request<Streaming<proto::ToPlacement>>,
    ) -> Result<Response<Self::ConnectStream>, Status> {
        let peer = request.remote_addr();
        if let Err(refusal) = self.admit(&request) {
            tracing::warn!(?peer, "refused a host: {refusal}");
            return Err(refusal.into());
        }
        let origin = Origin::default();
        let (to, from) = self.handle.connect_from(Arc::clone(&origin));
        let (refuse, refused) = oneshot::channel();
        let namespace = Arc::new(OnceLock::new());
        let over = CancellationToken::new();
        let stopping = self.tasks.stopping().clone();
        let heard = Hearing {
            to,
            reader: AtPlacement::default(),
            namespace: Arc::clone(&namespace),
            origin,
            first_message: self.first_message,
            is_near: peer.is_some_and(|peer| is_of_this_machine(peer.ip())),
        };
        let ended = over.clone();
        self.tasks.spawn(TaskKind::Stream, async move {
            let end = tokio::select! {
                biased;
                () = stopping.cancelled() => Some(Refusal::Closed),
                () = ended.cancelled() => None,
                end = heard.run(request.into_inner()) => end,
            };
            if let Some(refusal) = end {
                tracing::warn!(?peer, "ended the stream of a host: {refusal}");
                // Nobody there to be told: the host has gone meanwhile.
                let _ = refuse.send(refusal);
            }
        });
        let said = Saying {
            from,
            refused,
            writer: FromPlacement::new(),
            namespace,
            is_over: false,
            _over: over.drop_guard(),
        };
        Ok(Response::new(Box::pin(stream::unfold(said, Saying::next))))
    }

    async fn owner(
        &self,
        request: Request<proto::OwnerRequest>,
    ) -> Result<Response<proto::OwnerReply>, Status> {
        self.admit(&request)?;
        let (key, id) = asked(&request.into_inner()).map_err(Refusal::from)?;
        let answer = answer(&self.handle.tables(), &key, &id);
        Ok(Response::new(proto::OwnerReply { answer: Some(answer) }))
    }
}

/// What a host says, on its way to the one who decides.
struct Hearing {
    to: mpsc::Sender<ToPlacement>,
    reader: AtPlacement,
    namespace: Arc<OnceLock<Namespace>>,
    origin: Origin,
    first_message: Duration,
    /// Whether it speaks from an address of this machine.
    is_near: bool,
}

impl Hearing {
    /// Until the host ends the stream or goes away; or else why the stream must end.
    async fn run(mut self, mut incoming: Streaming<proto::ToPlacement>) -> Option<Refusal> {
        loop {
            let message = incoming.message();
            let heard = if self.reader.namespace().is_some() {
                message.await
            } else {
                let first = tokio::time::timeout(self.first_message, message);
                match first.await {
                    Ok(first) => first,
                    Err(_) => return Some(Refusal::Silent(self.first_message)),
                }
            };
            let heard = match heard {
                Ok(heard) => heard?,
                Err(broken) => {
                    tracing::debug!("the stream of a host broke: {}", broken.message());
                    return None;
                }
            };
            let message = match self.reader.hear(heard) {
                Ok(message) => message,
                Err(error) => return Some(error.into()),
            };
            if let Some(namespace) = self.reader.namespace() {
                self.namespace.get_or_init(|| namespace.clone());
            }
            if let Some(network) = self.reader.network().filter(|_| self.is_near) {
                self.origin.get_or_init(|| network.clone());
            }
            let Some(message) = message else { continue };
            if self.to.send(message).await.is_err() {
                return Some(Refusal::Closed);
            }
        }
    }
}

/// What a host is told, pulled by its connection: a host that does not read lets the
/// channel behind fill, which ends the stream.
struct Saying {
    from: mpsc::Receiver<ToHost>,
    refused: oneshot::Receiver<Refusal>,
    writer: FromPlacement,
    namespace: Arc<OnceLock<Namespace>>,
    is_over: bool,
    /// Ends the reading when the connection lets go of this.
    _over: DropGuard,
}

impl Saying {
    async fn next(mut self) -> Option<(Result<proto::ToHost, Status>, Self)> {
        loop {
            if self.is_over {
                return None;
            }
            let refusal = tokio::select! {
                biased;
                // Without a reason it was the host that ended the stream.
                refusal = &mut self.refused => refusal.ok()?,
                message = self.from.recv() => match message {
                    None => Refusal::Closed,
                    Some(message) => match self.writer.say(message, self.namespace.get()) {
                        Ok(Some(said)) => return Some((Ok(said), self)),
                        Ok(None) => continue,
                        Err(wrong) => {
                            tracing::error!("cannot say this to a host: {wrong}");
                            Refusal::Closed
                        }
                    },
                },
            };
            self.is_over = true;
            return Some((Err(refusal.into()), self));
        }
    }
}

fn asked(request: &proto::OwnerRequest) -> Result<(TypeKey, ActorId), wire::Wrong> {
    let proto::OwnerRequest { namespace, actor_type, actor_id } = request;
    let key = TypeKey {
        namespace: wire::name("namespace", namespace, Namespace::parse)?,
        actor_type: wire::name("actor_type", actor_type, ActorType::parse_placed)?,
    };
    Ok((key, wire::name("actor_id", actor_id, ActorId::parse)?))
}

/// Only who leads can tell; a follower says who does, if it knows.
fn answer(tables: &Snapshot, key: &TypeKey, id: &ActorId) -> proto::owner_reply::Answer {
    match tables.role {
        Role::Follower => {
            let leader = tables.leader.clone().unwrap_or_default();
            proto::owner_reply::Answer::NotLeader(proto::NotLeader { leader })
        }
        Role::New | Role::Leading => proto::owner_reply::Answer::Owner(owner(tables, key, id)),
    }
}

fn owner(tables: &Snapshot, key: &TypeKey, id: &ActorId) -> proto::Owner {
    let Some(view) = tables.types.get(key) else {
        return proto::Owner { member: None, epoch: None, awaited: Vec::new() };
    };
    let newest = view.chain.newest();
    let awaited = tables.awaited(key, id);
    proto::Owner {
        member: newest.owner(id.hash()).map(|member| wire::member_of(member)),
        epoch: Some(wire::epoch_of(newest.epoch())),
        awaited: awaited.iter().map(|member| wire::member_of(member)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_follower_names_the_leader_if_it_knows() {
        let request = proto::OwnerRequest {
            namespace: "default".into(),
            actor_type: "T".into(),
            actor_id: "1".into(),
        };
        let (key, id) = asked(&request).unwrap();
        for leader in [None, Some("there:1".to_owned())] {
            let named = leader.clone().unwrap_or_default();
            let tables = Snapshot { leader, ..Snapshot::default() };
            let expected = proto::NotLeader { leader: named };
            let answer = answer(&tables, &key, &id);
            assert_eq!(answer, proto::owner_reply::Answer::NotLeader(expected));
        }
        let tables = Snapshot { role: Role::Leading, ..Snapshot::default() };
        assert!(matches!(answer(&tables, &key, &id), proto::owner_reply::Answer::Owner(_)));
    }
}
