//! The mailbox of one activation: who runs, who waits, what happens next. Pure.
//!
//! Decisions only: each method takes an event and returns what the shell
//! (`activation.rs`) has to do, wakers included. There is no clock, no lock and no
//! task in here. The order is first come, first served; closing goes before data
//! (TURN-2); a waiter leaves from any place without disturbing others (TURN-3).

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;

use crate::config::{Sharing, TurnPolicy, TypeConfig};
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

/// Turns of one actor that may run beside each other, of either sort (REE-5); others wait.
pub(crate) const BESIDE_MAX: u8 = u8::MAX;

/// What a type's settings mean to a mailbox.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    turns_max: u32,
    /// Calls that have to wait before one more turn begins.
    scale_at: usize,
    concurrent: bool,
    stack_depth_max: Option<u32>,
    waiting_max: usize,
    waiting_bytes_max: usize,
}

impl Rules {
    pub(crate) fn new(config: &TypeConfig) -> Self {
        let (turns_max, concurrent) = match (config.pool, config.turns) {
            (Some(pool), _) => (pool.max_per_host.max(1), true),
            (None, TurnPolicy::Exclusive) => (1, false),
            (None, TurnPolicy::Concurrent { max }) => (max.max(1), true),
        };
        let scale_at = config.pool.map_or(0, |pool| pool.scale_at as usize);
        Self {
            turns_max,
            scale_at,
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
    sharing: Sharing,
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
    /// How many of those that wait may pass all others.
    interleaving: usize,
}

impl Queue {
    /// Where the first stands that still waits; only a few answered ones come before.
    fn first(&self) -> Option<usize> {
        if self.waiters.len() == self.answered {
            return None;
        }
        self.waiters.iter().position(|waiter| matches!(waiter.answer, Answer::Wait))
    }

    /// Where the first stands that waits and may pass others.
    fn interleaving_one(&self) -> Option<usize> {
        let interleaves = |waiter: &Waiter| {
            matches!(waiter.answer, Answer::Wait) && waiter.sharing == Sharing::Interleaving
        };
        if self.interleaving == 0 { None } else { self.waiters.iter().position(interleaves) }
    }
}

/// One activation's mailbox. Small while nobody waits: the queue is made when needed.
#[derive(Debug)]
pub(crate) struct Mailbox {
    phase: Phase,
    closing: Option<Why>,
    /// Turns that only read.
    reading: u8,
    /// Turns that run beside any.
    interleaving: u8,
    /// All others.
    alone: u32,
    /// The reentrancy id of the running turn.
    flight: Option<Arc<str>>,
    queue: Option<Box<Queue>>,
}

impl Mailbox {
    pub(crate) fn new() -> Self {
        Self {
            phase: Phase::New,
            closing: None,
            reading: 0,
            interleaving: 0,
            alone: 0,
            flight: None,
            queue: None,
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    /// How many turns run.
    pub(crate) fn running(&self) -> u32 {
        self.alone + u32::from(self.reading) + u32::from(self.interleaving)
    }

    /// Whether all turns that run only read.
    pub(crate) fn only_reads(&self) -> bool {
        self.reading > 0 && self.alone == 0 && self.interleaving == 0
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
            && self.running() == 0
            && self.closing.is_none()
            && self.waiting().0 == 0
    }

    /// A call arrives; `since` is only kept for [`Mailbox::waiting`].
    pub(crate) fn enter(
        &mut self,
        rules: &Rules,
        flight: Option<&Arc<str>>,
        sharing: Sharing,
        bytes: usize,
        since: u64,
    ) -> Entered {
        if self.phase == Phase::Gone {
            #[cfg(all(test, feature = "model"))]
            if Defect::ClosedActivationLetsIn.is_planted() {
                self.alone += 1;
                return Entered::Run { activate: false };
            }
            return Entered::Retry;
        }
        if let Some(limit) = rules.stack_depth_max
            && self.phase == Phase::Active
            && self.alone > 0
            && flight.is_some()
            && self.flight.as_ref() == flight
        {
            // A call of the running turn's own chain joins it, even while closing
            // waits: the turn cannot end without it.
            if self.alone >= limit {
                #[cfg(all(test, feature = "model"))]
                if Defect::DepthIsKeptByRefusals.is_planted() {
                    self.alone += 1;
                }
                return Entered::TooDeep { limit };
            }
            self.alone += 1;
            return Entered::Run { activate: false };
        }
        // One that interleaves waits for nobody, but for the memory and its end.
        let waiting = self.waiting().0;
        let is_next = waiting == 0 || self.passes(sharing);
        if is_next && self.can_start(rules, sharing, waiting + 1) {
            let activate = self.start(flight.cloned(), sharing, rules);
            return Entered::Run { activate };
        }
        // The call that makes enough wait for one more turn: the first of them gives its place up.
        let leaves = rules.scale_at > 0 && self.can_start(rules, sharing, waiting + 1);
        let queue = self.queue.get_or_insert_default();
        let is_full = waiting >= rules.waiting_max + usize::from(leaves)
            || queue.bytes + bytes > rules.waiting_bytes_max;
        #[cfg(all(test, feature = "model"))]
        let is_full = is_full && !Defect::WaitingHasNoBound.is_planted();
        if is_full {
            return Entered::Full { waiting };
        }
        let ticket = queue.next_ticket;
        queue.next_ticket += 1;
        queue.bytes += bytes;
        queue.interleaving += usize::from(sharing == Sharing::Interleaving);
        queue.waiters.push_back(Waiter {
            ticket,
            answer: Answer::Wait,
            waker: None,
            flight: flight.cloned(),
            sharing,
            bytes,
            since,
        });
        Entered::Wait(ticket)
    }

    /// A call has begun to wait: where that makes enough of them, the first begins (PL-3).
    pub(crate) fn arrived(&mut self, rules: &Rules) -> Effects {
        let mut effects = Effects::default();
        self.grant(rules, &mut effects);
        effects
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
            return self.exit(rules, Sharing::Alone);
        }
        #[cfg(all(test, feature = "model"))]
        if Defect::TurnIsLostWithItsWaiter.is_planted() {
            self.take(at);
            return Effects::default();
        }
        let sharing = self.queue.as_ref().map_or(Sharing::Alone, |all| all.waiters[at].sharing);
        match self.take(at) {
            // Its turn had been given to it: pass it on (actor-semantics 5, defect a).
            Some(Answer::Run { .. }) => self.exit(rules, sharing),
            // One who writes held up those behind it who read.
            Some(Answer::Wait) => {
                let mut effects = Effects::default();
                self.grant(rules, &mut effects);
                effects
            }
            Some(Answer::Retry | Answer::Failed(_)) | None => Effects::default(),
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

    /// A turn of this sort ended.
    pub(crate) fn exit(&mut self, rules: &Rules, sharing: Sharing) -> Effects {
        let mut effects = Effects::default();
        if matches!(self.phase, Phase::Closing | Phase::Gone) {
            // It was cut, and counts no more.
            return effects;
        }
        match sharing {
            Sharing::Alone => self.alone = self.alone.saturating_sub(1),
            Sharing::ReadOnly => self.reading = self.reading.saturating_sub(1),
            Sharing::Interleaving => self.interleaving = self.interleaving.saturating_sub(1),
        }
        if self.phase == Phase::Activating {
            // Who was to make the memory went away; the next one does it, if there is one.
            self.phase = Phase::New;
            if self.waiting().0 == 0 {
                self.finish(&mut effects, || Answer::Retry);
                return effects;
            }
        }
        if self.alone == 0 {
            self.flight = None;
        } else {
            self.join(rules, &mut effects);
        }
        if self.running() == 0
            && let Some(why) = self.closing.take()
        {
            self.begin_close(why, &mut effects);
            return effects;
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
                    self.nothing_runs();
                    self.begin_close(why, &mut effects);
                    return effects;
                }
                if self.running() == 0 {
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
        if self.running() > 0 {
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
                self.nothing_runs();
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

    fn nothing_runs(&mut self) {
        (self.alone, self.reading, self.interleaving) = (0, 0, 0);
        self.flight = None;
    }

    fn finish(&mut self, effects: &mut Effects, answer: impl Fn() -> Answer) {
        self.phase = Phase::Gone;
        self.nothing_runs();
        self.closing = None;
        effects.next = Next::Remove;
        if let Some(queue) = &mut self.queue {
            for waiter in &mut queue.waiters {
                waiter.answer = answer();
                effects.wake.extend(waiter.waker.take());
            }
            queue.answered = queue.waiters.len();
            queue.interleaving = 0;
        }
    }

    /// Whether a call goes past those that wait.
    fn passes(&self, sharing: Sharing) -> bool {
        sharing == Sharing::Interleaving && self.phase == Phase::Active
    }

    /// Whether one of so many that wait may begin.
    fn can_start(&self, rules: &Rules, sharing: Sharing, waiting: usize) -> bool {
        let free = match (self.phase, sharing) {
            (Phase::New, _) => self.running() == 0,
            (Phase::Active, Sharing::Alone) => {
                let is_worth_it = self.alone == 0 || waiting > rules.scale_at;
                self.reading == 0 && self.alone < rules.turns_max && is_worth_it
            }
            (Phase::Active, Sharing::ReadOnly) => self.alone == 0 && self.reading < BESIDE_MAX,
            (Phase::Active, Sharing::Interleaving) => self.interleaving < BESIDE_MAX,
            (Phase::Activating | Phase::Closing | Phase::Gone, _) => false,
        };
        free && self.closing.is_none()
    }

    fn start(&mut self, flight: Option<Arc<str>>, sharing: Sharing, rules: &Rules) -> bool {
        match sharing {
            Sharing::Alone => self.alone += 1,
            Sharing::ReadOnly => self.reading += 1,
            Sharing::Interleaving => self.interleaving += 1,
        }
        if !rules.concurrent {
            self.flight = flight;
        }
        let activate = self.phase == Phase::New;
        if activate {
            self.phase = Phase::Activating;
        }
        activate
    }

    /// Lets in whoever may begin: in their order, so that no reader goes past one who writes;
    /// those that interleave go past all.
    fn grant(&mut self, rules: &Rules, effects: &mut Effects) {
        loop {
            let Some(queue) = self.queue.as_ref() else { return };
            let Some(first) = queue.first() else { return };
            let waiting = self.waiting().0;
            let at = match queue.waiters[first].sharing {
                sharing if self.can_start(rules, sharing, waiting) => first,
                _ => match queue.interleaving_one() {
                    Some(at) if self.passes(Sharing::Interleaving) => at,
                    Some(_) | None => return,
                },
            };
            let sharing = queue.waiters[at].sharing;
            if !self.can_start(rules, sharing, waiting) {
                return;
            }
            let Some(queue) = self.queue.as_mut() else { return };
            let flight = queue.waiters[at].flight.take();
            let activate = self.start(flight, sharing, rules);
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
        while self.alone < limit {
            let Some(queue) = &self.queue else { return };
            let joins = |waiter: &Waiter| {
                matches!(waiter.answer, Answer::Wait) && waiter.flight.as_ref() == Some(&flight)
            };
            let Some(at) = queue.waiters.iter().position(joins) else { return };
            self.alone += 1;
            self.answer(at, false, effects);
        }
    }

    fn answer(&mut self, at: usize, activate: bool, effects: &mut Effects) {
        let Some(queue) = self.queue.as_mut() else { return };
        let waiter = &mut queue.waiters[at];
        waiter.answer = Answer::Run { activate };
        effects.wake.extend(waiter.waker.take());
        queue.answered += 1;
        queue.interleaving -= usize::from(waiter.sharing == Sharing::Interleaving);
    }

    fn position(&self, ticket: u64) -> Option<usize> {
        let waiters = &self.queue.as_ref()?.waiters;
        waiters.binary_search_by_key(&ticket, |waiter| waiter.ticket).ok()
    }

    fn take(&mut self, at: usize) -> Option<Answer> {
        let queue = self.queue.as_mut()?;
        let waiter = queue.waiters.remove(at)?;
        queue.bytes -= waiter.bytes;
        match waiter.answer {
            Answer::Wait => {
                queue.interleaving -= usize::from(waiter.sharing == Sharing::Interleaving);
            }
            Answer::Run { .. } | Answer::Retry | Answer::Failed(_) => queue.answered -= 1,
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
