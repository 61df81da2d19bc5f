//! A process that is stopped, or dies, as far as its tasks can tell.
//!
//! A group of [`crate::Tasks`] behind a valve is polled only while the valve is open: shut
//! it and the group stands still at whatever it awaits, as after SIGSTOP; end it and its
//! futures are dropped where they stand. For simulations; a group without a valve costs
//! one comparison a poll.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::task::AbortHandle;

/// What a valve does to the tasks behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Flow {
    /// They run.
    #[default]
    Open,
    /// They stand still.
    Shut,
    /// They are over, and so is whatever is started behind it from now on.
    Ended,
}

#[derive(Debug, Default)]
struct Inner {
    flow: Flow,
    /// After this many more polls, the flow is that one.
    fuse: Option<(u64, Flow)>,
    /// Who was to be polled meanwhile.
    waiting: Vec<Waker>,
    tasks: Vec<AbortHandle>,
}

/// Holds back or ends a group of tasks. Cheap to clone; clones are one valve.
#[derive(Debug, Clone, Default)]
pub struct Valve {
    inner: Arc<Mutex<Inner>>,
}

impl Valve {
    /// What it does now.
    #[must_use]
    pub fn flow(&self) -> Flow {
        self.lock().flow
    }

    /// Does this from now on. What has ended stays so.
    pub fn set(&self, flow: Flow) {
        let mut inner = self.lock();
        inner.fuse = None;
        let (tasks, waiting) = turn(&mut inner, flow);
        drop(inner);
        finish(&tasks, waiting);
    }

    /// Does this after so many more polls, wherever its tasks stand then.
    pub fn set_after(&self, polls: u64, flow: Flow) {
        self.lock().fuse = Some((polls, flow));
    }

    /// Runs a future behind the valve.
    pub(crate) async fn hold<F: Future>(valve: Option<Self>, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|cx| match &valve {
            Some(valve) if !valve.passes(cx) => Poll::Pending,
            _ => future.as_mut().poll(cx),
        })
        .await
    }

    /// Takes note of a task, so that it can be ended.
    pub(crate) fn keep(&self, task: AbortHandle) {
        let mut inner = self.lock();
        if inner.flow == Flow::Ended {
            drop(inner);
            task.abort();
        } else {
            inner.tasks.push(task);
        }
    }

    fn passes(&self, cx: &Context<'_>) -> bool {
        let mut inner = self.lock();
        let mut dropped = (Vec::new(), Vec::new());
        if let Some((polls, flow)) = inner.fuse {
            inner.fuse = polls.checked_sub(1).map(|left| (left, flow));
            if polls == 0 {
                dropped = turn(&mut inner, flow);
            }
        }
        let passes = inner.flow == Flow::Open;
        if inner.flow == Flow::Shut {
            inner.waiting.push(cx.waker().clone());
        }
        drop(inner);
        finish(&dropped.0, dropped.1);
        passes
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Turns the valve; what comes back is to be ended and woken, outside the lock.
fn turn(inner: &mut Inner, flow: Flow) -> (Vec<AbortHandle>, Vec<Waker>) {
    if inner.flow == Flow::Ended {
        return (Vec::new(), Vec::new());
    }
    inner.flow = flow;
    match flow {
        Flow::Open => (Vec::new(), std::mem::take(&mut inner.waiting)),
        Flow::Shut => (Vec::new(), Vec::new()),
        Flow::Ended => (std::mem::take(&mut inner.tasks), std::mem::take(&mut inner.waiting)),
    }
}

fn finish(tasks: &[AbortHandle], waiting: Vec<Waker>) {
    tasks.iter().for_each(AbortHandle::abort);
    waiting.into_iter().for_each(Waker::wake);
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use super::*;
    use crate::{TaskKind, Tasks};

    fn ticking(tasks: &Tasks) -> Arc<AtomicU64> {
        let ticks = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&ticks);
        tasks.spawn(TaskKind::Watcher, async move {
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        ticks
    }

    #[tokio::test(start_paused = true)]
    async fn tasks_stand_still_behind_a_shut_valve_and_go_on_when_it_opens() {
        let valve = Valve::default();
        let tasks = Tasks::new("test").behind(&valve);
        let ticks = ticking(&tasks);
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        assert_eq!(ticks.load(Ordering::SeqCst), 2);
        valve.set(Flow::Shut);
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!(ticks.load(Ordering::SeqCst), 2);
        valve.set(Flow::Open);
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        assert_eq!(ticks.load(Ordering::SeqCst), 5, "the tick that was due, and two more");
    }

    #[tokio::test(start_paused = true)]
    async fn an_ended_group_is_dropped_where_it_stands_and_starts_nothing() {
        let valve = Valve::default();
        let tasks = Tasks::new("test").behind(&valve);
        let ticks = ticking(&tasks.child("child"));
        valve.set_after(2, Flow::Ended);
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!(ticks.load(Ordering::SeqCst), 1);
        assert_eq!(Arc::strong_count(&ticks), 1, "its future is dropped");
        let ticks = ticking(&tasks);
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!((ticks.load(Ordering::SeqCst), Arc::strong_count(&ticks)), (0, 1));
    }
}
