//! The shell for one process: runs the core with one ledger and in-process streams.
//!
//! One task waits for streams, the ledger and the clock, asks the core and does what
//! it says. It decides nothing; `core` does. What others see of it is in `handle`;
//! `service` brings hosts of other processes through the same [`Handle::connect`].

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::future::{BoxFuture, OptionFuture};
use futures::stream::{self, BoxStream, FuturesUnordered, SelectAll};
use tokio::sync::{mpsc, watch};

#[cfg(feature = "defects")]
use odeon_base::defect::Defect;
use odeon_base::{Incarnation, LeaseClock, TaskKind, Tasks};
use odeon_ring::{ToHost, ToPlacement};

use crate::config::Config;
use crate::core::{Action, Connection, Core, Event};
use crate::error::Error;
use crate::handle::{Arrival, Handle, Leases, Origin, Published};
use crate::ledger::{Ledger, LedgerError};
use crate::outbound::{Full, Outbound};
use crate::probe::{self, Probe};
use crate::record::{Record, Roster};

/// What a stream brings; nothing more when it has ended.
type Inbound = BoxStream<'static, (Connection, Option<ToPlacement>)>;

/// Hosts that are knocked at at the same time; of more the lease decides.
const PROBES_MAX: usize = 256;

/// Placement in one process.
#[derive(Debug)]
pub struct Embedded;

impl Embedded {
    /// Raises the term, durably, and starts the one task that decides.
    ///
    /// # Errors
    /// [`Error::Config`] when a setting is out of range, [`Error::Ledger`] when the record
    /// cannot be read or written, [`Error::TermExhausted`] when there is no higher term.
    ///
    /// # Cancel safety
    /// Dropped before it returns, it has at most raised the term; nothing runs.
    pub async fn start(
        config: Config,
        ledger: Arc<dyn Ledger>,
        clock: Arc<dyn LeaseClock>,
        tasks: &Tasks,
    ) -> Result<Handle, Error> {
        Self::run(config, ledger, clock, None, tasks).await
    }

    /// The same, and where a stream breaks, the probe is asked whether its host has died.
    ///
    /// # Errors
    /// As [`Embedded::start`].
    ///
    /// # Cancel safety
    /// As [`Embedded::start`].
    pub async fn start_probing(
        config: Config,
        ledger: Arc<dyn Ledger>,
        clock: Arc<dyn LeaseClock>,
        probe: Arc<dyn Probe>,
        tasks: &Tasks,
    ) -> Result<Handle, Error> {
        Self::run(config, ledger, clock, Some(probe), tasks).await
    }

    async fn run(
        config: Config,
        ledger: Arc<dyn Ledger>,
        clock: Arc<dyn LeaseClock>,
        probe: Option<Arc<dyn Probe>>,
        tasks: &Tasks,
    ) -> Result<Handle, Error> {
        config.check()?;
        let (term, roster) = Self::take_term(&*ledger, &config).await?;
        tracing::info!(term, roster = roster.as_ref().map(Roster::len), "placement takes its term");
        let core = Core::new(config.clone());
        let (publish, published) = watch::channel(Published {
            snapshot: Arc::new(core.snapshot()),
            is_ledger_failing: false,
        });
        let (arrivals, arriving) = mpsc::channel(config.backlog);
        let queue = config.queue;
        let leases = Leases::new(Arc::clone(&clock));
        let shell = Shell {
            wake: None,
            saving: OptionFuture::from(None),
            is_ledger_failing: false,
            inbound: SelectAll::new(),
            outbound: Outbound::default(),
            origins: BTreeMap::new(),
            probe,
            probes: FuturesUnordered::new(),
            connections: 0,
            core,
            config,
            ledger,
            clock,
            publish,
            leases: leases.clone(),
        };
        let stopping = tasks.stopping().clone();
        tasks.spawn(TaskKind::Membership, async move {
            // Dropping the streams on the way out tells every host.
            tokio::select! {
                biased;
                () = stopping.cancelled() => {}
                () = shell.run(Event::Elected { term, roster }, arriving) => {}
            }
        });
        Ok(Handle::new(published, arrivals, leases, queue))
    }

    /// The term is on disk before anything is granted under it.
    async fn take_term(
        ledger: &dyn Ledger,
        config: &Config,
    ) -> Result<(u64, Option<Roster>), Error> {
        let (term, roster) = match ledger.load().await? {
            None => (config.first_term, config.is_new_cluster.then(Roster::new)),
            Some(Record { term, roster }) => {
                (term.checked_add(1).ok_or(Error::TermExhausted { term })?, roster)
            }
        };
        ledger.save(Record { term, roster: roster.clone() }).await?;
        Ok((term, roster))
    }
}

/// What became of a record that was to be saved.
type Saved = Result<(), LedgerError>;

/// The state of the task.
struct Shell {
    core: Core,
    config: Config,
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn LeaseClock>,
    publish: watch::Sender<Published>,
    leases: Leases,
    /// When to look again, on the lease clock.
    wake: Option<Duration>,
    /// The save under way, with the record in case it must be repeated.
    saving: OptionFuture<BoxFuture<'static, (Record, Saved)>>,
    is_ledger_failing: bool,
    inbound: SelectAll<Inbound>,
    outbound: Outbound,
    /// The networks that hosts said they are in, by stream.
    origins: BTreeMap<Connection, Origin>,
    probe: Option<Arc<dyn Probe>>,
    /// Hosts whose stream broke, and in the end whether they have died.
    probes: FuturesUnordered<BoxFuture<'static, (Incarnation, bool)>>,
    connections: u64,
}

impl Shell {
    async fn run(mut self, first: Event, mut arriving: mpsc::Receiver<Arrival>) {
        self.step(first);
        loop {
            let wait = self.wait();
            // Whether to look again by itself is for the core to say; a stream that
            // never falls silent cannot starve it, since every step tells it the time.
            let event = tokio::select! {
                biased;
                Some(done) = &mut self.saving => self.saved(done),
                Some(arrival) = arriving.recv() => self.arrived(arrival),
                Some((incarnation, is_dead)) = self.probes.next() => {
                    is_dead.then_some(Event::Dead(incarnation))
                }
                never = poll_fn(|cx| self.outbound.poll_flush(cx)) => match never {},
                Some((from, message)) = self.inbound.next() => self.received(from, message),
                () = tokio::time::sleep(wait) => Some(Event::Tick),
            };
            if let Some(event) = event {
                self.step(event);
            }
        }
    }

    /// How long to sleep at most: the lease clock goes on while the machine sleeps and
    /// tokio's does not, so a long sleep is taken in pieces.
    fn wait(&self) -> Duration {
        let longest = self.config.lease / 5;
        self.wake.map_or(longest, |at| at.saturating_sub(self.clock.now()).min(longest))
    }

    fn step(&mut self, event: Event) {
        // A stream can break while it is written to, which is an event in its turn.
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            self.wake = None;
            let origin = match &event {
                Event::Lost(connection) => self.origins.remove(connection),
                _ => None,
            };
            for action in self.core.step(event, self.clock.now()) {
                match action {
                    Action::Persist(record) => self.save(record, Duration::ZERO),
                    Action::Send { to, message } => {
                        if !self.send(to, message) {
                            events.push(Event::Lost(to));
                        }
                    }
                    Action::Doubt { incarnation, address } => {
                        self.doubt(incarnation, address, origin.as_ref());
                    }
                    Action::Wake(at) => self.wake = Some(at),
                }
            }
        }
        if self.core.take_changed() {
            self.publish();
        }
    }

    fn publish(&self) {
        let snapshot = Arc::new(self.core.snapshot());
        let is_ledger_failing = self.is_ledger_failing;
        self.leases.retain(|incarnation| snapshot.hosts.contains_key(&incarnation));
        self.publish.send_replace(Published { snapshot, is_ledger_failing });
    }

    /// Whether the stream still stands.
    fn send(&mut self, to: Connection, message: ToHost) -> bool {
        if let ToHost::Lease { incarnation, .. } = &message {
            self.leases.granted(*incarnation, self.clock.now() + self.config.grant_limit());
        }
        // What many types lead to at once is one message, or a few.
        match self.outbound.send(to, message, self.config.queue) {
            Ok(()) => true,
            Err(Full) => {
                // A gap would be worse than an end: the host reports and gets it all anew.
                tracing::warn!(connection = to.0, "a host does not listen; its stream is closed");
                self.outbound.remove(to);
                false
            }
        }
    }

    /// Asks whether the host has died, where a refusal would prove it.
    fn doubt(&mut self, incarnation: Incarnation, address: Arc<str>, origin: Option<&Origin>) {
        let Some(probe) = &self.probe else { return };
        let network = origin.and_then(|origin| origin.get());
        if !network.is_some_and(|network| probe.is_here(network)) || self.probes.len() >= PROBES_MAX
        {
            return;
        }
        let probe = Arc::clone(probe);
        self.probes.push(Box::pin(async move {
            let is_dead = probe::has_ended(probe, Arc::clone(&address)).await;
            if is_dead {
                tracing::info!(
                    %incarnation,
                    %address,
                    "the stream of a host broke, and its port on this machine refuses: it has died"
                );
            }
            (incarnation, is_dead)
        }));
    }

    fn arrived(&mut self, arrival: Arrival) -> Option<Event> {
        self.connections += 1;
        let connection = Connection(self.connections);
        let Arrival { incoming, outgoing, origin } = arrival;
        self.outbound.insert(connection, outgoing);
        if self.probe.is_some() {
            self.origins.insert(connection, origin);
        }
        let messages = stream::unfold(incoming, |mut incoming| async move {
            let message = incoming.recv().await?;
            Some((message, incoming))
        });
        let end = stream::once(std::future::ready(None));
        let tagged = messages.map(Some).chain(end).map(move |message| (connection, message));
        self.inbound.push(tagged.boxed());
        None
    }

    fn received(&mut self, from: Connection, message: Option<ToPlacement>) -> Option<Event> {
        match message {
            // What a stream says after it was closed on this side is as good as unsaid.
            Some(message) => self.outbound.has(from).then_some(Event::Message { from, message }),
            None => self.outbound.remove(from).then_some(Event::Lost(from)),
        }
    }

    /// Leading -> Follower | another process leads: nobody is admitted or renewed here, and
    /// with their streams closed hosts look for it.
    fn stand_down(&mut self) -> Event {
        tracing::error!("another placement process has taken the ledger; this one stands down");
        self.saving = None.into();
        self.inbound = SelectAll::new();
        self.outbound = Outbound::default();
        self.origins.clear();
        self.probes.clear();
        Event::Deposed { leader: None }
    }

    fn save(&mut self, record: Record, after: Duration) {
        let ledger = Arc::clone(&self.ledger);
        let work: BoxFuture<'static, (Record, Saved)> = Box::pin(async move {
            tokio::time::sleep(after).await;
            let saved = ledger.save(record.clone()).await;
            (record, saved)
        });
        self.saving = Some(work).into();
    }

    fn saved(&mut self, (record, saved): (Record, Saved)) -> Option<Event> {
        let was_failing = self.is_ledger_failing;
        #[cfg(feature = "defects")]
        let saved = match saved {
            Err(LedgerError::Superseded) if Defect::OldLeaderAdmits.is_planted() => Ok(()),
            saved => saved,
        };
        self.is_ledger_failing = saved.is_err();
        let event = match saved {
            Ok(()) => {
                self.saving = None.into();
                Some(Event::Persisted)
            }
            Err(LedgerError::Superseded) => Some(self.stand_down()),
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::error!(error, "placement's ledger failed; hosts cannot join meanwhile");
                self.save(record, self.config.save_retry);
                None
            }
        };
        if was_failing != self.is_ledger_failing {
            self.publish();
        }
        event
    }
}

#[cfg(test)]
#[path = "embedded_tests.rs"]
mod tests;
