//! Tests of the mailbox: its rules one by one, and two defects of other runtimes
//! by name. What random sequences of events may do is in `mailbox_model_tests.rs`.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

use super::*;
use crate::compat::Compat;
use crate::config::{Pool, Reentrancy};

#[path = "mailbox_model_tests.rs"]
mod model;

/// Counts how often it was woken.
#[derive(Debug, Default)]
pub(super) struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Bell {
    pub(super) fn rings(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// What tests see of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    Run,
    Activate,
    Wait(u64),
    Full(usize),
    TooDeep,
    Retry,
    Failed,
}

pub(super) fn flight(name: &str) -> Option<Arc<str>> {
    (!name.is_empty()).then(|| name.into())
}

/// A mailbox with its rules.
#[derive(Debug)]
pub(super) struct Bench {
    pub(super) mailbox: Mailbox,
    pub(super) rules: Rules,
}

impl Bench {
    pub(super) fn new(config: &TypeConfig) -> Self {
        Self { mailbox: Mailbox::new(), rules: Rules::new(config) }
    }

    /// One whose memory is made and where nothing runs.
    fn active(config: &TypeConfig) -> Self {
        let mut bench = Self::new(config);
        assert_eq!(bench.enter(""), Told::Activate);
        bench.mailbox.activated(&bench.rules);
        bench.exit();
        bench
    }

    fn enter(&mut self, name: &str) -> Told {
        self.enter_with(flight(name).as_ref(), 0)
    }

    fn enter_with(&mut self, flight: Option<&Arc<str>>, bytes: usize) -> Told {
        self.enter_as(Sharing::Alone, flight, bytes)
    }

    pub(super) fn enter_as(
        &mut self,
        sharing: Sharing,
        flight: Option<&Arc<str>>,
        bytes: usize,
    ) -> Told {
        match self.mailbox.enter(&self.rules, flight, sharing, bytes, 0) {
            Entered::Run { activate: true } => Told::Activate,
            Entered::Run { activate: false } => Told::Run,
            Entered::Wait(ticket) => {
                if self.rules.scale_at > 0 {
                    ring(self.mailbox.arrived(&self.rules));
                }
                Told::Wait(ticket)
            }
            Entered::Full { waiting } => Told::Full(waiting),
            Entered::TooDeep { .. } => Told::TooDeep,
            Entered::Retry => Told::Retry,
        }
    }

    fn ask(&mut self, ticket: u64) -> Told {
        self.ask_with(ticket, Waker::noop())
    }

    pub(super) fn ask_with(&mut self, ticket: u64, waker: &Waker) -> Told {
        match self.mailbox.poll(ticket, waker) {
            Polled::Pending => Told::Wait(ticket),
            Polled::Run { activate: true } => Told::Activate,
            Polled::Run { activate: false } => Told::Run,
            Polled::Retry => Told::Retry,
            Polled::Failed(_) => Told::Failed,
        }
    }

    fn exit(&mut self) -> Next {
        self.exit_as(Sharing::Alone)
    }

    fn exit_as(&mut self, sharing: Sharing) -> Next {
        ring(self.mailbox.exit(&self.rules, sharing))
    }

    fn abandon(&mut self, ticket: u64) -> Next {
        ring(self.mailbox.abandon(ticket, &self.rules))
    }

    fn closed(&mut self, may_reopen: bool) -> Next {
        ring(self.mailbox.closed(may_reopen, &self.rules))
    }
}

/// Wakes whom an event concerns; what comes next is left.
pub(super) fn ring(effects: Effects) -> Next {
    effects.wake.into_iter().for_each(Waker::wake);
    effects.next
}

fn reentrant(stack_depth_max: u32) -> TypeConfig {
    TypeConfig { reentrancy: Some(Reentrancy { stack_depth_max }), ..TypeConfig::default() }
}

fn concurrent(max: u32) -> TypeConfig {
    TypeConfig { turns: TurnPolicy::Concurrent { max }, ..TypeConfig::default() }
}

// TURN-3; defect (a) of actor-semantics chapter 5: the caller in the middle went away
// and the turn that ran was taken for ended.
#[test]
fn a_waiter_that_leaves_the_middle_starts_nobody_and_keeps_the_order() {
    let mut bench = Bench::active(&TypeConfig::default());
    assert_eq!(bench.enter(""), Told::Run);
    let [Told::Wait(first), Told::Wait(middle), Told::Wait(last)] =
        [bench.enter(""), bench.enter(""), bench.enter("")]
    else {
        unreachable!("all of them wait")
    };
    assert_eq!(bench.abandon(middle), Next::Nothing);
    assert_eq!(bench.ask(first), Told::Wait(first), "the turn still runs");
    assert_eq!(bench.ask(last), Told::Wait(last));
    bench.exit();
    assert_eq!(bench.ask(last), Told::Wait(last), "one at a time");
    assert_eq!(bench.ask(first), Told::Run);
    bench.exit();
    assert_eq!(bench.ask(last), Told::Run);
}

// TURN-3: its turn had been given to it, but it went away before it asked.
#[test]
fn a_granted_turn_that_nobody_takes_is_passed_on() {
    let mut bench = Bench::active(&TypeConfig::default());
    bench.enter("");
    let (Told::Wait(first), Told::Wait(second)) = (bench.enter(""), bench.enter("")) else {
        unreachable!("both wait")
    };
    bench.exit();
    bench.abandon(first);
    assert_eq!(bench.ask(second), Told::Run);
    bench.exit();
    assert!(bench.mailbox.is_idle());
}

// REE-2; latent defect of actor-semantics chapter 6: each refused call left the depth
// one higher, so the turn never ended.
#[test]
fn a_thousand_calls_refused_for_their_depth_leave_no_trace() {
    let mut bench = Bench::active(&reentrant(2));
    assert_eq!(bench.enter("f"), Told::Run);
    assert_eq!(bench.enter("f"), Told::Run, "it joins its own chain");
    for _ in 0..1_000 {
        assert_eq!(bench.enter("f"), Told::TooDeep);
    }
    bench.exit();
    assert_eq!(bench.enter("f"), Told::Run, "the depth is back to one");
    bench.exit();
    bench.exit();
    assert!(bench.mailbox.is_idle());
    assert_eq!(bench.enter("g"), Told::Run, "the next root call succeeds");
}

// REE-1: both came while another chain's turn ran; the first may be waiting for the second.
#[test]
fn calls_of_one_chain_that_waited_begin_together() {
    let mut bench = Bench::active(&reentrant(32));
    bench.enter("g");
    let [Told::Wait(one), Told::Wait(other), Told::Wait(two)] =
        [bench.enter("f"), bench.enter("h"), bench.enter("f")]
    else {
        unreachable!("all of them wait")
    };
    bench.exit();
    assert_eq!((bench.ask(one), bench.ask(two)), (Told::Run, Told::Run));
    assert_eq!(bench.ask(other), Told::Wait(other), "another chain waits for both");
    bench.exit();
    assert_eq!(bench.ask(other), Told::Wait(other));
    bench.exit();
    assert_eq!(bench.ask(other), Told::Run);
}

// REE-1: the second call of a chain came while the first made the memory.
#[test]
fn a_call_of_the_chain_that_activates_begins_with_it() {
    let mut bench = Bench::new(&reentrant(32));
    assert_eq!(bench.enter("f"), Told::Activate);
    let Told::Wait(second) = bench.enter("f") else { unreachable!("nothing runs before") };
    ring(bench.mailbox.activated(&bench.rules));
    assert_eq!(bench.ask(second), Told::Run);
}

// REE-1: without the setting an id is a header like any other.
#[test]
fn a_chain_does_not_join_its_turn_unless_the_type_is_reentrant() {
    let mut bench = Bench::active(&TypeConfig::default());
    assert_eq!(bench.enter("f"), Told::Run);
    assert!(matches!(bench.enter("f"), Told::Wait(_)));
}

// REE-1 beside DEA-2: the running turn cannot end without the nested call.
#[test]
fn a_nested_call_joins_although_the_end_is_asked_for() {
    let mut bench = Bench::active(&reentrant(32));
    bench.enter("f");
    assert_eq!(ring(bench.mailbox.close(Why::Moved)), Next::Nothing);
    assert_eq!(bench.enter("f"), Told::Run);
    assert_eq!(bench.exit(), Next::Nothing);
    assert_eq!(bench.exit(), Next::Close(Why::Moved));
}

// TURN-2: control goes before data. DEA-2: calls wait for the next life, in their order.
#[test]
fn closing_goes_before_waiting_calls_and_these_live_the_next_life() {
    let mut bench = Bench::active(&TypeConfig::default());
    bench.enter("");
    let (Told::Wait(first), Told::Wait(second)) = (bench.enter(""), bench.enter("")) else {
        unreachable!("both wait")
    };
    ring(bench.mailbox.close(Why::Asked));
    assert_eq!(bench.exit(), Next::Close(Why::Asked));
    assert_eq!(bench.ask(first), Told::Wait(first), "method and goodbye never overlap");
    let Told::Wait(third) = bench.enter("") else { unreachable!("it waits for the goodbye") };
    assert_eq!(bench.closed(true), Next::Nothing);
    assert_eq!(bench.ask(second), Told::Wait(second));
    assert_eq!(bench.ask(first), Told::Activate);
    ring(bench.mailbox.activated(&bench.rules));
    bench.exit();
    assert_eq!(bench.ask(second), Told::Run);
    bench.exit();
    assert_eq!(bench.ask(third), Told::Run);
}

// DEA-2: the actor lives elsewhere now, or nobody waits.
#[test]
fn a_closed_activation_is_gone_unless_somebody_may_reopen_it() {
    for (why, again, may_reopen, waits) in [
        (Why::Asked, None, true, false),
        (Why::Asked, None, false, true),
        (Why::Idle, Some(Why::Moved), true, true),
    ] {
        let mut bench = Bench::active(&TypeConfig::default());
        assert_eq!(ring(bench.mailbox.close(why)), Next::Close(why));
        let waiter = waits.then(|| bench.enter(""));
        if let Some(again) = again {
            assert_eq!(ring(bench.mailbox.close(again)), Next::Nothing);
        }
        assert_eq!(bench.closed(may_reopen), Next::Remove, "{why:?} {again:?}");
        if let Some(Told::Wait(ticket)) = waiter {
            assert_eq!(bench.ask(ticket), Told::Retry);
        }
        assert_eq!(bench.enter(""), Told::Retry);
    }
}

#[test]
fn the_weightiest_reason_to_close_wins() {
    let mut bench = Bench::active(&TypeConfig::default());
    bench.enter("");
    for why in [Why::Idle, Why::Moved, Why::Asked, Why::Forget] {
        ring(bench.mailbox.close(why));
    }
    bench.mailbox.note(Why::Asked);
    assert_eq!(bench.exit(), Next::Close(Why::Moved));
}

// ACT-1, ACT-3: one call makes the memory; when it fails, all hear of it.
#[test]
fn a_failed_activation_tells_everybody_who_waits() {
    let mut bench = Bench::new(&TypeConfig::default());
    assert_eq!(bench.enter(""), Told::Activate);
    let (Told::Wait(first), Told::Wait(second)) = (bench.enter(""), bench.enter("")) else {
        unreachable!("both wait for the memory")
    };
    assert_eq!(ring(bench.mailbox.activation_failed(&Error::Closed)), Next::Remove);
    assert_eq!((bench.ask(first), bench.ask(second)), (Told::Failed, Told::Failed));
    assert_eq!(bench.enter(""), Told::Retry);
}

// ACT-1: who was to make the memory went away.
#[test]
fn making_the_memory_passes_to_the_next_or_ends() {
    let mut bench = Bench::new(&TypeConfig::default());
    assert_eq!(bench.enter(""), Told::Activate);
    let Told::Wait(next) = bench.enter("") else { unreachable!("it waits for the memory") };
    assert_eq!(bench.exit(), Next::Nothing);
    assert_eq!(bench.ask(next), Told::Activate);
    assert_eq!(bench.exit(), Next::Remove, "an activation without memory or callers is not kept");
    assert_eq!(bench.mailbox.phase(), Phase::Gone);
}

// TURN-6.
#[test]
fn waiting_calls_and_their_bodies_are_bounded() {
    let config = TypeConfig { waiting_max: 2, waiting_bytes_max: 100, ..TypeConfig::default() };
    let mut bench = Bench::active(&config);
    bench.enter("");
    let Told::Wait(first) = bench.enter_with(None, 60) else { unreachable!("there is room") };
    assert_eq!(bench.enter_with(None, 41), Told::Full(1), "too many bytes");
    assert!(matches!(bench.enter_with(None, 40), Told::Wait(_)));
    assert_eq!(bench.enter_with(None, 0), Told::Full(2), "too many calls");
    bench.abandon(first);
    assert!(matches!(bench.enter_with(None, 60), Told::Wait(_)), "its room is free again");
}

// TURN-6 as Dapr has it.
#[test]
fn under_dapr_s_ways_any_number_of_calls_waits() {
    let mut bench = Bench::active(&TypeConfig::under(Compat::Dapr));
    bench.enter("");
    for _ in 0..20_000 {
        assert!(matches!(bench.enter_with(None, 1 << 20), Told::Wait(_)));
    }
}

// TURN-1 for a system actor that interleaves.
#[test]
fn concurrent_turns_are_limited_and_begin_after_the_memory_is_made() {
    let mut bench = Bench::new(&concurrent(2));
    assert_eq!(bench.enter(""), Told::Activate);
    let waiters: Vec<u64> = (0..3)
        .map(|_| match bench.enter("") {
            Told::Wait(ticket) => ticket,
            other => unreachable!("{other:?}"),
        })
        .collect();
    ring(bench.mailbox.activated(&bench.rules));
    let told: Vec<Told> = waiters.iter().map(|ticket| bench.ask(*ticket)).collect();
    assert_eq!(told, [Told::Run, Told::Wait(waiters[1]), Told::Wait(waiters[2])]);
    bench.exit();
    assert_eq!(bench.ask(waiters[1]), Told::Run);
    ring(bench.mailbox.close(Why::Asked));
    assert_eq!(bench.exit(), Next::Nothing, "the other one runs on");
    assert_eq!(bench.exit(), Next::Close(Why::Asked), "before those that wait");
}

// SA-2: at the lease's end nobody is let in any more, and late ends change nothing.
#[test]
fn a_cut_mailbox_is_over_at_once_and_for_ever() {
    let mut bench = Bench::active(&TypeConfig::default());
    bench.enter("");
    let Told::Wait(waiter) = bench.enter("") else { unreachable!("it waits") };
    assert_eq!(ring(bench.mailbox.cut(false)), Next::Remove);
    assert_eq!(bench.ask(waiter), Told::Retry);
    assert_eq!(bench.exit(), Next::Nothing);
    assert_eq!(ring(bench.mailbox.cut(true)), Next::Nothing);
    assert_eq!(ring(bench.mailbox.close(Why::Moved)), Next::Nothing);
    assert_eq!(bench.closed(true), Next::Nothing);
    assert_eq!(bench.enter(""), Told::Retry);
}

// What the application remembers of this life must not meet the next one.
#[test]
fn a_cut_that_needs_a_goodbye_lets_nobody_in_before_it() {
    let mut bench = Bench::active(&TypeConfig::default());
    bench.enter("");
    let Told::Wait(waiter) = bench.enter("") else { unreachable!("it waits") };
    assert_eq!(ring(bench.mailbox.cut(true)), Next::Close(Why::Moved));
    assert_eq!(bench.exit(), Next::Nothing, "the turn that was cut ends late");
    assert_eq!(bench.ask(waiter), Told::Wait(waiter));
    assert_eq!(bench.closed(true), Next::Remove, "the next life is another activation's");
    assert_eq!(bench.ask(waiter), Told::Retry);

    let mut bench = Bench::active(&TypeConfig::default());
    ring(bench.mailbox.close(Why::Idle));
    assert_eq!(ring(bench.mailbox.cut(false)), Next::Nothing, "a goodbye is under way");
    assert_eq!(bench.closed(true), Next::Remove);
}

// ACT-6: a burst leaves no memory behind.
#[test]
fn an_idle_mailbox_gives_its_queue_back() {
    let mut bench = Bench::active(&TypeConfig::default());
    bench.enter("");
    let tickets: Vec<Told> = (0..200).map(|_| bench.enter("")).collect();
    for told in tickets {
        let Told::Wait(ticket) = told else { unreachable!("all wait") };
        bench.exit();
        assert_eq!(bench.ask(ticket), Told::Run);
    }
    bench.exit();
    assert!(bench.mailbox.queue.is_none(), "a long queue goes by itself");
    bench.enter("");
    let Told::Wait(ticket) = bench.enter("") else { unreachable!("it waits") };
    bench.abandon(ticket);
    bench.mailbox.shrink();
    assert!(bench.mailbox.queue.is_none(), "a short one when the idle loop looks");
}

const READ: Sharing = Sharing::ReadOnly;
const PASS: Sharing = Sharing::Interleaving;

fn waits(told: Told) -> u64 {
    match told {
        Told::Wait(ticket) => ticket,
        other => unreachable!("{other:?}"),
    }
}

// REE-5.
#[test]
fn readers_run_together_and_never_past_a_writer() {
    let mut bench = Bench::active(&TypeConfig::default());
    assert_eq!(bench.enter_as(READ, None, 0), Told::Run);
    assert_eq!(bench.enter_as(READ, None, 0), Told::Run);
    assert!(bench.mailbox.only_reads());
    let writer = waits(bench.enter(""));
    let late = [waits(bench.enter_as(READ, None, 0)), waits(bench.enter_as(READ, None, 0))];
    let second = waits(bench.enter(""));
    bench.exit_as(READ);
    assert_eq!(bench.ask(writer), Told::Wait(writer), "one still reads");
    bench.exit_as(READ);
    assert_eq!(bench.ask(writer), Told::Run);
    assert!(!bench.mailbox.only_reads());
    assert_eq!(late.map(|ticket| bench.ask(ticket)), late.map(Told::Wait));
    bench.exit();
    assert_eq!(late.map(|ticket| bench.ask(ticket)), [Told::Run; 2]);
    assert_eq!(bench.ask(second), Told::Wait(second));
    bench.exit_as(READ);
    bench.exit_as(READ);
    assert_eq!(bench.ask(second), Told::Run);
}

// REE-5, DEA-2.
#[test]
fn interleaving_turns_pass_all_but_the_memory_and_its_end() {
    let mut bench = Bench::new(&TypeConfig::default());
    assert_eq!(bench.enter(""), Told::Activate);
    let early = waits(bench.enter_as(PASS, None, 0));
    let writer = waits(bench.enter(""));
    ring(bench.mailbox.activated(&bench.rules));
    assert_eq!(bench.ask(early), Told::Run, "the memory is there");
    assert_eq!(bench.ask(writer), Told::Wait(writer));
    assert_eq!(bench.enter_as(PASS, None, 0), Told::Run, "past one who waits");
    bench.exit();
    assert_eq!(bench.ask(writer), Told::Run, "nor does a writer wait for them");
    ring(bench.mailbox.close(Why::Asked));
    let last = waits(bench.enter_as(PASS, None, 0));
    assert_eq!(bench.exit(), Next::Nothing);
    assert_eq!(bench.exit_as(PASS), Next::Nothing);
    assert_eq!(bench.exit_as(PASS), Next::Close(Why::Asked), "the goodbye waits for all");
    assert_eq!(bench.ask(last), Told::Wait(last));
    assert_eq!(bench.closed(true), Next::Nothing);
    assert_eq!(bench.ask(last), Told::Activate);
}

// REE-5: everything has a limit.
#[test]
fn turns_beside_each_other_are_limited() {
    for sharing in [READ, PASS] {
        let mut bench = Bench::active(&TypeConfig::default());
        for _ in 0..BESIDE_MAX {
            assert_eq!(bench.enter_as(sharing, None, 0), Told::Run);
        }
        let next = waits(bench.enter_as(sharing, None, 0));
        bench.exit_as(sharing);
        assert_eq!(bench.ask(next), Told::Run);
    }
}

// PL-3: parallelism reaches its limit and goes no further.
#[test]
fn a_pool_grows_when_enough_calls_wait() {
    let pool = Some(Pool { max_per_host: 3, scale_at: 2 });
    let mut bench = Bench::active(&TypeConfig { pool, ..TypeConfig::default() });
    assert_eq!(bench.enter(""), Told::Run);
    let early = [waits(bench.enter("")), waits(bench.enter(""))];
    let late = [waits(bench.enter("")), waits(bench.enter(""))];
    assert_eq!(early.map(|ticket| bench.ask(ticket)), [Told::Run; 2], "two waited already");
    assert_eq!(late.map(|ticket| bench.ask(ticket)), late.map(Told::Wait), "in their order");
    let last = [waits(bench.enter("")), waits(bench.enter(""))];
    assert_eq!(bench.mailbox.running(), 3);
    bench.exit();
    assert_eq!(late.map(|ticket| bench.ask(ticket)), [Told::Run, Told::Wait(late[1])]);
    bench.exit();
    assert_eq!(bench.ask(late[1]), Told::Run, "three waited");
    bench.exit();
    bench.exit();
    assert_eq!(bench.mailbox.running(), 1, "few wait: fewer turns are enough");
    bench.exit();
    assert_eq!(last.map(|ticket| bench.ask(ticket)), [Told::Run, Told::Wait(last[1])]);
    bench.exit();
    assert_eq!(bench.ask(last[1]), Told::Run);
}

// PL-3, TURN-6: the one that makes it one more turn takes the place that becomes free.
#[test]
fn a_pool_grows_although_no_more_may_wait() {
    let pool = Some(Pool { max_per_host: 2, scale_at: 2 });
    let config = TypeConfig { pool, waiting_max: 2, ..TypeConfig::default() };
    let mut bench = Bench::active(&config);
    assert_eq!(bench.enter(""), Told::Run);
    let first = waits(bench.enter(""));
    waits(bench.enter(""));
    waits(bench.enter(""));
    assert_eq!(bench.ask(first), Told::Run);
    assert_eq!((bench.mailbox.running(), bench.mailbox.waiting().0), (2, 2));
    assert_eq!(bench.enter(""), Told::Full(2));
}
