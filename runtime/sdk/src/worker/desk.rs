//! What all turns of one stream share: the way to the host, the way for answers,
//! and the end.
//!
//! A desk lives as long as its stream. When the stream is lost it is cut: turns
//! that run are dropped where they wait, because the host has ended their
//! activations and may begin others.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use futures::FutureExt as _;
use odeon_base::{TaskKind, Tasks, WallClock};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::answer::Message;
use crate::remote::Remote;

/// A turn that computes longer than this keeps others waiting: many times what
/// beginning a task costs.
const LONG: Duration = Duration::from_micros(100);
/// Turns that begin on a task of their own after one that computed for long.
const ELSEWHERE: u32 = 64;

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
    /// How many of the next turns begin on a task of their own.
    elsewhere: AtomicU32,
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
        Self {
            host,
            wall,
            answers,
            tasks,
            cut: CancellationToken::new(),
            running: AtomicUsize::new(0),
            running_max,
            elsewhere: AtomicU32::new(0),
        }
    }

    /// Takes one of the places for turns, if one is free.
    pub(crate) fn seat(self: &Arc<Self>) -> Option<Seat> {
        let before = self.running.fetch_add(1, Ordering::Relaxed);
        let seat = Seat(Arc::clone(self));
        (before < self.running_max).then_some(seat)
    }

    /// Runs a turn and sends its answer, unless the desk is cut before.
    ///
    /// Most turns wait for nothing and end where they begin, in the task that reads the
    /// stream: a task for each would cost more than the turn. One that waits goes on as
    /// a task of its own. When a turn computes for long, those after it begin on other
    /// threads, so that reading goes on.
    pub(crate) fn work(self: &Arc<Self>, turn: impl Future<Output = Message> + Send + 'static) {
        let mut turn = Box::pin(turn);
        if !self.is_busy() {
            let began = Instant::now();
            let answer = turn.as_mut().now_or_never();
            if began.elapsed() > LONG {
                self.elsewhere.store(ELSEWHERE, Ordering::Relaxed);
            }
            if let Some(answer) = answer {
                return self.say(answer);
            }
        }
        self.go_on(turn);
    }

    /// Whether the next turn is to begin on a task of its own.
    fn is_busy(&self) -> bool {
        let less = |left: u32| left.checked_sub(1);
        self.elsewhere.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }

    fn go_on(self: &Arc<Self>, turn: impl Future<Output = Message> + Send + 'static) {
        let desk = Arc::clone(self);
        self.tasks.spawn(TaskKind::DetachedTurn, async move {
            if let Some(answer) = desk.cut.run_until_cancelled(turn).await {
                // A stream that is lost needs no answer.
                let _ = desk.answers.send(answer).await;
            }
        });
    }

    /// Sends an answer; when the queue is full, it waits elsewhere.
    pub(crate) fn say(self: &Arc<Self>, answer: Message) {
        if let Err(full) = self.answers.try_send(answer) {
            let answer = full.into_inner();
            self.go_on(async move { answer });
        }
    }

    /// Drops all turns that run.
    pub(crate) fn cut(&self) {
        self.cut.cancel();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use odeon_base::clock::SystemClock;
    use tonic::Code;

    use super::*;
    use crate::worker::answer;

    fn desk() -> (Arc<Desk>, mpsc::Receiver<Message>) {
        let host = Remote::new("http://127.0.0.1:1").unwrap();
        let (answers, outgoing) = mpsc::channel(1);
        let desk = Desk::new(host, Arc::new(SystemClock), answers, Tasks::new("test"), 1);
        (Arc::new(desk), outgoing)
    }

    fn message() -> Message {
        answer::failed("1".to_owned(), Code::Ok, "")
    }

    #[tokio::test]
    async fn after_a_long_turn_the_next_begin_elsewhere() {
        let (desk, mut outgoing) = desk();
        let has_begun = Arc::<AtomicBool>::default();
        let turn = |seen: Arc<AtomicBool>| async move {
            seen.store(true, Ordering::SeqCst);
            message()
        };
        desk.work(turn(Arc::clone(&has_begun)));
        assert!(has_begun.swap(false, Ordering::SeqCst), "a short turn ends where it begins");
        outgoing.recv().await.unwrap();
        desk.work(async {
            let began = Instant::now();
            while began.elapsed() <= LONG {
                std::hint::spin_loop();
            }
            message()
        });
        outgoing.recv().await.unwrap();
        desk.work(turn(Arc::clone(&has_begun)));
        assert!(!has_begun.load(Ordering::SeqCst), "this thread has not run it");
        outgoing.recv().await.unwrap();
        assert!(has_begun.load(Ordering::SeqCst));
    }

    #[tokio::test]
    async fn a_cut_drops_turns_and_seats_are_given_back() {
        let (desk, mut outgoing) = desk();
        let seat = desk.seat().unwrap();
        assert!(desk.seat().is_none(), "one turn at most");
        desk.work(async move {
            let _seat = seat;
            std::future::pending().await
        });
        desk.cut();
        desk.tasks.stop(Duration::from_secs(10)).await.unwrap();
        assert!(desk.seat().is_some());
        assert!(outgoing.try_recv().is_err());
    }
}
