//! The shell for one process: runs the core with one ledger and in-process streams.
//!
//! One task waits for streams, the ledger and the clock, asks the core and does what
//! it says. It decides nothing; `core` does. Hosts on other machines come through a
//! listener that uses the same [`Handle::connect`].

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::future::{BoxFuture, OptionFuture};
use futures::stream::{self, BoxStream, SelectAll};
use tokio::sync::{mpsc, watch};

use odeon_base::{ActorId, LeaseClock, TaskKind, Tasks};
use odeon_ring::{ToHost, ToPlacement, TypeKey};

use crate::config::Config;
use crate::core::{Action, Connection, Core, Event, HostPhase, Owner, Role, Snapshot};
use crate::error::Error;
use crate::ledger::{Ledger, LedgerError};
use crate::record::{Record, Roster};

/// What a stream brings; nothing more when it has ended.
type Inbound = BoxStream<'static, (Connection, Option<ToPlacement>)>;

/// A host's two ends of a stream.
type Pair = (mpsc::Sender<ToPlacement>, mpsc::Receiver<ToHost>);

/// Placement in one process.
#[derive(Debug)]
pub struct Embedded;

/// Speaks to a running placement. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Handle {
    published: watch::Receiver<Published>,
    arrivals: mpsc::Sender<Arrival>,
    queue: usize,
}

/// How placement is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Whether it decides.
    pub role: Role,
    /// The leader's number.
    pub term: u64,
    /// Incarnations with a lease.
    pub hosts: usize,
    /// Incarnations that wait to be admitted.
    pub joining: usize,
    /// Types that have tables.
    pub types: usize,
    /// Types that are being handed over.
    pub moving: usize,
    /// Whether the ledger refused the latest record, so that nobody new is admitted.
    pub is_ledger_failing: bool,
    /// Whether the task that decides still runs.
    pub is_running: bool,
}

#[derive(Debug, Clone)]
struct Published {
    snapshot: Arc<Snapshot>,
    is_ledger_failing: bool,
}

#[derive(Debug)]
struct Arrival {
    incoming: mpsc::Receiver<ToPlacement>,
    outgoing: mpsc::Sender<ToHost>,
}

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
        config.check()?;
        let (term, roster) = Self::take_term(&*ledger).await?;
        tracing::info!(term, roster = roster.as_ref().map(Roster::len), "placement takes its term");
        let core = Core::new(config.clone());
        let (publish, published) = watch::channel(Published {
            snapshot: Arc::new(core.snapshot()),
            is_ledger_failing: false,
        });
        let (arrivals, arriving) = mpsc::channel(config.backlog);
        let queue = config.queue;
        let shell = Shell {
            wake: None,
            saving: OptionFuture::from(None),
            is_ledger_failing: false,
            inbound: SelectAll::new(),
            outbound: BTreeMap::new(),
            connections: 0,
            core,
            config,
            ledger,
            clock,
            publish,
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
        Ok(Handle { published, arrivals, queue })
    }

    /// The term is on disk before anything is granted under it.
    async fn take_term(ledger: &dyn Ledger) -> Result<(u64, Option<Roster>), Error> {
        let Record { term, roster } = ledger.load().await?.unwrap_or_default();
        let term = term.checked_add(1).ok_or(Error::TermExhausted { term })?;
        ledger.save(Record { term, roster: roster.clone() }).await?;
        Ok((term, roster))
    }
}

impl Handle {
    /// Opens a stream within the process: where a host sends, and where it hears.
    ///
    /// A stream that cannot be taken in is closed from the start, as one that broke at
    /// once. A host that reads slower than placement writes is disconnected likewise;
    /// it connects again and reports.
    #[must_use]
    pub fn connect(&self) -> Pair {
        let (to_placement, incoming) = mpsc::channel(self.queue);
        let (outgoing, from_placement) = mpsc::channel(self.queue);
        // Refused with a full backlog or after the end: both its ends are dropped here.
        let _ = self.arrivals.try_send(Arrival { incoming, outgoing });
        (to_placement, from_placement)
    }

    /// Who owns an actor, by the newest published table; `None` while nobody offers the type.
    #[must_use]
    pub fn owner(&self, key: &TypeKey, id: &ActorId) -> Option<Owner> {
        self.tables().owner(key, id)
    }

    /// All that placement publishes: hosts, tables and marks.
    #[must_use]
    pub fn tables(&self) -> Arc<Snapshot> {
        Arc::clone(&self.published.borrow().snapshot)
    }

    /// How placement is.
    #[must_use]
    pub fn status(&self) -> Status {
        let Published { snapshot, is_ledger_failing } = self.published.borrow().clone();
        let joining = snapshot.hosts.values().filter(|host| host.phase == HostPhase::Joining);
        let joining = joining.count();
        Status {
            role: snapshot.role,
            term: snapshot.term,
            hosts: snapshot.hosts.len() - joining,
            joining,
            types: snapshot.types.len(),
            moving: snapshot.moving(),
            is_ledger_failing,
            is_running: !self.arrivals.is_closed(),
        }
    }

    /// Waits until what is published satisfies `is_met`; `None` if placement ends before.
    ///
    /// # Cancel safety
    /// Nothing is lost when this is dropped.
    pub async fn wait_for(&self, is_met: impl Fn(&Snapshot) -> bool) -> Option<Arc<Snapshot>> {
        let mut published = self.published.clone();
        let met = published.wait_for(|published| is_met(&published.snapshot)).await.ok()?;
        Some(Arc::clone(&met.snapshot))
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
    /// When to look again, on the lease clock.
    wake: Option<Duration>,
    /// The save under way, with the record in case it must be repeated.
    saving: OptionFuture<BoxFuture<'static, (Record, Saved)>>,
    is_ledger_failing: bool,
    inbound: SelectAll<Inbound>,
    outbound: BTreeMap<Connection, mpsc::Sender<ToHost>>,
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
            for action in self.core.step(event, self.clock.now()) {
                match action {
                    Action::Persist(record) => self.save(record, Duration::ZERO),
                    Action::Send { to, message } => {
                        if !self.send(to, message) {
                            events.push(Event::Lost(to));
                        }
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
        self.publish.send_replace(Published { snapshot, is_ledger_failing });
    }

    /// Whether the stream still stands.
    fn send(&mut self, to: Connection, message: ToHost) -> bool {
        let Some(outgoing) = self.outbound.get(&to) else { return true };
        match outgoing.try_send(message) {
            Ok(()) => true,
            Err(error) => {
                // A gap would be worse than an end: the host reports and gets it all anew.
                tracing::warn!(connection = to.0, %error, "a host does not listen; its stream is closed");
                self.outbound.remove(&to);
                false
            }
        }
    }

    fn arrived(&mut self, arrival: Arrival) -> Option<Event> {
        self.connections += 1;
        let connection = Connection(self.connections);
        let Arrival { incoming, outgoing } = arrival;
        self.outbound.insert(connection, outgoing);
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
            Some(message) => {
                self.outbound.contains_key(&from).then_some(Event::Message { from, message })
            }
            None => self.outbound.remove(&from).map(|_| Event::Lost(from)),
        }
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
        self.is_ledger_failing = saved.is_err();
        let event = match saved {
            Ok(()) => {
                self.saving = None.into();
                Some(Event::Persisted)
            }
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
