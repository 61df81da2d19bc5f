//! The mailbox against a plain model: calls in a list, each with what became of it.
//!
//! The model is slow and obvious. Besides agreeing with it, every step is held to
//! the rules that the mailbox exists for: one turn at a time, first come first
//! served, nobody disturbed, nobody forgotten, no byte lost.

use proptest::prelude::*;

use super::*;

/// Something that happens; numbers choose among the calls there are.
#[derive(Debug, Clone)]
enum Event {
    Arrive { flight: u8, sharing: Sharing, bytes: usize },
    Ask(usize),
    Abandon(usize),
    Exit(usize),
    Activated,
    Failed,
    Close(Why),
    Note(Why),
    Closed { may_reopen: bool },
    Cut { needs_goodbye: bool },
    Shrink,
}

fn why() -> impl Strategy<Value = Why> {
    prop_oneof![Just(Why::Idle), Just(Why::Asked), Just(Why::Forget), Just(Why::Moved)]
}

fn sharing() -> impl Strategy<Value = Sharing> {
    prop_oneof![Just(Sharing::Alone), Just(Sharing::ReadOnly), Just(Sharing::Interleaving)]
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => (0..4_u8, sharing(), 0..40_usize)
            .prop_map(|(flight, sharing, bytes)| Event::Arrive { flight, sharing, bytes }),
        6 => any::<usize>().prop_map(Event::Ask),
        4 => any::<usize>().prop_map(Event::Abandon),
        6 => any::<usize>().prop_map(Event::Exit),
        3 => Just(Event::Activated),
        1 => Just(Event::Failed),
        2 => why().prop_map(Event::Close),
        1 => why().prop_map(Event::Note),
        3 => any::<bool>().prop_map(|may_reopen| Event::Closed { may_reopen }),
        1 => any::<bool>().prop_map(|needs_goodbye| Event::Cut { needs_goodbye }),
        1 => Just(Event::Shrink),
    ]
}

/// What became of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Waits,
    /// Answered, and has not asked yet.
    Has(Told),
    Runs,
    /// Over: it ran, left, or was sent away.
    Over,
}

#[derive(Debug)]
struct Call {
    ticket: Option<u64>,
    flight: Option<Arc<str>>,
    sharing: Sharing,
    bytes: usize,
    fate: Fate,
    bell: Arc<Bell>,
    /// How often it asked and was told to wait: only then it can be woken.
    listens: bool,
}

/// All calls in order of arrival, and where the activation stands.
#[derive(Debug)]
struct Model {
    calls: Vec<Call>,
    phase: Phase,
    closing: Option<Why>,
    turns_max: usize,
    is_concurrent: bool,
    /// Whether its methods may run beside each other.
    shares: bool,
    depth_max: Option<usize>,
    waiting_max: usize,
    bytes_max: usize,
}

impl Model {
    fn pick(&self, nth: usize, fits: impl Fn(&Call) -> bool) -> Option<usize> {
        let fitting: Vec<usize> =
            (0..self.calls.len()).filter(|at| fits(&self.calls[*at])).collect();
        (!fitting.is_empty()).then(|| fitting[nth % fitting.len()])
    }

    /// Calls that run, or may as soon as they ask.
    fn live(&self) -> Vec<&Call> {
        let lives =
            |call: &&Call| matches!(call.fate, Fate::Runs | Fate::Has(Told::Run | Told::Activate));
        self.calls.iter().filter(lives).collect()
    }

    fn waiting(&self) -> Vec<&Call> {
        self.calls.iter().filter(|call| call.fate == Fate::Waits).collect()
    }

    fn bytes(&self) -> usize {
        let queued = |call: &&Call| matches!(call.fate, Fate::Waits | Fate::Has(_));
        self.calls.iter().filter(queued).map(|call| call.bytes).sum()
    }

    fn may_start(&self, sharing: Sharing) -> bool {
        let live = self.live();
        let many = |of: Sharing| live.iter().filter(|call| call.sharing == of).count();
        let may = match (self.phase, sharing) {
            (Phase::New, _) => live.is_empty(),
            (Phase::Active, Sharing::Alone) => {
                many(Sharing::ReadOnly) == 0 && many(Sharing::Alone) < self.turns_max
            }
            (Phase::Active, Sharing::ReadOnly) => many(Sharing::Alone) == 0,
            (Phase::Active, Sharing::Interleaving) => true,
            (Phase::Activating | Phase::Closing | Phase::Gone, _) => false,
        };
        self.closing.is_none() && may
    }

    /// Who of those that wait may begin: the first, and whoever passes others.
    fn next(&self) -> Option<usize> {
        let waits = |at: &usize| self.calls[*at].fate == Fate::Waits;
        let first = (0..self.calls.len()).find(waits)?;
        if self.may_start(self.calls[first].sharing) {
            return Some(first);
        }
        let passes = |at: &usize| {
            waits(at)
                && (self.joins(&self.calls[*at])
                    || (self.calls[*at].sharing == Sharing::Interleaving
                        && self.phase == Phase::Active
                        && self.may_start(Sharing::Interleaving)))
        };
        (0..self.calls.len()).find(passes)
    }

    /// Whether a call would join what runs.
    fn joins(&self, call: &Call) -> bool {
        let live = self.live();
        self.phase == Phase::Active
            && self.depth_max.is_some_and(|depth| live.len() < depth)
            && call.flight.is_some()
            && live.first().is_some_and(|first| first.flight == call.flight)
    }

    /// Lets in whoever may begin, in order of arrival.
    fn settle(&mut self) {
        loop {
            let Some(next) = self.next() else { return };
            let is_new = self.phase == Phase::New;
            self.calls[next].fate = Fate::Has(if is_new { Told::Activate } else { Told::Run });
            if is_new {
                self.phase = Phase::Activating;
            }
        }
    }

    /// The end: who is still here hears it.
    fn finish(&mut self, told: Told) -> Next {
        self.phase = Phase::Gone;
        self.closing = None;
        for call in &mut self.calls {
            match call.fate {
                Fate::Waits | Fate::Has(_) => call.fate = Fate::Has(told),
                Fate::Runs => call.fate = Fate::Over,
                Fate::Over => {}
            }
        }
        Next::Remove
    }

    fn cut(&mut self, needs_goodbye: bool) -> Next {
        match self.phase {
            Phase::Gone => Next::Nothing,
            Phase::Closing => {
                self.closing = Some(Why::Moved);
                Next::Nothing
            }
            Phase::Active if needs_goodbye => {
                for call in &mut self.calls {
                    match call.fate {
                        Fate::Runs => call.fate = Fate::Over,
                        Fate::Has(_) => call.fate = Fate::Has(Told::Retry),
                        Fate::Waits | Fate::Over => {}
                    }
                }
                self.closing = Some(Why::Moved);
                self.phase = Phase::Closing;
                Next::Close(Why::Moved)
            }
            Phase::New | Phase::Activating | Phase::Active => self.finish(Told::Retry),
        }
    }

    fn close_if_quiet(&mut self) -> Next {
        let Some(why) = self.closing else { return Next::Nothing };
        if !self.live().is_empty() || matches!(self.phase, Phase::Closing | Phase::Gone) {
            return Next::Nothing;
        }
        self.closing = None;
        if self.phase == Phase::New {
            return self.finish(Told::Retry);
        }
        self.phase = Phase::Closing;
        Next::Close(why)
    }

    /// A call that ran, or could have, is over.
    fn ended(&mut self, at: usize) -> Next {
        self.calls[at].fate = Fate::Over;
        if self.phase == Phase::Activating {
            self.phase = Phase::New;
            if self.waiting().is_empty() {
                return self.finish(Told::Retry);
            }
        }
        let next = self.close_if_quiet();
        self.settle();
        next
    }

    fn arrive(&mut self, call: &Call) -> Told {
        let waiting = self.waiting().len();
        let live = self.live();
        let is_nested = self.phase == Phase::Active
            && self.depth_max.is_some()
            && call.flight.is_some()
            && live.first().is_some_and(|first| first.flight == call.flight);
        if self.phase == Phase::Gone {
            Told::Retry
        } else if is_nested {
            if self.joins(call) { Told::Run } else { Told::TooDeep }
        } else if (waiting == 0
            || (call.sharing == Sharing::Interleaving && self.phase == Phase::Active))
            && self.may_start(call.sharing)
        {
            if self.phase == Phase::New {
                self.phase = Phase::Activating;
                Told::Activate
            } else {
                Told::Run
            }
        } else if waiting >= self.waiting_max || self.bytes() + call.bytes > self.bytes_max {
            Told::Full(waiting)
        } else {
            Told::Wait(0)
        }
    }
}

/// Model and mailbox side by side.
#[derive(Debug)]
struct Pair {
    bench: Bench,
    model: Model,
}

impl Pair {
    fn new(config: &TypeConfig) -> Self {
        let (turns_max, is_concurrent) = match config.turns {
            TurnPolicy::Exclusive => (1, false),
            TurnPolicy::Concurrent { max } => (max as usize, true),
        };
        let model = Model {
            calls: Vec::new(),
            phase: Phase::New,
            closing: None,
            turns_max,
            is_concurrent,
            shares: config.shares_turns(),
            depth_max: config.reentrancy.map(|reentrancy| reentrancy.stack_depth_max as usize),
            waiting_max: config.waiting_max,
            bytes_max: config.waiting_bytes_max,
        };
        Self { bench: Bench::new(config), model }
    }

    fn apply(&mut self, event: &Event) {
        match *event {
            Event::Arrive { flight, sharing, bytes } => self.arrive(flight, sharing, bytes),
            Event::Ask(nth) => self.ask(nth),
            Event::Abandon(nth) => {
                let queued = |call: &Call| matches!(call.fate, Fate::Waits | Fate::Has(_));
                let Some(at) = self.model.pick(nth, queued) else { return };
                let ticket = self.model.calls[at].ticket.unwrap();
                let expected = match self.model.calls[at].fate {
                    Fate::Has(Told::Run | Told::Activate) => self.model.ended(at),
                    _ => {
                        self.model.calls[at].fate = Fate::Over;
                        self.model.settle();
                        Next::Nothing
                    }
                };
                let found = self.bench.mailbox.abandon(ticket, &self.bench.rules);
                assert_eq!(ring(found), expected);
            }
            Event::Exit(nth) => {
                let Some(at) = self.model.pick(nth, |call| call.fate == Fate::Runs) else { return };
                let sharing = self.model.calls[at].sharing;
                let expected = self.model.ended(at);
                let found = self.bench.mailbox.exit(&self.bench.rules, sharing);
                assert_eq!(ring(found), expected);
            }
            Event::Activated => {
                // Only who was told to make the memory says so.
                if self.model.phase == Phase::Activating
                    && self.model.pick(0, |call| call.fate == Fate::Runs).is_some()
                {
                    self.model.phase = Phase::Active;
                    self.model.settle();
                    ring(self.bench.mailbox.activated(&self.bench.rules));
                }
            }
            Event::Failed => {
                if self.model.phase == Phase::Activating
                    && self.model.pick(0, |call| call.fate == Fate::Runs).is_some()
                {
                    let expected = self.model.finish(Told::Failed);
                    let found = self.bench.mailbox.activation_failed(&Error::Closed);
                    assert_eq!(ring(found), expected);
                }
            }
            Event::Close(why) => {
                let expected = if self.model.phase == Phase::Gone {
                    Next::Nothing
                } else {
                    self.model.closing = self.model.closing.max(Some(why));
                    self.model.close_if_quiet()
                };
                assert_eq!(ring(self.bench.mailbox.close(why)), expected);
            }
            Event::Note(why) => {
                if !self.model.live().is_empty() {
                    self.model.closing = self.model.closing.max(Some(why));
                }
                self.bench.mailbox.note(why);
            }
            Event::Closed { may_reopen } => self.closed(may_reopen),
            Event::Cut { needs_goodbye } => {
                let expected = self.model.cut(needs_goodbye);
                assert_eq!(ring(self.bench.mailbox.cut(needs_goodbye)), expected);
            }
            Event::Shrink => self.bench.mailbox.shrink(),
        }
    }

    fn arrive(&mut self, number: u8, sharing: Sharing, bytes: usize) {
        let sharing = if self.model.shares { sharing } else { Sharing::Alone };
        let flight = (number > 0).then(|| Arc::from(number.to_string()));
        let bell = Arc::new(Bell::default());
        let fate = Fate::Over;
        let mut call = Call { ticket: None, flight, sharing, bytes, fate, bell, listens: false };
        let expected = self.model.arrive(&call);
        let found = self.bench.enter_as(sharing, call.flight.as_ref(), bytes);
        match (expected, found) {
            (Told::Wait(_), Told::Wait(ticket)) => {
                (call.ticket, call.fate) = (Some(ticket), Fate::Waits);
            }
            (expected, found) => {
                assert_eq!(found, expected);
                if matches!(found, Told::Run | Told::Activate) {
                    call.fate = Fate::Runs;
                }
            }
        }
        self.model.calls.push(call);
    }

    fn ask(&mut self, nth: usize) {
        let queued = |call: &Call| matches!(call.fate, Fate::Waits | Fate::Has(_));
        let Some(at) = self.model.pick(nth, queued) else { return };
        let call = &mut self.model.calls[at];
        let ticket = call.ticket.unwrap();
        let found = self.bench.ask_with(ticket, &Waker::from(Arc::clone(&call.bell)));
        match call.fate {
            Fate::Has(told) => {
                assert_eq!(found, told);
                let runs = matches!(told, Told::Run | Told::Activate);
                call.fate = if runs { Fate::Runs } else { Fate::Over };
            }
            _ => {
                assert_eq!(found, Told::Wait(ticket));
                call.listens = true;
            }
        }
    }

    fn closed(&mut self, may_reopen: bool) {
        if self.model.phase != Phase::Closing {
            return;
        }
        let moved = self.model.closing.take() == Some(Why::Moved);
        let expected = if may_reopen && !moved && !self.model.waiting().is_empty() {
            self.model.phase = Phase::New;
            self.model.settle();
            Next::Nothing
        } else {
            self.model.finish(Told::Retry)
        };
        assert_eq!(ring(self.bench.mailbox.closed(may_reopen, &self.bench.rules)), expected);
    }

    /// What must hold after every event.
    fn check(&self) {
        let (model, mailbox) = (&self.model, &self.bench.mailbox);
        let live = model.live();
        assert_eq!(mailbox.phase(), model.phase);
        assert_eq!(mailbox.running() as usize, live.len());
        assert_eq!(mailbox.waiting().0, model.waiting().len());
        let bytes = mailbox.queue.as_ref().map_or(0, |queue| queue.bytes);
        assert_eq!(bytes, model.bytes(), "TURN-6: every byte is given back");

        // REE-5: nobody writes while somebody reads.
        let many = |of: Sharing| live.iter().filter(|call| call.sharing == of).count();
        assert!(many(Sharing::ReadOnly) == 0 || many(Sharing::Alone) == 0);
        // TURN-1: one at a time, but for calls of the running turn's own chain.
        if model.shares {
            assert!(many(Sharing::Alone) <= 1);
        } else if model.depth_max.is_none() {
            assert!(live.len() <= model.turns_max);
        } else if !model.is_concurrent && live.len() > 1 {
            let chain = &live[0].flight;
            assert!(chain.is_some() && live.iter().all(|call| call.flight == *chain));
        }
        // No lost wake-up: whoever may begin has been told, and whoever listened was woken
        // once; nobody else was.
        assert_eq!(model.next(), None);
        for call in &model.calls {
            match call.fate {
                Fate::Waits => assert_eq!(call.bell.rings(), 0),
                Fate::Has(_) => assert_eq!(call.bell.rings(), usize::from(call.listens)),
                Fate::Runs | Fate::Over => assert!(call.bell.rings() <= 1),
            }
        }
    }
}

fn run(config: &TypeConfig, events: &[Event]) {
    let mut pair = Pair::new(config);
    for event in events {
        pair.apply(event);
        pair.check();
    }
    // Everybody leaves: whatever happened, nothing stays behind.
    for nth in 0.. {
        if pair.model.calls.iter().all(|call| call.fate == Fate::Over) {
            break;
        }
        assert!(nth < 10_000, "somebody waits for ever: {pair:?}");
        pair.apply(&Event::Activated);
        pair.apply(&Event::Exit(0));
        pair.apply(&Event::Closed { may_reopen: true });
        pair.apply(&Event::Ask(nth));
        pair.check();
    }
    pair.apply(&Event::Shrink);
    assert!(pair.bench.mailbox.queue.is_none());
}

fn small() -> TypeConfig {
    TypeConfig { waiting_max: 6, waiting_bytes_max: 120, ..TypeConfig::default() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    // TURN-1, TURN-2, TURN-3, TURN-6.
    #[test]
    fn exclusive_turns_agree_with_the_model(events in prop::collection::vec(event(), 0..80)) {
        run(&small(), &events);
    }

    // REE-1, REE-2.
    #[test]
    fn reentrant_turns_agree_with_the_model(events in prop::collection::vec(event(), 0..80)) {
        let reentrancy = Some(Reentrancy { stack_depth_max: 3 });
        run(&TypeConfig { reentrancy, ..small() }, &events);
    }

    // REE-5.
    #[test]
    fn turns_that_share_agree_with_the_model(events in prop::collection::vec(event(), 0..80)) {
        run(&TypeConfig { read_only: ["r".into()].into(), ..small() }, &events);
    }

    #[test]
    fn concurrent_turns_agree_with_the_model(events in prop::collection::vec(event(), 0..80)) {
        run(&TypeConfig { turns: TurnPolicy::Concurrent { max: 3 }, ..small() }, &events);
    }
}
