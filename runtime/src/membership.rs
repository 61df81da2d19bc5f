//! The loop that keeps this host's lease, tables and marks: shell of `ownership.rs`.
//!
//! It waits for word from placement, from the engine and from time, asks the pure
//! core, and performs the actions in their order: the right to run turns is taken
//! away before anything else is done about a lapse.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use odeon_base::backoff::Backoff;
use odeon_base::{ActorType, Epoch, Incarnation, TaskKind};
use odeon_ring::{ToPlacement, TypeOffer};
use tokio::sync::{mpsc, oneshot};

use crate::activation::Cut;
use crate::core::{Core, Notice};
use crate::drain;
use crate::lease::nanos;
use crate::ownership::{Action, Ownership};
use crate::seams::{PlacementLink, PlacementStream};
use crate::types::Types;

/// How long to wait before the next try to reach placement.
const RECONNECT: Backoff =
    Backoff { first: Duration::from_millis(100), max: Duration::from_secs(2) };

/// Word from the engine.
#[derive(Debug)]
pub(crate) enum Command {
    /// The types offered from now on.
    Offer(BTreeMap<ActorType, TypeOffer>),
    /// A drain is over.
    Drained(ActorType, Epoch),
    /// Tables without this host, please; told when everything is released.
    Leave(oneshot::Sender<()>),
    /// The stores are closed: end of this life.
    Farewell(oneshot::Sender<()>),
}

/// The membership loop.
#[derive(Debug)]
pub(crate) struct Membership {
    pub(crate) core: Arc<Core>,
    pub(crate) types: Arc<Types>,
    pub(crate) link: Arc<dyn PlacementLink>,
    pub(crate) ownership: Ownership,
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) notices: mpsc::Receiver<Notice>,
    pub(crate) to_self: mpsc::Sender<Command>,
    pub(crate) connected: tokio::sync::watch::Sender<bool>,
    pub(crate) left: Option<oneshot::Sender<()>>,
}

impl Membership {
    /// Runs until told to stop.
    pub(crate) async fn run(mut self) {
        let stop = self.core.tasks.stopping().clone();
        let mut attempt = 0;
        loop {
            let stream = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                stream = self.link.connect() => stream,
            };
            match stream {
                Ok(stream) => {
                    attempt = 0;
                    if self.serve(stream, &stop).await.is_break() {
                        return;
                    }
                    tracing::warn!(
                        "lost the connection to the placement service; the lease runs on"
                    );
                }
                Err(reason) => {
                    tracing::warn!("cannot reach the placement service: {reason}");
                }
            }
            self.ownership.disconnected();
            self.connected.send_replace(false);
            let wait = RECONNECT.wait(attempt, self.core.entropy.fraction());
            attempt += 1;
            if self.idle(wait, &stop).await.is_break() {
                return;
            }
        }
    }

    async fn serve(
        &mut self,
        mut stream: PlacementStream,
        stop: &tokio_util::sync::CancellationToken,
    ) -> std::ops::ControlFlow<()> {
        use std::ops::ControlFlow::{Break, Continue};
        let fresh = self.fresh();
        let now = self.now();
        let actions = self.ownership.connected(now, fresh);
        self.connected.send_replace(true);
        self.perform(actions, Some(&stream.to)).await;
        loop {
            let wait = self.ownership.next_tick(self.now());
            tokio::select! {
                biased;
                () = stop.cancelled() => return Break(()),
                message = stream.from.recv() => {
                    let Some(message) = message else { return Continue(()) };
                    let actions = self.ownership.received(message, self.now());
                    self.perform(actions, Some(&stream.to)).await;
                }
                Some(command) = self.commands.recv() => self.command(command, Some(&stream.to)).await,
                Some(Notice::FenceAhead(term)) = self.notices.recv() => {
                    let actions = self.ownership.fence_ahead(term);
                    self.perform(actions, Some(&stream.to)).await;
                }
                () = tokio::time::sleep(wait) => self.tick(Some(&stream.to)).await,
            }
        }
    }

    /// Without placement: the lease runs on and ends in its time.
    async fn idle(
        &mut self,
        wait: Duration,
        stop: &tokio_util::sync::CancellationToken,
    ) -> std::ops::ControlFlow<()> {
        let until = tokio::time::Instant::now() + wait;
        loop {
            let tick = self.ownership.next_tick(self.now());
            tokio::select! {
                biased;
                () = stop.cancelled() => return std::ops::ControlFlow::Break(()),
                () = tokio::time::sleep_until(until) => return std::ops::ControlFlow::Continue(()),
                Some(command) = self.commands.recv() => self.command(command, None).await,
                () = tokio::time::sleep(tick) => self.tick(None).await,
            }
        }
    }

    async fn tick(&mut self, to: Option<&mpsc::Sender<ToPlacement>>) {
        let fresh = self.fresh();
        let actions = self.ownership.tick(self.now(), fresh);
        self.perform(actions, to).await;
    }

    async fn command(&mut self, command: Command, to: Option<&mpsc::Sender<ToPlacement>>) {
        let actions = match command {
            Command::Offer(offers) => self.ownership.offer(offers),
            Command::Drained(actor_type, epoch) => self.ownership.drained(&actor_type, epoch),
            Command::Leave(left) => {
                self.left = Some(left);
                self.ownership.leave()
            }
            Command::Farewell(said) => {
                let actions = self.ownership.farewell();
                self.core.lease.end();
                self.perform(actions, to).await;
                let _ = said.send(());
                return;
            }
        };
        self.perform(actions, to).await;
    }

    async fn perform(&mut self, actions: Vec<Action>, to: Option<&mpsc::Sender<ToPlacement>>) {
        for action in actions {
            match action {
                Action::Send(message) => {
                    if let Some(to) = to {
                        // A closed stream shows itself on its other end.
                        let _ = to.send(message).await;
                    }
                }
                Action::Grant(grant) => self.core.lease.grant(grant),
                Action::Lapse => self.lapse(),
                Action::Publish(actor_type) => self.publish(&actor_type),
                Action::Drain(actor_type, epoch) => self.drain(actor_type, epoch),
                Action::Left => {
                    if let Some(left) = self.left.take() {
                        let _ = left.send(());
                    }
                }
            }
        }
    }

    fn lapse(&self) {
        self.core.lease.end();
        tracing::warn!(
            "the lease of this host ended; its activations are dropped and it joins anew"
        );
        for entry in self.types.all() {
            if let Some(hosting) = entry.hosting()
                && hosting.is_leased()
            {
                drain::cut_all(&hosting, Cut::Lease);
            }
        }
    }

    fn publish(&self, actor_type: &ActorType) {
        let now = self.core.lease.now();
        let entry = self.types.get_or_add(actor_type, now);
        let (chain, released) = self.ownership.view(actor_type);
        let chain = chain.cloned().map(Arc::new);
        let me = self.ownership.incarnation();
        let is_hostless = chain.as_ref().is_none_or(|chain| chain.newest().members().is_empty());
        entry.publish(|view| {
            view.chain.clone_from(&chain);
            view.me = me;
            view.released = released;
            view.hostless_since = is_hostless.then(|| view.hostless_since.unwrap_or(now));
        });
    }

    fn drain(&self, actor_type: ActorType, epoch: Epoch) {
        let hosting = self.types.get(actor_type.as_str()).and_then(|entry| entry.hosting());
        let to_self = self.to_self.clone();
        self.core.tasks.spawn(TaskKind::Drain, async move {
            if let Some(hosting) = hosting {
                drain::behind_shut_gates(&hosting).await;
            }
            let _ = to_self.send(Command::Drained(actor_type, epoch)).await;
        });
    }

    fn now(&self) -> Duration {
        Duration::from_nanos(self.core.lease.now())
    }

    fn fresh(&self) -> Incarnation {
        // Zero stands for nobody.
        Incarnation(self.core.entropy.u64().max(1))
    }
}

/// For a hostless type: how much longer a call may wait for a host, from `since`.
pub(crate) fn patience(since: Option<u64>, now: u64, wait: Duration) -> Duration {
    let end = since.unwrap_or(0).saturating_add(nanos(wait));
    Duration::from_nanos(end.saturating_sub(now))
}
