//! The timers of all activations of a host, ordered by when they fire.
//!
//! Books only: who fires when, by which word, and whether that is still so. Firing is a turn,
//! and `engine/ticks.rs` makes it. A timer belongs to one activation, named by its fence; it
//! ends with it (TIM-1). While it fires it is not in the queue, so at most one tick of it is
//! under way (TIM-3); whose time comes meanwhile are left out, or follow one by one as Dapr has it.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use odeon_base::Fence;
use tokio::time::Instant;
use tokio_util::time::{DelayQueue, delay_queue};

use crate::compat::Compat;
use crate::invocation::ActorRef;
use crate::schedule::{TimerPlan, TimerSpec};

/// Most timers of one activation.
pub const TIMERS_MAX: usize = 1_000;
/// The farthest that the queue is asked to wait; what is due later goes back into it.
const FAR: Duration = Duration::from_secs(365 * 24 * 3_600);

/// A timer that is to fire now.
#[derive(Debug, Clone)]
pub(crate) struct Due {
    pub(crate) actor: ActorRef,
    pub(crate) fence: Fence,
    pub(crate) name: Arc<str>,
    pub(crate) spec: Arc<TimerSpec>,
    pub(crate) data: Bytes,
    number: u64,
    at: Instant,
}

/// A timer as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimerStatus {
    /// Its name.
    pub name: Arc<str>,
    /// What was said of it.
    pub spec: Arc<TimerSpec>,
    /// When it fires next; `None` while it does.
    pub next: Option<Instant>,
}

#[derive(Debug)]
struct Timer {
    spec: Arc<TimerSpec>,
    data: Bytes,
    plan: TimerPlan,
    set: Instant,
    /// Tells it from those before it of the same name.
    number: u64,
    /// Its place in the queue, and when it is due; `None` while it fires.
    queued: Option<(delay_queue::Key, Instant)>,
}

/// The timers of one activation.
#[derive(Debug)]
struct Group {
    fence: Fence,
    timers: HashMap<Arc<str>, Timer>,
}

type Queue = DelayQueue<(ActorRef, Arc<str>)>;

#[derive(Debug, Default)]
struct Table {
    queue: Queue,
    groups: HashMap<ActorRef, Group>,
    count: u64,
}

/// The timers of a host.
#[derive(Debug)]
pub(crate) struct Timers {
    /// Whether ticks that were missed follow (TIM-3).
    compat: Compat,
    table: Mutex<Table>,
    /// How many activations have any: most ends of activations concern none.
    groups: AtomicUsize,
}

impl Timers {
    pub(crate) fn new(compat: Compat) -> Self {
        Self { compat, table: Mutex::default(), groups: AtomicUsize::new(0) }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // Each section leaves both books in agreement, or ends the process with a defect.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps nothing of an actor without timers.
    fn tidy(&self, table: &mut Table, actor: &ActorRef) {
        if table.groups.get(actor).is_some_and(|group| group.timers.is_empty()) {
            table.groups.remove(actor);
        }
        self.groups.store(table.groups.len(), Ordering::Release);
    }

    /// Sets a timer of an activation in place of the one of its name; `false` if it has as many
    /// as there may be.
    pub(crate) fn set(
        &self,
        (actor, fence): (&ActorRef, Fence),
        name: &Arc<str>,
        (spec, data): (&Arc<TimerSpec>, Bytes),
        plan: TimerPlan,
    ) -> bool {
        let set = Instant::now();
        let mut table = self.table();
        let Table { queue, groups, count } = &mut *table;
        let fresh = || Group { fence, timers: HashMap::new() };
        let group = groups.entry(actor.clone()).or_insert_with(fresh);
        if group.fence != fence {
            // Of an earlier life, whose end is being told this instant.
            group.clear(queue);
            group.fence = fence;
        }
        if group.timers.len() >= TIMERS_MAX && !group.timers.contains_key(name) {
            return false;
        }
        *count += 1;
        let spec = Arc::clone(spec);
        let mut timer = Timer { spec, data, plan, set, number: *count, queued: None };
        group.take(queue, name);
        if timer.arm(queue, actor, name, None) {
            group.timers.insert(Arc::clone(name), timer);
        }
        self.tidy(&mut table, actor);
        true
    }

    /// An activation has no timer of this name any more.
    pub(crate) fn drop_one(&self, (actor, fence): (&ActorRef, Fence), name: &str) {
        let mut table = self.table();
        let Table { queue, groups, .. } = &mut *table;
        if let Some(group) = groups.get_mut(actor).filter(|group| group.fence == fence) {
            group.take(queue, name);
        }
        self.tidy(&mut table, actor);
    }

    /// An activation is over, and its timers with it.
    pub(crate) fn end(&self, actor: &ActorRef, fence: Fence) {
        if self.groups.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut table = self.table();
        let Table { queue, groups, .. } = &mut *table;
        if let Some(group) = groups.get_mut(actor).filter(|group| group.fence == fence) {
            group.clear(queue);
        }
        self.tidy(&mut table, actor);
    }

    /// The next timer that is to fire, when it is time.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub(crate) async fn next(&self) -> Due {
        poll_fn(|cx| {
            let table = &mut *self.table();
            loop {
                // An empty queue wakes nobody; whoever sets a timer does, through `insert_at`.
                let Poll::Ready(Some(expired)) = table.queue.poll_expired(cx) else {
                    return Poll::Pending;
                };
                let (actor, name) = expired.into_inner();
                let Some(group) = table.groups.get_mut(&actor) else { continue };
                let fence = group.fence;
                let Some(timer) = group.timers.get_mut(&name) else { continue };
                let Some((_, at)) = timer.queued.take() else { continue };
                if Instant::now() < at {
                    timer.enqueue(&mut table.queue, &actor, &name, at);
                    continue;
                }
                let (spec, data) = (Arc::clone(&timer.spec), timer.data.clone());
                let number = timer.number;
                return Poll::Ready(Due { actor, fence, name, spec, data, number, at });
            }
        })
        .await
    }

    /// Whether a timer that was to fire still is: it was neither replaced nor dropped.
    pub(crate) fn stands(&self, due: &Due) -> bool {
        let table = self.table();
        let group = table.groups.get(&due.actor).filter(|group| group.fence == due.fence);
        let timer = group.and_then(|group| group.timers.get(&due.name));
        timer.is_some_and(|timer| timer.number == due.number)
    }

    /// A timer has fired, or was `missed`, which uses up no repetition; `is_last` ends it. What
    /// is missed because nobody takes it is never made up for: it would fail on and on.
    pub(crate) fn fired(&self, due: &Due, is_missed: bool, is_last: bool) {
        let mut table = self.table();
        let Table { queue, groups, .. } = &mut *table;
        let group = groups.get_mut(&due.actor).filter(|group| group.fence == due.fence);
        let Some(group) = group else { return };
        let same = group.timers.get_mut(&due.name).filter(|timer| timer.number == due.number);
        let Some(timer) = same else { return };
        if !is_missed {
            timer.plan.fired();
        }
        let after = match self.compat {
            Compat::Dapr if !is_missed => due.at.duration_since(timer.set),
            Compat::Dapr | Compat::Odeon => timer.set.elapsed(),
        };
        if is_last || !timer.arm(queue, &due.actor, &due.name, Some(after)) {
            group.timers.remove(&due.name);
        }
        self.tidy(&mut table, &due.actor);
    }

    /// The timers of an activation, by name.
    pub(crate) fn list(&self, actor: &ActorRef, fence: Fence) -> Vec<TimerStatus> {
        let table = self.table();
        let group = table.groups.get(actor).filter(|group| group.fence == fence);
        let timers = group.into_iter().flat_map(|group| &group.timers);
        let mut listed: Vec<_> = timers
            .map(|(name, timer)| TimerStatus {
                name: Arc::clone(name),
                spec: Arc::clone(&timer.spec),
                next: timer.queued.as_ref().map(|(_, due)| *due),
            })
            .collect();
        listed.sort_by(|a, b| a.name.cmp(&b.name));
        listed
    }
}

impl Group {
    fn take(&mut self, queue: &mut Queue, name: &str) {
        let queued = self.timers.remove(name).and_then(|timer| timer.queued);
        if let Some((key, _)) = queued {
            queue.try_remove(&key);
        }
    }

    fn clear(&mut self, queue: &mut Queue) {
        for (key, _) in self.timers.drain().filter_map(|(_, timer)| timer.queued) {
            queue.try_remove(&key);
        }
    }
}

impl Timer {
    /// Puts it into the queue; `false` if it fires no more.
    fn arm(
        &mut self,
        queue: &mut Queue,
        actor: &ActorRef,
        name: &Arc<str>,
        after: Option<Duration>,
    ) -> bool {
        let Some(next) = self.plan.next(after) else { return false };
        let Some(due) = self.set.checked_add(next) else { return false };
        self.enqueue(queue, actor, name, due);
        true
    }

    fn enqueue(&mut self, queue: &mut Queue, actor: &ActorRef, name: &Arc<str>, due: Instant) {
        let at = due.min(Instant::now() + FAR);
        self.queued = Some((queue.insert_at((actor.clone(), Arc::clone(name)), at), due));
    }
}
