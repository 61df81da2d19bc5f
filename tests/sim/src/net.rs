//! The network: for each ordered pair of nodes how long a message takes, whether it passes.
//!
//! It is TCP's: what is lost is sent again and comes late, messages of one stream keep
//! their order, different streams do not, and a stream may break. A cut way holds up what
//! is on it until it is mended or the stream is given up.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::chance::Chance;

/// Who can be sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Node {
    Placement,
    Store,
    Host(usize),
}

/// How long messages take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weather {
    /// At most this many milliseconds, mostly.
    pub(crate) most: u64,
    /// One in so many is lost, and comes up to a second later.
    pub(crate) lost: Option<usize>,
}

#[derive(Debug)]
struct Inner {
    weather: Weather,
    cut: BTreeSet<(Node, Node)>,
    /// Cancelled when all streams between two nodes break.
    lines: BTreeMap<(Node, Node), CancellationToken>,
}

/// The network.
#[derive(Debug)]
pub(crate) struct Net {
    chance: Chance,
    inner: Mutex<Inner>,
    changed: Notify,
}

impl Net {
    pub(crate) fn new(chance: Chance, weather: Weather) -> Self {
        let inner = Inner { weather, cut: BTreeSet::new(), lines: BTreeMap::new() };
        Self { chance, inner: Mutex::new(inner), changed: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn weather(&self, weather: Weather) {
        self.lock().weather = weather;
    }

    pub(crate) fn cut(&self, from: Node, to: Node) {
        self.lock().cut.insert((from, to));
        self.changed.notify_waiters();
    }

    pub(crate) fn mend(&self, from: Node, to: Node) {
        self.lock().cut.remove(&(from, to));
        self.changed.notify_waiters();
    }

    /// Waits until some way to or from a node is cut, or none.
    pub(crate) async fn until_cut(&self, node: Node, is_cut: bool) {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            let cut = self.lock().cut.iter().any(|(from, to)| [from, to].contains(&&node));
            if cut == is_cut {
                return;
            }
            changed.await;
        }
    }

    fn is_cut(&self, from: Node, to: Node) -> bool {
        self.lock().cut.contains(&(from, to))
    }

    /// What holds as long as the streams between two nodes do.
    pub(crate) fn line(&self, a: Node, b: Node) -> CancellationToken {
        self.lock().lines.entry((a.min(b), a.max(b))).or_default().clone()
    }

    /// Breaks all streams between two nodes.
    pub(crate) fn reset(&self, a: Node, b: Node) {
        let line = self.lock().lines.remove(&(a.min(b), a.max(b)));
        if let Some(line) = line {
            line.cancel();
        }
    }

    fn delay(&self) -> Duration {
        let Weather { most, lost } = self.lock().weather;
        if lost.is_some_and(|n| self.chance.one_in(n)) {
            return self.chance.millis(200, 1_000);
        }
        self.chance.millis(0, most)
    }

    async fn open(&self, from: Node, to: Node) -> bool {
        let mut was_open = true;
        loop {
            let mut mended = pin!(self.changed.notified());
            mended.as_mut().enable();
            if !self.is_cut(from, to) {
                return was_open;
            }
            was_open = false;
            mended.await;
        }
    }

    /// The way of one message; as long as the way is cut it waits.
    pub(crate) async fn pass(&self, from: Node, to: Node) {
        loop {
            if !self.open(from, to).await {
                // It is sent again, some time after it could pass.
                tokio::time::sleep(
                    self.chance.millis(0, if self.chance.one_in(3) { 1_200 } else { 200 }),
                )
                .await;
            }
            tokio::time::sleep(self.delay()).await;
            if !self.is_cut(from, to) {
                return;
            }
        }
    }

    /// Carries one direction of a stream, in order, until an end is closed or `broken`.
    pub(crate) async fn carry<T>(
        self: Arc<Self>,
        (from, to): (Node, Node),
        mut sent: mpsc::Receiver<T>,
        deliver: mpsc::Sender<T>,
        broken: CancellationToken,
        mut pass: impl FnMut(Vec<T>) -> Vec<T>,
    ) {
        let line = self.line(from, to);
        let carrying = async {
            let mut flying: VecDeque<(Instant, T)> = VecDeque::new();
            let mut is_closed = false;
            while !(is_closed && flying.is_empty()) {
                let next = flying.front().map_or_else(Instant::now, |(at, _)| *at);
                tokio::select! {
                    biased;
                    () = tokio::time::sleep_until(next), if !flying.is_empty() => {
                        if !self.open(from, to).await {
                            tokio::time::sleep(self.chance.millis(0, 300)).await;
                        }
                        let now = Instant::now();
                        let due = flying.iter().take_while(|(at, _)| *at <= now).count();
                        let due = flying.drain(..due).map(|(_, message)| message).collect();
                        for message in pass(due) {
                            if deliver.send(message).await.is_err() {
                                return false;
                            }
                            if self.chance.one_in(8) {
                                tokio::time::sleep(self.chance.millis(0, 4)).await;
                            }
                        }
                    }
                    message = sent.recv(), if !is_closed => match message {
                        Some(message) => {
                            let at = Instant::now() + self.delay();
                            let at = flying.back().map_or(at, |(last, _)| at.max(*last));
                            flying.push_back((at, message));
                        }
                        None => is_closed = true,
                    },
                    () = deliver.closed() => return false,
                }
            }
            true
        };
        tokio::select! {
            biased;
            () = broken.cancelled() => {}
            () = line.cancelled() => broken.cancel(),
            // Where nobody listens any more, what that end said before still arrives.
            is_over = carrying => if is_over { broken.cancel() },
        }
    }
}
