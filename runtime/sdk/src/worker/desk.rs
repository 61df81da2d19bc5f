//! What all turns of one stream share: the way to the host, the way for answers,
//! and the end.
//!
//! A desk lives as long as its stream. When the stream is lost it is cut: turns
//! that run are dropped where they wait, because the host has ended their
//! activations and may begin others.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use odeon_base::{TaskKind, Tasks, WallClock};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::answer::Message;
use crate::remote::Remote;

/// Shared by the turns of one stream.
#[derive(Debug)]
pub(crate) struct Desk {
    /// For state and for calls to other actors.
    pub(crate) host: Remote,
    pub(crate) wall: Arc<dyn WallClock>,
    answers: mpsc::Sender<Message>,
    tasks: Tasks,
    cut: CancellationToken,
    running: AtomicUsize,
    running_max: usize,
}

/// A turn that counts as running until this is dropped.
#[derive(Debug)]
pub(crate) struct Seat(Arc<Desk>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Desk {
    pub(crate) fn new(
        host: Remote,
        wall: Arc<dyn WallClock>,
        answers: mpsc::Sender<Message>,
        tasks: Tasks,
        running_max: usize,
    ) -> Self {
        let cut = CancellationToken::new();
        Self { host, wall, answers, tasks, cut, running: AtomicUsize::new(0), running_max }
    }

    /// Takes one of the places for turns, if one is free.
    pub(crate) fn seat(self: &Arc<Self>) -> Option<Seat> {
        let before = self.running.fetch_add(1, Ordering::Relaxed);
        let seat = Seat(Arc::clone(self));
        (before < self.running_max).then_some(seat)
    }

    /// Runs a turn on a task of its own, until it ends or the desk is cut, and sends
    /// its answer.
    pub(crate) fn work(self: &Arc<Self>, turn: impl Future<Output = Message> + Send + 'static) {
        let desk = Arc::clone(self);
        self.tasks.spawn(TaskKind::DetachedTurn, async move {
            if let Some(answer) = desk.cut.run_until_cancelled(turn).await {
                // A stream that is lost needs no answer.
                let _ = desk.answers.send(answer).await;
            }
        });
    }

    /// Sends an answer that took no turn; when the queue is full, it waits elsewhere.
    pub(crate) fn say(self: &Arc<Self>, answer: Message) {
        if let Err(full) = self.answers.try_send(answer) {
            let answer = full.into_inner();
            self.work(async move { answer });
        }
    }

    /// Drops all turns that run.
    pub(crate) fn cut(&self) {
        self.cut.cancel();
    }
}
