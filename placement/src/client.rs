//! A host's way to a placement in another process.
//!
//! A connection gives the same pair of channels as [`Handle::connect`](crate::Handle::connect)
//! does within the process. It keeps no lease and tries nothing again by itself: the host
//! connects anew when the stream ends, and waits in between as it sees fit.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::{Stream, StreamExt, stream};
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Streaming};

use odeon_base::kind::with_causes;
use odeon_base::{ActorId, Epoch, TaskKind, Tasks};
use odeon_proto::odeon::placement::v1 as proto;
use odeon_ring::{Member, ToHost, ToPlacement, TypeKey};
use proto::placement_client::PlacementClient;

use crate::token::Token;
use crate::wire::{self, Answered, AtHost, FromHost, Identity, MESSAGE_BYTES_MAX};

/// How long one address may take until its stream is open.
const ATTEMPT: Duration = Duration::from_secs(2);

/// How often a silent connection is asked whether placement is there, and how long the
/// answer may take: together less than a lease, so that another one can be tried in time.
const KEEP_ALIVE: Duration = Duration::from_secs(2);

/// How long a stream that the host has let go of may take to say what it was given before,
/// a farewell above all.
const LINGER: Duration = Duration::from_secs(1);

/// Settings of a client.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where placement may be, each as `name:port`; tried in turn.
    pub addresses: Vec<String>,
    /// What placement wants to be shown. Default: nothing.
    pub token: Option<Token>,
    /// Who the host is.
    pub identity: Identity,
    /// Messages that wait in each direction. Suggested: 1,024, as placement's own.
    pub queue: usize,
}

/// Opens streams to placement. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    config: Arc<Config>,
    tasks: Tasks,
    /// The address to begin with next time: each time the one after the last that was tried.
    next: Arc<AtomicUsize>,
    leader: Leader,
}

/// Where the leader is, by one who was not; asked once, since it may be wrong.
type Leader = Arc<Mutex<Option<String>>>;

impl Client {
    /// A client whose streams belong to `tasks`.
    #[must_use]
    pub fn new(config: Config, tasks: Tasks) -> Self {
        Self { config: Arc::new(config), tasks, next: Arc::default(), leader: Arc::default() }
    }

    /// Opens a stream: where the host sends, and where it hears.
    ///
    /// Tried are the leader, if one is known of, and each address once. When either side ends
    /// the stream or says what cannot be understood, both channels end; so they do after
    /// `NotLeader`, and the next stream goes to the leader that it named.
    ///
    /// # Errors
    /// For each address that was tried, why it could not be reached or refused the host.
    ///
    /// # Cancel safety
    /// Dropped before it returns, no stream is left open.
    pub async fn connect(
        &self,
    ) -> Result<(mpsc::Sender<ToPlacement>, mpsc::Receiver<ToHost>), String> {
        let leader = self.leader.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut reasons = Vec::new();
        if let Some(address) = leader {
            match within(self.open(&address)).await {
                Ok(pair) => return Ok(pair),
                Err(reason) => reasons.push(format!("{address} (said to lead): {reason}")),
            }
        }
        for address in self.turns() {
            match within(self.open(address)).await {
                Ok(pair) => return Ok(pair),
                Err(reason) => reasons.push(format!("{address}: {reason}")),
            }
        }
        Err(all_of(&reasons))
    }

    /// Who owns an actor, by the newest table that placement has, and the name of that table;
    /// `None` while nobody offers the type. Asked on a connection of its own.
    ///
    /// # Errors
    /// For each address that was tried, why it did not answer.
    ///
    /// # Cancel safety
    /// Can be dropped at will.
    pub async fn owner(
        &self,
        key: &TypeKey,
        id: &ActorId,
    ) -> Result<Option<(Member, Epoch)>, String> {
        let mut reasons = Vec::new();
        for address in self.turns() {
            let mut address = address.to_owned();
            // Two words from followers in a row say that nobody leads now.
            for _ in 0..2 {
                match within(self.ask(&address, key, id)).await {
                    Ok(Answered::Owner(owner)) => return Ok(owner),
                    Ok(Answered::NotLeader(leader)) => {
                        reasons.push(format!("{address}: it does not lead"));
                        let Some(leader) = leader else { break };
                        address = leader;
                    }
                    Err(reason) => {
                        reasons.push(format!("{address}: {reason}"));
                        break;
                    }
                }
            }
        }
        Err(all_of(&reasons))
    }

    /// Each address once, beginning with another one each time.
    fn turns(&self) -> impl Iterator<Item = &str> {
        let addresses = &self.config.addresses;
        let next = || self.next.fetch_add(1, Ordering::Relaxed) % addresses.len();
        addresses.iter().map(move |_| addresses[next()].as_str())
    }

    async fn ask(&self, address: &str, key: &TypeKey, id: &ActorId) -> Result<Answered, String> {
        let mut client = reach(address).await?;
        let mut request = Request::new(proto::OwnerRequest {
            namespace: key.namespace.to_string(),
            actor_type: key.actor_type.to_string(),
            actor_id: id.to_string(),
        });
        if let Some(token) = &self.config.token {
            token.show(request.metadata_mut());
        }
        let answered = client.owner(request).await.map_err(|status| status.message().to_owned())?;
        wire::answered(answered.into_inner()).map_err(|wrong| wrong.to_string())
    }

    async fn open(
        &self,
        address: &str,
    ) -> Result<(mpsc::Sender<ToPlacement>, mpsc::Receiver<ToHost>), String> {
        let mut client = reach(address).await?;
        let (to, outgoing) = mpsc::channel(self.config.queue.max(1));
        let (heard, from) = mpsc::channel(self.config.queue.max(1));
        let over = CancellationToken::new();
        let mut request = Request::new(self.say(outgoing, over.clone()));
        if let Some(token) = &self.config.token {
            token.show(request.metadata_mut());
        }
        let answered = client.connect(request).await;
        let incoming = answered.map_err(|status| status.message().to_owned())?.into_inner();
        let hearing = Hearing {
            address: address.to_owned(),
            reader: AtHost::new(self.config.identity.namespace.clone()),
            heard: Some(heard),
            leader: Arc::clone(&self.leader),
            _over: over.drop_guard(),
        };
        self.tasks.spawn(TaskKind::Stream, hearing.run(incoming, self.tasks.stopping().clone()));
        Ok((to, from))
    }

    /// What the host says, as the wire has it, until the stream is over.
    fn say(
        &self,
        outgoing: mpsc::Receiver<ToPlacement>,
        over: CancellationToken,
    ) -> impl Stream<Item = proto::ToPlacement> + Send + 'static {
        let writer = FromHost::new(self.config.identity.clone());
        let state = (outgoing, writer, VecDeque::new());
        let said = stream::unfold(state, |(mut outgoing, mut writer, mut ready)| async move {
            loop {
                if let Some(message) = ready.pop_front() {
                    return Some((message, (outgoing, writer, ready)));
                }
                match writer.say(outgoing.recv().await?) {
                    Ok(said) => ready.extend(said),
                    Err(wrong) => {
                        tracing::error!("cannot say this to placement: {wrong}");
                        return None;
                    }
                }
            }
        });
        said.take_until(over.cancelled_owned())
    }
}

async fn reach(address: &str) -> Result<PlacementClient<Channel>, String> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))
        .map_err(|error| with_causes(&error))?
        .connect_timeout(ATTEMPT)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE);
    let channel = endpoint.connect().await.map_err(|error| with_causes(&error))?;
    Ok(PlacementClient::new(channel).max_decoding_message_size(MESSAGE_BYTES_MAX))
}

async fn within<T>(attempt: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let attempt = tokio::time::timeout(ATTEMPT, attempt);
    attempt.await.unwrap_or_else(|_| Err(format!("no answer within {ATTEMPT:?}")))
}

fn all_of(reasons: &[String]) -> String {
    match reasons {
        [] => "no address of a placement service was given".to_owned(),
        _ => reasons.join("; "),
    }
}

/// What placement says, on its way to the host.
struct Hearing {
    address: String,
    reader: AtHost,
    /// None once the host does not listen any more.
    heard: Option<mpsc::Sender<ToHost>>,
    leader: Leader,
    /// Ends the other direction too.
    _over: DropGuard,
}

impl Hearing {
    async fn run(mut self, mut incoming: Streaming<proto::ToHost>, stopping: CancellationToken) {
        let Some(heard) = self.heard.take() else { return };
        tokio::select! {
            biased;
            () = stopping.cancelled() => {}
            () = heard.closed() => {}
            () = self.pass_on(&heard, &mut incoming) => return,
        }
        // The host hears no more, but what it said before is still on its way. Placement
        // ends the stream when it has read all.
        drop(heard);
        let rest = async { while let Ok(Some(_)) = incoming.message().await {} };
        let _ = tokio::time::timeout(LINGER, rest).await;
    }

    async fn pass_on(
        &mut self,
        heard: &mpsc::Sender<ToHost>,
        incoming: &mut Streaming<proto::ToHost>,
    ) {
        let address = &self.address;
        loop {
            let message = match incoming.message().await {
                Ok(Some(message)) => message,
                Ok(None) => {
                    return tracing::info!(address, "placement ended the stream");
                }
                Err(status) => {
                    return tracing::warn!(
                        address,
                        "the stream from placement ended: {}",
                        status.message()
                    );
                }
            };
            let message = match self.reader.hear(message) {
                Ok(message) => message,
                Err(error) => {
                    return tracing::warn!(
                        address,
                        "placement said what cannot be understood: {error}"
                    );
                }
            };
            let is_last = if let ToHost::NotLeader { address: leader } = &message {
                self.leader.lock().unwrap_or_else(PoisonError::into_inner).clone_from(leader);
                true
            } else {
                false
            };
            if heard.send(message).await.is_err() || is_last {
                return;
            }
        }
    }
}
