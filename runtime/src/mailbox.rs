//! The mailbox of one activation: who runs, who waits, what happens next. Pure.
//!
//! Decisions only: each method takes an event and returns what the shell
//! (`activation.rs`) has to do, wakers included. There is no clock, no lock and no
//! task in here. The order is first come, first served; closing goes before data
//! (TURN-2); a waiter leaves from any place without disturbing others (TURN-3).

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;

use crate::config::{TurnPolicy, TypeConfig};
#[cfg(all(test, feature = "model"))]
use crate::defect::Defect;
use crate::error::Error;

/// Where an activation is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// No memory yet; the next turn makes it.
    New,
    /// A turn is making it.
    Activating,
    /// In memory.
    Active,
    /// Saying goodbye; calls wait for the next life.
    Closing,
    /// Over: callers route again.
    Gone,
}

/// Why an activation is being closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Why {
    /// Unused for its type's idle time.
    Idle,
    /// Somebody asked.
    Asked,
    /// Its memory must be forgotten: a failed commit, a panic.
    Forget,
    /// The actor lives elsewhere now.
    Moved,
}

/// What a type's settings mean to a mailbox.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    turns_max: u32,
    concurrent: bool,
    stack_depth_max: Option<u32>,
    waiting_max: usize,
    waiting_bytes_max: usize,
}

impl Rules {
    pub(crate) fn new(config: &TypeConfig) -> Self {
        let (turns_max, concurrent) = match config.turns {
            TurnPolicy::Exclusive => (1, false),
            TurnPolicy::Concurrent { max } => (max.max(1), true),
        };
        Self {
            turns_max,
            concurrent,
            stack_depth_max: config.reentrancy.map(|reentrancy| reentrancy.stack_depth_max),
            waiting_max: config.waiting_max,
            waiting_bytes_max: config.waiting_bytes_max,
        }
    }
}

/// What a call is told when it arrives.
#[derive(Debug)]
pub(crate) enum Entered {
    /// Its turn begins; it must make the memory first if `activate`.
    Run {
        /// Whether the memory has to be made.
        activate: bool,
    },
    /// It waits under this number.
    Wait(u64),
    /// No more may wait.
    Full {
        /// How many do.
        waiting: usize,
    },
    /// Its chain is too deep.
    TooDeep {
        /// The limit.
        limit: u32,
    },
    /// This activation is over.
    Retry,
}

/// What a waiting call is told when it asks.
#[derive(Debug)]
pub(crate) enum Polled {
    /// Not yet.
    Pending,
    /// Its turn begins.
    Run {
        /// Whether the memory has to be made.
        activate: bool,
    },
    /// This activation is over.
    Retry,
    /// Activating failed; the call was not begun.
    Failed(Error),
}

/// What the shell does after an event, outside the lock.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// Whom to wake.
    pub(crate) wake: Vec<Waker>,
    /// What comes next.
    pub(crate) next: Next,
}

/// What comes after an event.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing to do.
    #[default]
    Nothing,
    /// The memory is to be closed now; [`Mailbox::closed`] follows.
    Close(Why),
    /// The activation is over: take it out of the directory.
    Remove,
}

#[derive(Debug)]
enum Answer {
    Wait,
    Run { activate: bool },
    Retry,
    Failed(Error),
}

#[derive(Debug)]
struct Waiter {
    ticket: u64,
    answer: Answer,
    waker: Option<Waker>,
    flight: Option<Arc<str>>,
    bytes: usize,
    since: u64,
}

#[derive(Debug, Default)]
struct Queue {
    next_ticket: u64,
    bytes: usize,
    /// Tickets in order.
    waiters: VecDeque<Waiter>,
    /// How many of them have an answer and have not asked for it yet.
    answered: usize,
}

impl Queue {
    /// Where the first stands that still waits; only a few answered ones come before.
    fn first(&self) -> Option<usize> {
        if self.waiters.len() == self.answered {
            return None;
        }
        self.waiters.iter().position(|waiter| matches!(waiter.answer, Answer::Wait))
    }
}

/// One activation's mailbox. Small while nobody waits: the queue is made when needed.
#[derive(Debug)]
pub(crate) struct Mailbox {
    phase: Phase,
    closing: Option<Why>,
    running: u32,
    /// The reentrancy id of the running turn.
    flight: Option<Arc<str>>,
    queue: Option<Box<Queue>>,
}

impl Mailbox {
    pub(crate) fn new() -> Self {
        Self { phase: Phase::New, closing: None, running: 0, flight: None, queue: None }
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    /// How many turns run.
    pub(crate) fn running(&self) -> u32 {
        self.running
    }

    /// How many calls wait, and since when the first of them does.
    pub(crate) fn waiting(&self) -> (usize, Option<u64>) {
        let Some(queue) = &self.queue else { return (0, None) };
        let waiting = queue.waiters.len() - queue.answered;
        (waiting, queue.first().map(|at| queue.waiters[at].since))
    }

    /// How large the bodies of the waiting calls are together.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.queue.as_ref().map_or(0, |queue| queue.bytes)
    }

    /// Whether the memory is being made for a call of this chain, which must not wait for it.
    pub(crate) fn is_activating(&self, rules: &Rules, flight: Option<&Arc<str>>) -> bool {
        self.phase == Phase::Activating && (rules.concurrent || self.flight.as_ref() == flight)
    }

    /// Whether nothing runs, waits or closes: the activation may go when idle.
    pub(crate) fn is_idle(&self) -> bool {
        self.phase == Phase::Active
            && self.running == 0
            && self.closing.is_none()
            && self.waiting().0 == 0
    }

    /// A call arrives; `since` is only kept for [`Mailbox::waiting`].
    pub(crate) fn enter(
        &mut self,
        rules: &Rules,
        flight: Option<&Arc<str>>,
        bytes: usize,
        since: u64,
    ) -> Entered {
        if self.phase == Phase::Gone {
            #[cfg(all(test, feature = "model"))]
            if Defect::ClosedActivationLetsIn.is_planted() {
                self.running += 1;
                return Entered::Run { activate: false };
            }
            return Entered::Retry;
        }
        if let Some(limit) = rules.stack_depth_max
            && self.phase == Phase::Active
            && self.running > 0
            && flight.is_some()
            && self.flight.as_ref() == flight
        {
            // A call of the running turn's own chain joins it, even while closing
            // waits: the turn cannot end without it.
            if self.running >= limit {
                #[cfg(all(test, feature = "model"))]
                if Defect::DepthIsKeptByRefusals.is_planted() {
                    self.running += 1;
                }
                return Entered::TooDeep { limit };
            }
            self.running += 1;
            return Entered::Run { activate: false };
        }
        if self.waiting().0 == 0 && self.can_start(rules) {
            let activate = self.start(flight.cloned(), rules);
            return Entered::Run { activate };
        }
        let queue = self.queue.get_or_insert_default();
        let waiting = queue.waiters.len() - queue.answered;
        let is_full = waiting >= rules.waiting_max || queue.bytes + bytes > rules.waiting_bytes_max;
        #[cfg(all(test, feature = "model"))]
        let is_full = is_full && !Defect::WaitingHasNoBound.is_planted();
        if is_full {
            return Entered::Full { waiting };
        }
        let ticket = queue.next_ticket;
        queue.next_ticket += 1;
        queue.bytes += bytes;
        queue.waiters.push_back(Waiter {
            ticket,
            answer: Answer::Wait,
            waker: None,
            flight: flight.cloned(),
            bytes,
            since,
        });
        Entered::Wait(ticket)
    }

    /// A waiting call asks; any answer but `Pending` takes it out of the queue.
    pub(crate) fn poll(&mut self, ticket: u64, waker: &Waker) -> Polled {
        let Some(at) = self.position(ticket) else { return Polled::Retry };
        let Some(queue) = self.queue.as_mut() else { return Polled::Retry };
        let waiter = &mut queue.waiters[at];
        if matches!(waiter.answer, Answer::Wait) {
            match &mut waiter.waker {
                Some(known) => known.clone_from(waker),
                None => waiter.waker = Some(waker.clone()),
            }
            return Polled::Pending;
        }
        match self.take(at) {
            Some(Answer::Run { activate }) => Polled::Run { activate },
            Some(Answer::Failed(error)) => Polled::Failed(error),
            Some(Answer::Retry | Answer::Wait) | None => Polled::Retry,
        }
    }

    /// A waiting call goes away, at whatever place and whether or not it was answered.
    pub(crate) fn abandon(&mut self, ticket: u64, rules: &Rules) -> Effects {
        let Some(at) = self.position(ticket) else { return Effects::default() };
        #[cfg(all(test, feature = "model"))]
        if Defect::LeavingPopsTheHead.is_planted() {
            self.take(at);
            return self.exit(rules);
        }
        #[cfg(all(test, feature = "model"))]
        if Defect::TurnIsLostWithItsWaiter.is_planted() {
            self.take(at);
            return Effects::default();
        }
        match self.take(at) {
            // Its turn had been given to it: pass it on (actor-semantics 5, defect a).
            Some(Answer::Run { .. }) => self.exit(rules),
            Some(Answer::Wait | Answer::Retry | Answer::Failed(_)) | None => Effects::default(),
        }
    }

    /// Activating -> Active: the memory is made.
    pub(crate) fn activated(&mut self, rules: &Rules) -> Effects {
        let mut effects = Effects::default();
        if self.phase == Phase::Activating {
            self.phase = Phase::Active;
            self.join(rules, &mut effects);
        }
        self.grant(rules, &mut effects);
        effects
    }

    /// Activating -> Gone: it could not be made; who waits is told why.
    pub(crate) fn activation_failed(&mut self, error: &Error) -> Effects {
        let mut effects = Effects::default();
        if self.phase != Phase::Gone {
            self.finish(&mut effects, || Answer::Failed(error.clone()));
        }
        effects
    }

    /// A turn ended.
    pub(crate) fn exit(&mut self, rules: &Rules) -> Effects {
        let mut effects = Effects::default();
        if matches!(self.phase, Phase::Closing | Phase::Gone) {
            // It was cut, and counts no more.
            return effects;
        }
        self.running = self.running.saturating_sub(1);
        if self.phase == Phase::Activating {
            // Who was to make the memory went away; the next one does it, if there is one.
            self.phase = Phase::New;
            if self.waiting().0 == 0 {
                self.finish(&mut effects, || Answer::Retry);
                return effects;
            }
        }
        if self.running == 0 {
            self.flight = None;
            if let Some(why) = self.closing.take() {
                self.begin_close(why, &mut effects);
                return effects;
            }
        } else {
            self.join(rules, &mut effects);
        }
        self.grant(rules, &mut effects);
        effects
    }

    /// The activation is to end: at once when nothing runs, else after the last turn.
    pub(crate) fn close(&mut self, why: Why) -> Effects {
        let mut effects = Effects::default();
        match self.phase {
            Phase::Gone => {}
            Phase::Closing => self.closing = self.closing.max(Some(why)),
            Phase::New | Phase::Activating | Phase::Active => {
                #[cfg(all(test, feature = "model"))]
                if Defect::GoodbyeDoesNotWait.is_planted() && self.phase == Phase::Active {
                    self.running = 0;
                    self.begin_close(why, &mut effects);
                    return effects;
                }
                if self.running == 0 {
                    self.begin_close(why, &mut effects);
                } else {
                    self.closing = self.closing.max(Some(why));
                }
            }
        }
        effects
    }

    /// The running turn asks for the activation's end, after itself.
    pub(crate) fn note(&mut self, why: Why) {
        if self.running > 0 {
            self.closing = self.closing.max(Some(why));
        }
    }

    /// Closing -> New | Gone: the goodbye is over. Whoever waits gets the next life
    /// if it may be lived here.
    pub(crate) fn closed(&mut self, may_reopen: bool, rules: &Rules) -> Effects {
        let mut effects = Effects::default();
        if self.phase != Phase::Closing {
            return effects;
        }
        let moved = self.closing.take() == Some(Why::Moved);
        if may_reopen && !moved && self.waiting().0 > 0 {
            self.phase = Phase::New;
            self.grant(rules, &mut effects);
        } else {
            self.finish(&mut effects, || Answer::Retry);
        }
        effects
    }

    /// Any -> Gone, now: turns that run have lost their right to answer.
    ///
    /// Active -> Closing where the application must hear of it first, or it would keep
    /// what it remembers of this life; a goodbye that has begun is waited for in any case.
    pub(crate) fn cut(&mut self, needs_goodbye: bool) -> Effects {
        let mut effects = Effects::default();
        match self.phase {
            Phase::Gone => {}
            Phase::Closing => self.closing = Some(Why::Moved),
            Phase::Active if needs_goodbye => {
                self.running = 0;
                self.flight = None;
                for waiter in self.queue.iter_mut().flat_map(|queue| &mut queue.waiters) {
                    // Told to begin, it has not asked yet: now it is too late.
                    if matches!(waiter.answer, Answer::Run { .. }) {
                        waiter.answer = Answer::Retry;
                    }
                }
                self.begin_close(Why::Moved, &mut effects);
                // The next life is another activation's.
                self.closing = Some(Why::Moved);
            }
            Phase::New | Phase::Activating | Phase::Active => {
                self.finish(&mut effects, || Answer::Retry);
            }
        }
        effects
    }

    fn begin_close(&mut self, why: Why, effects: &mut Effects) {
        if self.phase == Phase::New {
            // No memory was made: nothing to say goodbye to.
            self.finish(effects, || Answer::Retry);
        } else {
            self.phase = Phase::Closing;
            effects.next = Next::Close(why);
        }
    }

    fn finish(&mut self, effects: &mut Effects, answer: impl Fn() -> Answer) {
        self.phase = Phase::Gone;
        self.running = 0;
        self.flight = None;
        self.closing = None;
        effects.next = Next::Remove;
        if let Some(queue) = &mut self.queue {
            for waiter in &mut queue.waiters {
                waiter.answer = answer();
                effects.wake.extend(waiter.waker.take());
            }
            queue.answered = queue.waiters.len();
        }
    }

    fn can_start(&self, rules: &Rules) -> bool {
        let free = match self.phase {
            Phase::New => self.running == 0,
            Phase::Active => self.running < rules.turns_max,
            Phase::Activating | Phase::Closing | Phase::Gone => false,
        };
        free && self.closing.is_none()
    }

    fn start(&mut self, flight: Option<Arc<str>>, rules: &Rules) -> bool {
        self.running += 1;
        if !rules.concurrent {
            self.flight = flight;
        }
        let activate = self.phase == Phase::New;
        if activate {
            self.phase = Phase::Activating;
        }
        activate
    }

    fn grant(&mut self, rules: &Rules, effects: &mut Effects) {
        while self.can_start(rules) {
            let Some(queue) = self.queue.as_mut() else { return };
            let Some(at) = queue.first() else { return };
            let flight = queue.waiters[at].flight.take();
            let activate = self.start(flight, rules);
            self.answer(at, activate, effects);
            if !activate {
                self.join(rules, effects);
            }
        }
    }

    /// Lets calls of the running turn's chain in that came before it began: they may be
    /// what it waits for (REE-1).
    fn join(&mut self, rules: &Rules, effects: &mut Effects) {
        let (Some(limit), Some(flight)) = (rules.stack_depth_max, self.flight.clone()) else {
            return;
        };
        while self.running < limit {
            let Some(queue) = &self.queue else { return };
            let joins = |waiter: &Waiter| {
                matches!(waiter.answer, Answer::Wait) && waiter.flight.as_ref() == Some(&flight)
            };
            let Some(at) = queue.waiters.iter().position(joins) else { return };
            self.running += 1;
            self.answer(at, false, effects);
        }
    }

    fn answer(&mut self, at: usize, activate: bool, effects: &mut Effects) {
        let Some(queue) = self.queue.as_mut() else { return };
        let waiter = &mut queue.waiters[at];
        waiter.answer = Answer::Run { activate };
        effects.wake.extend(waiter.waker.take());
        queue.answered += 1;
    }

    fn position(&self, ticket: u64) -> Option<usize> {
        let waiters = &self.queue.as_ref()?.waiters;
        waiters.binary_search_by_key(&ticket, |waiter| waiter.ticket).ok()
    }

    fn take(&mut self, at: usize) -> Option<Answer> {
        let queue = self.queue.as_mut()?;
        let waiter = queue.waiters.remove(at)?;
        queue.bytes -= waiter.bytes;
        if !matches!(waiter.answer, Answer::Wait) {
            queue.answered -= 1;
        }
        if queue.waiters.is_empty() && queue.waiters.capacity() > 64 {
            // A burst is over; an idle activation stays small.
            self.queue = None;
        }
        Some(waiter.answer)
    }

    /// Gives back what an idle activation does not need.
    pub(crate) fn shrink(&mut self) {
        if self.queue.as_ref().is_some_and(|queue| queue.waiters.is_empty()) {
            self.queue = None;
        }
    }
}

#[cfg(test)]
#[path = "mailbox_tests.rs"]
mod tests;
