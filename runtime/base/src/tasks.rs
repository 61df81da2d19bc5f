//! Every task belongs to somebody: the only way to start one.
//!
//! A [`Tasks`] is a group with a name: it counts what it started, tells all of it
//! to stop, and waits for it. A task's [`TaskKind`] says what its end means.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::valve::Valve;

/// What a background task is for, and so what its cancellation and failure mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TaskKind {
    /// Accepts connections on a listener. Cancelled: new connections are refused, open ones go on.
    Listener,
    /// Serves one connection. Cancelled: finishes the request in hand. A failure concerns that peer alone.
    Connection,
    /// Runs a turn whose caller has left (O7). Never cancelled by drain; the lease's end cuts it.
    DetachedTurn,
    /// Keeps the lease, tables and marks of this host. Its failure ends the host.
    Membership,
    /// Deactivates idle actors. A failure is a defect and is reported.
    Idle,
    /// Fires timers. A failure is a defect and is reported.
    Timers,
    /// Wakes the partitions of reminders, or delivers what is due. A failure is a defect and is reported.
    Reminders,
    /// Moves actors away behind a shut gate. A failure is a defect and is reported.
    Drain,
    /// Carries messages between a stream and the engine. Its end fails what was in flight on it.
    Stream,
    /// Watches a child process. Its end is the child's.
    Process,
    /// Waits for signals or health. Cancelled: forgotten.
    Watcher,
}

impl TaskKind {
    /// The name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Listener => "listener",
            Self::Connection => "connection",
            Self::DetachedTurn => "detached turn",
            Self::Membership => "membership",
            Self::Idle => "idle",
            Self::Timers => "timers",
            Self::Reminders => "reminders",
            Self::Drain => "drain",
            Self::Stream => "stream",
            Self::Process => "process",
            Self::Watcher => "watcher",
        }
    }
}

/// A group of tasks with one owner. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
    span: tracing::Span,
    running: Arc<Mutex<BTreeMap<TaskKind, usize>>>,
    valve: Option<Valve>,
}

/// Counts a task as running for as long as it lives.
struct Running {
    kind: TaskKind,
    running: Arc<Mutex<BTreeMap<TaskKind, usize>>>,
}

impl Running {
    fn enter(kind: TaskKind, running: Arc<Mutex<BTreeMap<TaskKind, usize>>>) -> Self {
        *running.lock().unwrap_or_else(PoisonError::into_inner).entry(kind).or_default() += 1;
        Self { kind, running }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = running.get_mut(&self.kind) {
            *count = count.saturating_sub(1);
        }
    }
}

impl Tasks {
    /// A group with a name for its log lines.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        Self {
            tracker: TaskTracker::new(),
            stop: CancellationToken::new(),
            span: tracing::info_span!("tasks", group = name),
            running: Arc::default(),
            valve: None,
        }
    }

    /// The same group, with what it starts from now on behind a valve.
    #[must_use]
    pub fn behind(self, valve: &Valve) -> Self {
        Self { valve: Some(valve.clone()), ..self }
    }

    /// A group whose tasks also stop when this one's do.
    #[must_use]
    pub fn child(&self, name: &'static str) -> Self {
        let (stop, valve) = (self.stop.child_token(), self.valve.clone());
        Self { stop, valve, ..Self::new(name) }
    }

    /// Starts a task. It is told to stop by [`Tasks::stopping`] and is not killed.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[expect(clippy::disallowed_methods, reason = "the one place that starts a task")]
    pub fn spawn<F>(&self, kind: TaskKind, future: F) -> tokio::task::JoinHandle<F::Output>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        let running = Running::enter(kind, Arc::clone(&self.running));
        let valve = self.valve.clone();
        let work = async move {
            let _running = running;
            Valve::hold(valve, future).await
        };
        let work = self.tracker.track_future(work.instrument(self.span.clone()));
        let task = tokio::spawn(work);
        if let Some(valve) = &self.valve {
            valve.keep(task.abort_handle());
        }
        task
    }

    /// The token that is cancelled when the group is told to stop.
    #[must_use]
    pub fn stopping(&self) -> &CancellationToken {
        &self.stop
    }

    /// Tells all tasks to stop and waits for them.
    ///
    /// # Errors
    /// [`StillRunning`] names those that did not stop within `grace`.
    ///
    /// # Cancel safety
    /// The tasks have been told to stop even if this future is dropped.
    pub async fn stop(&self, grace: Duration) -> Result<(), StillRunning> {
        self.stop.cancel();
        self.tracker.close();
        match tokio::time::timeout(grace, self.tracker.wait()).await {
            Ok(()) => Ok(()),
            Err(_) => Err(StillRunning { kinds: self.running() }),
        }
    }

    /// What runs now: kind and number.
    #[must_use]
    pub fn running(&self) -> Vec<(TaskKind, usize)> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running
            .iter()
            .filter(|(_, count)| **count > 0)
            .map(|(kind, count)| (*kind, *count))
            .collect()
    }
}

/// Tasks that did not stop in time, by kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StillRunning {
    /// Kind and number.
    pub kinds: Vec<(TaskKind, usize)>,
}

impl std::fmt::Display for StillRunning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("still running after the grace period:")?;
        for (kind, count) in &self.kinds {
            write!(f, " {count} {}", kind.name())?;
        }
        Ok(())
    }
}

impl std::error::Error for StillRunning {}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn stop_waits_for_tasks_and_names_those_left() {
        let tasks = Tasks::new("test");
        let stopping = tasks.stopping().clone();
        tasks.spawn(TaskKind::Watcher, async move { stopping.cancelled().await });
        tasks.spawn(TaskKind::DetachedTurn, std::future::pending::<()>());
        let left = tasks.stop(Duration::from_secs(1)).await;
        assert_eq!(left, Err(StillRunning { kinds: vec![(TaskKind::DetachedTurn, 1)] }));
    }

    #[tokio::test]
    async fn a_child_stops_with_its_parent() {
        let parent = Tasks::new("parent");
        let child = parent.child("child");
        assert_eq!(parent.stop(Duration::from_secs(1)).await, Ok(()));
        assert!(child.stopping().is_cancelled());
    }
}
