//! O4, O5, O6, O8, and that nothing hangs: what callers could count on.
//!
//! What they can count on depends on what was done to the cluster meanwhile. Each trouble
//! excuses something, for as long as it lasts and for the time that getting over it may
//! take; a join, a leave or a restart in order is no trouble and excuses nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::event::{Actor, Call, Effect, Event, Host, Trouble, Turn, What};
use crate::{Promise, Terms, Violation};

/// How a call ended for its caller.
#[derive(Debug, Clone)]
enum End {
    Answered,
    Failed(Effect, String),
    HungUp,
}

#[derive(Debug, Clone)]
struct Asked {
    actor: Actor,
    via: Host,
    parent: Option<Call>,
    start: Duration,
    deadline: Duration,
    end: Option<(Duration, End)>,
    /// Where and when its turn began, and since when the actor was free for it.
    began: Option<(Host, Duration, Duration)>,
    /// A call that its turn made failed.
    has_failed_below: bool,
}

/// A trouble with the time for which it excuses something.
#[derive(Debug, Clone, Copy)]
struct Excuse {
    trouble: Trouble,
    from: Duration,
    /// When the trouble itself was over.
    calm: Duration,
    to: Duration,
}

/// A crash, with what getting over it may take.
#[derive(Debug, Clone, Copy)]
struct Crash {
    host: Host,
    at: Duration,
    /// By when its actors answer again.
    by: Duration,
    /// Placement went away before it had to have given them away.
    is_of_both: bool,
}

#[derive(Debug, Default)]
struct Service {
    calls: BTreeMap<Call, Asked>,
    excuses: Vec<Excuse>,
    crashes: Vec<Crash>,
    owners: BTreeMap<Actor, Vec<(Duration, Option<Host>)>>,
    /// Where, from when and until when an actor's turns ran.
    turns: BTreeMap<Actor, Vec<(Host, Duration, Duration)>>,
    /// All absences of placement, from when to when.
    absences: Vec<(Duration, Duration)>,
    /// Placement's last absence.
    away: Option<(Duration, Duration)>,
    violations: Vec<Violation>,
}

pub(crate) fn check(events: &[Event], terms: &Terms) -> Vec<Violation> {
    let mut service = Service::default();
    service.read(events, terms);
    let last = events.last().map_or(Duration::ZERO, |event| event.at);
    let calls = std::mem::take(&mut service.calls);
    for (call, asked) in &calls {
        service.in_time(*call, asked, last, terms);
        if terms.are_clocks_kept {
            service.served(*call, asked, terms);
        }
    }
    service.violations
}

impl Service {
    fn read(&mut self, events: &[Event], terms: &Terms) {
        let mut troubles: BTreeMap<u64, (Trouble, Duration)> = BTreeMap::new();
        let mut free: BTreeMap<Actor, Duration> = BTreeMap::new();
        let mut turns: BTreeMap<Turn, (Actor, Host, Duration)> = BTreeMap::new();
        for Event { at, what } in events {
            match what {
                What::Invoked { call, parent, actor, via, deadline, .. } => {
                    let (actor, via, parent) = (*actor, *via, *parent);
                    let asked = Asked {
                        actor,
                        via,
                        parent,
                        start: *at,
                        deadline: *deadline,
                        end: None,
                        began: None,
                        has_failed_below: false,
                    };
                    self.calls.insert(*call, asked);
                }
                What::Answered { call, .. } => self.ended(*call, *at, End::Answered),
                What::Failed { call, effect, why } => {
                    self.ended(*call, *at, End::Failed(*effect, why.clone()));
                }
                What::HungUp { call } => self.ended(*call, *at, End::HungUp),
                What::TurnBegan { turn, call, actor, host } => {
                    turns.insert(*turn, (*actor, *host, *at));
                    let since = free.get(actor).copied().unwrap_or_default();
                    if let Some(asked) = self.calls.get_mut(call) {
                        let since = since.max(asked.start);
                        asked.began.get_or_insert((*host, *at, since));
                    }
                }
                What::TurnEnded { turn } | What::TurnCut { turn } | What::TurnLost { turn } => {
                    if let Some((actor, host, began)) = turns.get(turn) {
                        free.insert(*actor, *at);
                        self.turns.entry(*actor).or_default().push((*host, *began, *at));
                    }
                }
                What::Owner { actor, host } => {
                    let changes = self.owners.entry(*actor).or_default();
                    // Whoever leads anew names the same owner again.
                    if changes.last().is_none_or(|(_, owner)| owner != host) {
                        changes.push((*at, *host));
                    }
                }
                What::Troubled { id, trouble } => {
                    troubles.insert(*id, (*trouble, *at));
                }
                What::Calmed { id } => {
                    if let Some((trouble, from)) = troubles.remove(id) {
                        self.excuse(trouble, from, *at, terms);
                    }
                }
                What::TurnRead { .. }
                | What::Committed { .. }
                | What::Claimed { .. }
                | What::Landed { .. }
                | What::Reminding { .. }
                | What::Reminded { .. }
                | What::NotReminded { .. }
                | What::Dropping { .. }
                | What::Dropped { .. }
                | What::Ticked { .. }
                | What::Timed { .. }
                | What::Sent { .. }
                | What::Received { .. }
                | What::Unsound { .. }
                | What::Calendar { .. } => {}
            }
        }
        for (trouble, from) in troubles.into_values() {
            self.excuse(trouble, from, Duration::MAX, terms);
        }
        self.bound_crashes(terms);
    }

    fn excuse(&mut self, trouble: Trouble, from: Duration, calm: Duration, terms: &Terms) {
        let to = calm.saturating_add(terms.recovery);
        let from = match trouble {
            Trouble::Crash(host) => {
                let by = from + terms.takeover;
                self.crashes.push(Crash { host, at: from, by, is_of_both: false });
                return;
            }
            Trouble::Frozen(_) | Trouble::Host(_) | Trouble::All => from,
            Trouble::Placement => {
                self.absences.push((from, calm));
                self.away_since(from, calm, terms) + terms.alone
            }
        };
        if from <= calm {
            self.excuses.push(Excuse { trouble, from, calm, to });
        }
    }

    /// A placement that begins anew waits for whoever has not reported, and counts from its
    /// own beginning: it cannot know when a host that died was last heard. So does each one
    /// that begins before that is over.
    fn bound_crashes(&mut self, terms: &Terms) {
        self.absences.sort();
        for crash in &mut self.crashes {
            for (from, back) in &self.absences {
                if *from <= crash.by && *back >= crash.at {
                    crash.by = crash.by.max(back.saturating_add(terms.takeover));
                    crash.is_of_both = true;
                }
            }
            let (trouble, from) = (Trouble::Crash(crash.host), crash.at);
            let to = crash.by.saturating_add(terms.pause_max);
            self.excuses.push(Excuse { trouble, from, calm: from, to });
        }
    }

    /// Since when no lease may have been renewed: placement that was back for a moment only
    /// was away all the time. After an absence in which leases ended, a moment is what it takes
    /// to lead anew: until then nobody is taken in.
    fn away_since(&mut self, from: Duration, calm: Duration, terms: &Terms) -> Duration {
        let is_same = |(began, end): &(Duration, Duration)| {
            let have_lapsed = end.saturating_sub(*began) > terms.alone;
            let moment = if have_lapsed { terms.takeover } else { terms.renewal };
            from < end.saturating_add(moment)
        };
        let before = self.away.filter(is_same);
        let began = before.map_or(from, |(began, _)| began.min(from));
        let end = before.map_or(calm, |(_, end)| end.max(calm));
        self.away = Some((began, end));
        began
    }

    fn ended(&mut self, call: Call, at: Duration, end: End) {
        let is_failure = !matches!(end, End::Answered);
        let Some(asked) = self.calls.get_mut(&call) else { return };
        if asked.end.is_none() {
            asked.end = Some((at, end));
        }
        let parent = asked.parent.filter(|_| is_failure);
        if let Some(above) = parent.and_then(|parent| self.calls.get_mut(&parent)) {
            above.has_failed_below = true;
        }
    }

    /// Nothing hangs past its deadline, unless the very process that should have answered
    /// stood still. A turn that calls when its own time is up is answered at once.
    fn in_time(&mut self, call: Call, asked: &Asked, last: Duration, terms: &Terms) {
        let stood_still = self.excuses.iter().filter(|excuse| {
            excuse.trouble == Trouble::Frozen(asked.via)
                && excuse.from <= asked.deadline + terms.late_max
                && excuse.calm >= asked.start
        });
        let begin = asked.deadline.max(asked.start);
        let until = stood_still.map(|excuse| excuse.calm).fold(begin, Duration::max);
        let until = until.saturating_add(terms.late_max);
        let at = asked.end.as_ref().map_or(last, |(at, _)| *at);
        if at > until {
            let what = if asked.end.is_some() { "was answered" } else { "has no answer" };
            let text = format!(
                "call {call} of actor {} via host {} {what} at {:.3} s; its deadline was {:.3} s",
                asked.actor,
                asked.via,
                at.as_secs_f64(),
                asked.deadline.as_secs_f64()
            );
            self.broken(Promise::InTime, at, text, &[asked.via]);
        }
    }

    fn served(&mut self, call: Call, asked: &Asked, terms: &Terms) {
        let Some((end, how)) = &asked.end else { return };
        let (start, end) = (asked.start, *end);
        let is_impatient = asked.deadline.saturating_sub(start) < terms.patience;
        if matches!(how, End::HungUp) || (is_impatient && !matches!(how, End::Answered)) {
            return;
        }
        let excuses: Vec<Excuse> = self
            .excuses
            .iter()
            .filter(|excuse| excuse.from <= end && excuse.to >= start)
            .copied()
            .collect();
        let is_of = |excuse: &Excuse, host: Host| match excuse.trouble {
            Trouble::Crash(other) | Trouble::Frozen(other) | Trouble::Host(other) => other == host,
            Trouble::Placement | Trouble::All => true,
        };
        if excuses.iter().any(|excuse| is_of(excuse, asked.via)) {
            return;
        }
        let (owner, has_moved) = self.owner(asked.actor, start, end, terms);
        let is_bystander = !has_moved
            && !self.is_awaited(asked.actor, start, end, terms)
            && owner.is_some_and(|owner| !excuses.iter().any(|excuse| is_of(excuse, owner)));
        let is_alone = self.excuses.iter().any(|excuse| {
            excuse.trouble == Trouble::Placement
                && excuse.from.saturating_sub(terms.alone) <= end
                && excuse.calm >= start
        });
        if is_bystander {
            let promise = if is_alone { Promise::O8 } else { Promise::O4 };
            self.without_pause(promise, call, asked, terms);
            let promise = if excuses.is_empty() && !is_alone { Promise::O5 } else { promise };
            self.without_failure(promise, (call, asked), None, terms);
        } else if excuses.is_empty() {
            let promise = if is_alone { Promise::O8 } else { Promise::O5 };
            self.without_failure(promise, (call, asked), None, terms);
        } else if let [Excuse { trouble: Trouble::Crash(host), .. }] = excuses.as_slice() {
            let crash = self.crashes.iter().find(|crash| crash.host == *host).copied();
            self.without_failure(Promise::O6, (call, asked), crash, terms);
        }
    }

    /// Who owned the actor when the call was made, and whether it was moving then: that changed
    /// around it; or before, placement was away meanwhile, and the actor has not come over yet.
    /// Marks go on when somebody leads.
    fn owner(
        &self,
        actor: Actor,
        start: Duration,
        end: Duration,
        terms: &Terms,
    ) -> (Option<Host>, bool) {
        let changes = self.owners.get(&actor).map_or(&[][..], Vec::as_slice);
        let current = changes.iter().rposition(|(at, _)| *at <= start);
        let owner = current.and_then(|current| changes[current].1);
        // To be told for the first time who it is moves nobody.
        let mut moves = changes.iter().skip(1);
        let has_moved = moves.any(|(at, _)| *at + terms.recovery >= start && *at <= end);
        let before = current.filter(|current| *current > 0).map(|current| changes[current]);
        let is_under_way = before.is_some_and(|(since, owner)| {
            let mut turns = self.turns.get(&actor).into_iter().flatten();
            let mut until = since.saturating_add(terms.recovery);
            for (from, back) in &self.absences {
                if *from <= until && *back >= since {
                    until = until.max(back.saturating_add(terms.recovery));
                }
            }
            let is_there = |(host, began, _): &(Host, Duration, Duration)| {
                Some(*host) == owner && since <= *began && *began < start
            };
            until >= start && !turns.any(is_there)
        });
        (owner, has_moved || is_under_way)
    }

    /// Whether the actor's owner may still wait for one before it that died, and placement with
    /// it: that can take longer than getting over anything else. Until it is given up a host
    /// that died may be made an owner, too.
    fn is_awaited(&self, actor: Actor, start: Duration, end: Duration, terms: &Terms) -> bool {
        let changes = self.owners.get(&actor).map_or(&[][..], Vec::as_slice);
        let nexts = changes.iter().skip(1).map(|(at, _)| *at).chain([Duration::MAX]);
        self.crashes.iter().filter(|crash| crash.is_of_both).any(|crash| {
            let is_now = crash.at <= end && crash.by.saturating_add(terms.pause_max) >= start;
            let mut reigns = changes.iter().zip(nexts.clone());
            is_now
                && reigns.any(|((from, owner), to)| {
                    *owner == Some(crash.host)
                        && *from <= crash.by
                        && to.saturating_add(terms.recovery) >= crash.at
                })
        })
    }

    fn without_pause(&mut self, promise: Promise, call: Call, asked: &Asked, terms: &Terms) {
        let Some((host, began, since)) = asked.began else { return };
        let pause = began.saturating_sub(since);
        if pause > terms.pause_max {
            let text = format!(
                "call {call} of actor {} waited {:.3} s for its turn on host {host}, though its owner had not changed and the actor was free",
                asked.actor,
                pause.as_secs_f64()
            );
            self.broken(promise, began, text, &[host]);
        }
    }

    /// The call was answered. `crash`: unless the host that died had it; and its turn began
    /// within the time that taking over may need.
    fn without_failure(
        &mut self,
        promise: Promise,
        (call, asked): (Call, &Asked),
        crash: Option<Crash>,
        terms: &Terms,
    ) {
        let Some((end, how)) = &asked.end else { return };
        if let (Some(Crash { host: dead, at, by, .. }), Some((host, began, since))) =
            (crash, asked.began)
        {
            let limit = since.max(by).saturating_add(terms.pause_max);
            let changes = self.owners.get(&asked.actor).map_or(&[][..], Vec::as_slice);
            let owner = changes.iter().rev().find(|(moved, _)| *moved <= at);
            let first = changes.first().map(|(since, _)| *since);
            let was_its_own = owner.is_none_or(|(since, owner)| {
                let is_over = first == Some(*since) || since.saturating_add(terms.recovery) <= at;
                let had_come = self.had_come_over(asked.actor, dead, (*since, at), is_over);
                *owner == Some(dead) && had_come
            });
            if began > limit && was_its_own && !self.has_moved_on(asked.actor, at, began) {
                let text = format!(
                    "call {call} of actor {} began on host {host} at {:.3} s; it was to begin by {:.3} s",
                    asked.actor,
                    began.as_secs_f64(),
                    limit.as_secs_f64()
                );
                self.broken(promise, began, text, &[host, dead]);
            }
        }
        let End::Failed(effect, why) = how else { return };
        let is_excused = match (effect, crash) {
            // Its turn had no answer from another, whose own call is looked at by itself.
            (Effect::Done, _) => asked.has_failed_below,
            (Effect::Maybe, None) => {
                asked.began.is_some() && (asked.has_failed_below || self.was_busy(asked, terms))
            }
            // It was with the host that died, or on the way there or back.
            (Effect::Maybe, Some(Crash { host, at, .. })) => {
                let was_there = asked.began.is_none_or(|(on, ..)| on == host);
                asked.has_failed_below || (asked.start <= at + terms.pause_max && was_there)
            }
            // Its time was up before it had to be served.
            (Effect::None, Some(Crash { at, by, is_of_both: true, .. })) => {
                let more = if self.has_moved_on(asked.actor, at, *end) {
                    terms.recovery
                } else {
                    Duration::ZERO
                };
                asked.deadline <= by.saturating_add(more) || self.was_busy(asked, terms)
            }
            (Effect::None, _) => self.was_busy(asked, terms),
        };
        if !is_excused {
            let text = format!(
                "call {call} of actor {} via host {}, made at {:.3} s, failed ({effect:?}): {why}",
                asked.actor,
                asked.via,
                asked.start.as_secs_f64()
            );
            self.broken(promise, *end, text, &[asked.via]);
        }
    }

    /// Whether an actor that a host was to have from some time on was really there when that
    /// host died. Where it was before, its turn may have run still, or that of another of its
    /// type, which are let go of together; `had_time` if all that must be over by then.
    fn had_come_over(
        &self,
        actor: Actor,
        dead: Host,
        (since, at): (Duration, Duration),
        had_time: bool,
    ) -> bool {
        let turns = || self.turns.get(&actor).into_iter().flatten();
        let ran_there = turns().any(|(on, from, _)| *on == dead && since <= *from && *from <= at);
        let runs_elsewhere = turns().any(|(on, from, to)| *on != dead && *from <= at && at <= *to);
        (ran_there || had_time) && !runs_elsewhere
    }

    /// Whether one turn of the actor took all the time that the caller had.
    fn was_busy(&self, asked: &Asked, terms: &Terms) -> bool {
        let mut turns = self.turns.get(&asked.actor).into_iter().flatten();
        turns.any(|(_, from, to)| {
            *from <= asked.start.saturating_add(terms.pause_max)
                && to.saturating_add(terms.pause_max) >= asked.deadline
        })
    }

    /// Whether the actor, taken over after a crash, moved on, which takes its own time.
    fn has_moved_on(&self, actor: Actor, crash: Duration, until: Duration) -> bool {
        let changes = self.owners.get(&actor).map_or(&[][..], Vec::as_slice);
        changes.iter().filter(|(at, _)| *at > crash && *at <= until).count() >= 2
    }

    fn broken(&mut self, promise: Promise, at: Duration, text: String, hosts: &[Host]) {
        self.violations.push(Violation { promise, at, text, hosts: hosts.to_vec() });
    }
}
