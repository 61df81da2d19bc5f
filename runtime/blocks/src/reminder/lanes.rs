//! What a partition has in memory of the calls that actors emitted, and which of them is being
//! delivered.
//!
//! Pure: no store, no clock, no task. One lane for each sender, in the order in which it emitted;
//! its first is under way or waits to be tried again, so a call that cannot be delivered holds up
//! those of its own sender only. What was delivered stays in its lane until it is out of the
//! store, or it would be read, and delivered, again. Times are milliseconds that only grow.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::letter::{Letter, sender_of};

/// How much of the calls of a partition is in memory and under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Calls of one sender in memory; more wait in the store. Default: 16.
    pub lane_max: usize,
    /// Calls in memory; more wait in the store. Default: 20,000.
    pub letters_max: usize,
    /// Bytes of their arguments and headers in memory, of which any one may be more. Default: 32 MiB.
    pub bytes_max: usize,
    /// Deliveries under way at once, each of another sender. Default: 64.
    pub deliveries_max: usize,
    /// How often an actor may answer a call with an error before it is given up. Default: 20.
    pub refusals_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            lane_max: 16,
            letters_max: 20_000,
            bytes_max: 32 << 20,
            deliveries_max: 64,
            refusals_max: 20,
        }
    }
}

/// A call that is to be delivered now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Under which key it is stored.
    pub key: Arc<str>,
    /// The call.
    pub letter: Arc<Letter>,
}

/// How a delivery ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The actor took it.
    Taken,
    /// The actor answered with an error.
    Refused,
    /// It did not come that far, or nobody knows.
    Undelivered,
}

/// What becomes of it then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It is over, and to be removed from the store.
    Over,
    /// It is tried again; so often it was tried until now.
    Again(u32),
    /// It was refused too often, and is to be removed from the store.
    GivenUp,
}

#[derive(Debug)]
enum Entry {
    /// Waits, or is under way.
    Kept(Arc<Letter>),
    /// To be removed from the store.
    Over,
}

/// What happens to the first of a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing: there is none.
    Idle,
    /// It waits until then, in the order.
    Waiting(u64),
    /// It is being delivered.
    UnderWay,
}

#[derive(Debug)]
struct Lane {
    letters: BTreeMap<Arc<str>, Entry>,
    state: State,
    /// Whether the store has more of them, as far as is known.
    has_more: bool,
    /// How often the first was tried, and refused, so far.
    tries: u32,
    refusals: u32,
}

impl Lane {
    fn first(&self) -> Option<(&Arc<str>, &Arc<Letter>)> {
        self.letters.iter().find_map(|(key, entry)| match entry {
            Entry::Kept(letter) => Some((key, letter)),
            Entry::Over => None,
        })
    }
}

/// The calls of a partition that are in memory.
#[derive(Debug)]
pub struct Lanes {
    limits: Limits,
    lanes: HashMap<Arc<str>, Lane>,
    order: BTreeSet<(u64, Arc<str>)>,
    /// Senders with more in the store, and room for it in their lane.
    wanting: BTreeSet<Arc<str>>,
    /// What is over, and not yet being removed from the store.
    over: Vec<Arc<str>>,
    under_way: usize,
    letters: usize,
    bytes: usize,
}

impl Lanes {
    /// None.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            lanes: HashMap::new(),
            order: BTreeSet::new(),
            wanting: BTreeSet::new(),
            over: Vec::new(),
            under_way: 0,
            letters: 0,
            bytes: 0,
        }
    }

    /// How many calls wait or are under way.
    #[must_use]
    pub fn len(&self) -> usize {
        self.letters
    }

    /// Whether none does.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.letters == 0
    }

    /// Whether a sender's lane has room for nothing more; what it has then waits in the store.
    pub fn is_full(&mut self, sender: &str) -> bool {
        let has_room = self.has_room();
        let Some(lane) = self.lanes.get_mut(sender) else { return !has_room };
        let is_full = lane.letters.len() >= self.limits.lane_max || !has_room;
        lane.has_more |= is_full;
        is_full
    }

    fn has_room(&self) -> bool {
        self.letters < self.limits.letters_max && self.bytes < self.limits.bytes_max
    }

    /// Takes in a call that the store has, unless it is known; `false` if there is no room.
    fn take_in(&mut self, key: &str, letter: Letter, now: u64) -> bool {
        let Some(sender) = sender_of(key) else { return true };
        if self.lanes.get(sender).is_some_and(|lane| lane.letters.contains_key(key)) {
            return true;
        }
        if self.is_full(sender) {
            return false;
        }
        let sender: Arc<str> = sender.into();
        self.letters += 1;
        self.bytes += letter.bytes();
        let lane = self.lanes.entry(Arc::clone(&sender)).or_insert_with(|| Lane {
            letters: BTreeMap::new(),
            state: State::Idle,
            has_more: false,
            tries: 0,
            refusals: 0,
        });
        lane.letters.insert(key.into(), Entry::Kept(Arc::new(letter)));
        if lane.state == State::Idle {
            lane.state = State::Waiting(now);
            self.order.insert((now, sender));
        }
        true
    }

    /// Takes in what was read at one moment, in the order of the store; the senders of which
    /// something found no room. Nothing of theirs behind it is taken in, though room may come
    /// meanwhile: it would overtake.
    pub fn take_in_all(&mut self, letters: Vec<(&str, Letter)>, now: u64) -> BTreeSet<Arc<str>> {
        let mut held_up = BTreeSet::new();
        for (key, letter) in letters {
            let Some(sender) = sender_of(key) else { continue };
            if !held_up.contains(sender) && !self.take_in(key, letter, now) {
                held_up.insert(sender.into());
            }
        }
        held_up
    }

    /// All that the store has of a sender was read, or not all.
    pub fn was_read(&mut self, sender: &str, has_more: bool) {
        let Some(lane) = self.lanes.get_mut(sender) else { return };
        lane.has_more = has_more;
        if !has_more && lane.letters.is_empty() {
            self.lanes.remove(sender);
        }
        self.want(sender);
    }

    /// Remembers to read on once half of the lane is free.
    fn want(&mut self, sender: &str) {
        let Some(lane) = self.lanes.get(sender) else { return };
        if lane.has_more && lane.letters.len() <= self.limits.lane_max / 2 {
            self.wanting.insert(sender.into());
        }
    }

    /// The store has come to have something of a sender. It is read soon, unless too many wait
    /// for that: then it is found by whoever looks through the store.
    pub fn has_come(&mut self, sender: Arc<str>) {
        if self.wanting.len() < self.limits.letters_max {
            self.wanting.insert(sender);
        }
    }

    /// Senders to read on, at most so many; they are not named again until they were read.
    pub fn wanting(&mut self, max: usize) -> Vec<Arc<str>> {
        // Or what finds no room would be read again and again.
        let is_crowded = self.letters * 4 > self.limits.letters_max * 3
            || self.bytes * 4 > self.limits.bytes_max * 3;
        if is_crowded {
            return Vec::new();
        }
        let named: Vec<_> = self.wanting.iter().take(max).cloned().collect();
        for sender in &named {
            self.wanting.remove(sender);
        }
        named
    }

    /// What is to be delivered now; each of them is under way from then on.
    pub fn due(&mut self, now: u64) -> Vec<Delivery> {
        let mut due = Vec::new();
        while self.under_way < self.limits.deliveries_max {
            match self.order.first() {
                Some((until, _)) if *until <= now => {}
                _ => break,
            }
            let Some((_, sender)) = self.order.pop_first() else { break };
            let Some(lane) = self.lanes.get_mut(&sender) else { continue };
            let first = lane.first().map(|(key, letter)| (Arc::clone(key), Arc::clone(letter)));
            lane.state = State::Idle;
            if let Some((key, letter)) = first {
                lane.state = State::UnderWay;
                self.under_way += 1;
                due.push(Delivery { key, letter });
            }
        }
        due
    }

    /// A delivery has ended; `wait` says for how long to wait after so many tries.
    pub fn ended(
        &mut self,
        key: &Arc<str>,
        ended: Ended,
        now: u64,
        wait: impl FnOnce(u32) -> Duration,
    ) -> Next {
        self.under_way = self.under_way.saturating_sub(1);
        let Some(sender) = sender_of(key) else { return Next::Over };
        let Some(lane) = self.lanes.get_mut(sender) else { return Next::Over };
        let refusals = lane.refusals + u32::from(ended == Ended::Refused);
        let next = match ended {
            Ended::Taken => Next::Over,
            Ended::Refused if refusals >= self.limits.refusals_max => Next::GivenUp,
            Ended::Refused | Ended::Undelivered => Next::Again(lane.tries.saturating_add(1)),
        };
        let until = if let Next::Again(tries) = next {
            let wait = u64::try_from(wait(lane.tries).as_millis()).unwrap_or(u64::MAX);
            (lane.tries, lane.refusals) = (tries, refusals);
            now.saturating_add(wait.max(1))
        } else {
            (lane.tries, lane.refusals) = (0, 0);
            if let Some(entry) = lane.letters.get_mut(key)
                && let Entry::Kept(letter) = std::mem::replace(entry, Entry::Over)
            {
                self.letters -= 1;
                self.bytes -= letter.bytes();
                self.over.push(Arc::clone(key));
            }
            now
        };
        if lane.first().is_some() {
            lane.state = State::Waiting(until);
            self.order.insert((until, sender.into()));
        } else {
            lane.state = State::Idle;
            if lane.letters.is_empty() && !lane.has_more {
                self.lanes.remove(sender);
            }
        }
        next
    }

    /// What is to be removed from the store, at most so many; not named again, unless it comes
    /// back.
    pub fn over(&mut self, max: usize) -> Vec<Arc<str>> {
        let kept = self.over.len().saturating_sub(max);
        self.over.split_off(kept)
    }

    /// Whether something is to be removed from the store.
    #[must_use]
    pub fn has_over(&self) -> bool {
        !self.over.is_empty()
    }

    /// These could not be removed.
    pub fn come_back(&mut self, keys: Vec<Arc<str>>) {
        self.over.extend(keys);
    }

    /// This is in the store no more.
    pub fn was_removed(&mut self, key: &str) {
        let Some(sender) = sender_of(key) else { return };
        let Some(lane) = self.lanes.get_mut(sender) else { return };
        // What was delivered by somebody else, before this partition came here, is over too.
        if let Some(Entry::Kept(letter)) = lane.letters.remove(key) {
            self.letters -= 1;
            self.bytes -= letter.bytes();
        }
        if lane.letters.is_empty() && !lane.has_more && lane.state != State::UnderWay {
            if let State::Waiting(until) = lane.state {
                self.order.remove(&(until, sender.into()));
            }
            self.lanes.remove(sender);
        }
        self.want(sender);
    }

    /// When something is to be delivered next; `None` if that depends on what is under way.
    #[must_use]
    pub fn next(&self) -> Option<u64> {
        let is_full = self.under_way >= self.limits.deliveries_max;
        self.order.first().map(|(until, _)| *until).filter(|_| !is_full)
    }
}

#[cfg(test)]
#[path = "lanes_tests.rs"]
mod tests;
