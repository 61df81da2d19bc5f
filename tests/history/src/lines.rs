//! Events as text, one a line, so that a process can write them down one by one and people can
//! read what happened.
//!
//! A line begins with nanoseconds and a word; what follows depends on the word.

use std::fmt::{Display, Write as _};
use std::str::SplitWhitespace;
use std::time::Duration;

use crate::event::{Effect, Event, Fence, Host, Object, Op, Seen, Trouble, What};

/// Stands where there is nothing.
const NONE: &str = "-";

/// An event as a line, without its end.
#[must_use]
pub fn write(event: &Event) -> String {
    let mut line = event.at.as_nanos().to_string();
    // Writing to a string cannot fail.
    let _ = match &event.what {
        What::Invoked { call, parent, actor, via, op, deadline } => {
            let (parent, deadline) = (or_none(*parent), deadline.as_nanos());
            write!(line, " invoked {call} {parent} {actor} {via} {deadline} {}", of_op(*op))
        }
        What::Answered { call, seen } => {
            write!(line, " answered {call} {}", or_none(seen.map(of_seen)))
        }
        What::Failed { call, effect, why } => {
            write!(line, " failed {call} {} {}", of_effect(*effect), one_line(why))
        }
        What::HungUp { call } => write!(line, " hung-up {call}"),
        What::TurnBegan { turn, call, actor, host } => {
            write!(line, " began {turn} {call} {actor} {host}")
        }
        What::TurnRead { turn, object, seen } => {
            write!(line, " read {turn} {} {}", object.key(), of_seen(*seen))
        }
        What::Committed { turn, object, seen } => {
            write!(line, " committed {turn} {} {}", object.key(), of_seen(*seen))
        }
        What::TurnEnded { turn } => write!(line, " ended {turn}"),
        What::TurnCut { turn } => write!(line, " cut {turn}"),
        What::TurnLost { turn } => write!(line, " lost {turn}"),
        What::Claimed { actor, host, fence } => {
            write!(line, " claimed {actor} {} {host}", of_fence(*fence))
        }
        What::Landed { actor, fence } => write!(line, " landed {actor} {}", of_fence(*fence)),
        What::Owner { actor, host } => write!(line, " owner {actor} {}", or_none(*host)),
        What::Sent { message, from, to } => write!(line, " sent {from} {to} {}", one_line(message)),
        What::Received { message, by } => write!(line, " received {by} {}", one_line(message)),
        What::Unsound { why } => write!(line, " unsound {}", one_line(why)),
        What::Reminding { reminder, first, every, times } => {
            let (first, every) = (first.as_nanos(), or_none(every.map(|every| every.as_nanos())));
            write!(line, " reminding {reminder} {first} {every} {}", or_none(*times))
        }
        What::Reminded { reminder, now } => {
            write!(line, " reminded {reminder} {}", now.as_nanos())
        }
        What::NotReminded { reminder, why } => {
            write!(line, " not-reminded {reminder} {}", one_line(why))
        }
        What::Dropping { reminder } => write!(line, " dropping {reminder}"),
        What::Dropped { reminder } => write!(line, " dropped {reminder}"),
        What::Ticked { reminder, turn, tick, missed, due, now } => {
            let (due, now) = (due.as_nanos(), now.as_nanos());
            write!(line, " ticked {reminder} {turn} {tick} {missed} {due} {now}")
        }
        What::Timed { timer, turn, since, due } => {
            let (since, due) = (or_none(since.map(|since| since.as_nanos())), due.as_nanos());
            write!(line, " timed {timer} {turn} {since} {due}")
        }
        What::Calendar { now } => write!(line, " calendar {}", now.as_nanos()),
        What::Troubled { id, trouble } => write!(line, " troubled {id} {}", of_trouble(*trouble)),
        What::Calmed { id } => write!(line, " calmed {id}"),
    };
    line
}

/// Reads a line; nothing if it is not one that [`write()`] makes, or only the first part of one.
#[must_use]
pub fn read(line: &str) -> Option<Event> {
    let mut words = line.split_whitespace();
    let at = nanos(&mut words)?;
    let kind = words.next()?;
    let words = &mut words;
    let what = match kind {
        "invoked" => What::Invoked {
            call: number(words)?,
            parent: perhaps(words)?,
            actor: number(words)?,
            via: number(words)?,
            deadline: nanos(words)?,
            op: op(words)?,
        },
        "answered" => What::Answered { call: number(words)?, seen: perhaps_seen(words)? },
        "failed" => {
            What::Failed { call: number(words)?, effect: effect(words.next()?)?, why: rest(words) }
        }
        "hung-up" => What::HungUp { call: number(words)? },
        "began" => What::TurnBegan {
            turn: number(words)?,
            call: number(words)?,
            actor: number(words)?,
            host: number(words)?,
        },
        "read" => {
            What::TurnRead { turn: number(words)?, object: object(words)?, seen: seen(words)? }
        }
        "committed" => {
            What::Committed { turn: number(words)?, object: object(words)?, seen: seen(words)? }
        }
        "ended" => What::TurnEnded { turn: number(words)? },
        "cut" => What::TurnCut { turn: number(words)? },
        "lost" => What::TurnLost { turn: number(words)? },
        "claimed" => {
            What::Claimed { actor: number(words)?, fence: fence(words)?, host: number(words)? }
        }
        "landed" => What::Landed { actor: number(words)?, fence: fence(words)? },
        "owner" => What::Owner { actor: number(words)?, host: perhaps(words)? },
        "sent" => What::Sent { from: number(words)?, to: number(words)?, message: rest(words) },
        "received" => What::Received { by: number(words)?, message: rest(words) },
        "unsound" => What::Unsound { why: rest(words) },
        "reminding" => What::Reminding {
            reminder: number(words)?,
            first: nanos(words)?,
            every: perhaps(words)?.map(Duration::from_nanos),
            times: perhaps(words)?,
        },
        "reminded" => What::Reminded { reminder: number(words)?, now: nanos(words)? },
        "not-reminded" => What::NotReminded { reminder: number(words)?, why: rest(words) },
        "dropping" => What::Dropping { reminder: number(words)? },
        "dropped" => What::Dropped { reminder: number(words)? },
        "ticked" => What::Ticked {
            reminder: number(words)?,
            turn: number(words)?,
            tick: number(words)?,
            missed: number(words)?,
            due: nanos(words)?,
            now: nanos(words)?,
        },
        "timed" => What::Timed {
            timer: number(words)?,
            turn: number(words)?,
            since: perhaps(words)?.map(Duration::from_nanos),
            due: nanos(words)?,
        },
        "calendar" => What::Calendar { now: nanos(words)? },
        "troubled" => What::Troubled { id: number(words)?, trouble: trouble(words)? },
        "calmed" => What::Calmed { id: number(words)? },
        _ => return None,
    };
    words.next().is_none().then_some(Event { at, what })
}

fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

fn rest(words: &mut SplitWhitespace<'_>) -> String {
    words.collect::<Vec<_>>().join(" ")
}

fn or_none(value: Option<impl Display>) -> String {
    value.map_or_else(|| NONE.to_owned(), |value| value.to_string())
}

fn number<T: std::str::FromStr>(words: &mut SplitWhitespace<'_>) -> Option<T> {
    words.next()?.parse().ok()
}

fn nanos(words: &mut SplitWhitespace<'_>) -> Option<Duration> {
    number(words).map(Duration::from_nanos)
}

fn perhaps<T: std::str::FromStr>(words: &mut SplitWhitespace<'_>) -> Option<Option<T>> {
    match words.next()? {
        NONE => Some(None),
        word => word.parse().ok().map(Some),
    }
}

fn of_seen(seen: Seen) -> String {
    format!("{} {} {}", seen.version, seen.by, seen.sum)
}

fn seen(words: &mut SplitWhitespace<'_>) -> Option<Seen> {
    Some(Seen { version: number(words)?, by: number(words)?, sum: number(words)? })
}

fn perhaps_seen(words: &mut SplitWhitespace<'_>) -> Option<Option<Seen>> {
    match perhaps(words)? {
        Some(version) => Some(Some(Seen { version, by: number(words)?, sum: number(words)? })),
        None => Some(None),
    }
}

fn object(words: &mut SplitWhitespace<'_>) -> Option<Object> {
    let key = words.next()?;
    Object::ALL.into_iter().find(|object| object.key() == key)
}

fn of_op(op: Op) -> String {
    match op {
        Op::Read(object) => format!("read {}", object.key()),
        Op::Write(object, adds) => format!("write {} {adds}", object.key()),
        Op::Other => "other".to_owned(),
    }
}

fn op(words: &mut SplitWhitespace<'_>) -> Option<Op> {
    Some(match words.next()? {
        "read" => Op::Read(object(words)?),
        "write" => Op::Write(object(words)?, number(words)?),
        "other" => Op::Other,
        _ => return None,
    })
}

fn of_effect(effect: Effect) -> &'static str {
    match effect {
        Effect::None => "none",
        Effect::Maybe => "maybe",
        Effect::Done => "done",
    }
}

fn effect(word: &str) -> Option<Effect> {
    [Effect::None, Effect::Maybe, Effect::Done].into_iter().find(|one| of_effect(*one) == word)
}

fn of_fence(Fence(term, table, activation): Fence) -> String {
    format!("{term} {table} {activation}")
}

fn fence(words: &mut SplitWhitespace<'_>) -> Option<Fence> {
    Some(Fence(number(words)?, number(words)?, number(words)?))
}

fn of_trouble(trouble: Trouble) -> String {
    let of = |what: &str, host: Host| format!("{what} {host}");
    match trouble {
        Trouble::Crash(host) => of("crash", host),
        Trouble::Frozen(host) => of("frozen", host),
        Trouble::Host(host) => of("host", host),
        Trouble::Placement => "placement".to_owned(),
        Trouble::All => "all".to_owned(),
    }
}

fn trouble(words: &mut SplitWhitespace<'_>) -> Option<Trouble> {
    Some(match words.next()? {
        "crash" => Trouble::Crash(number(words)?),
        "frozen" => Trouble::Frozen(number(words)?),
        "host" => Trouble::Host(number(words)?),
        "placement" => Trouble::Placement,
        "all" => Trouble::All,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_is_read_as_it_was_written() {
        let seen = Seen { version: 3, by: 2, sum: -1 };
        let (object, fence) = (Object::Counter, Fence(1, 2, 3));
        let time = Duration::from_millis(1_500);
        let invoked = |parent, op| What::Invoked {
            call: 1,
            parent,
            actor: 2,
            via: 3,
            op,
            deadline: Duration::from_nanos(20),
        };
        let all = [
            invoked(None, Op::Read(Object::Register)),
            invoked(Some(7), Op::Write(object, -4)),
            invoked(None, Op::Other),
            What::Answered { call: 1, seen: Some(seen) },
            What::Answered { call: 1, seen: None },
            What::Failed { call: 1, effect: Effect::Maybe, why: "no answer: gone".to_owned() },
            What::Failed { call: 1, effect: Effect::None, why: String::new() },
            What::HungUp { call: 1 },
            What::TurnBegan { turn: 1, call: 2, actor: 3, host: 4 },
            What::TurnRead { turn: 1, object, seen },
            What::Committed { turn: 1, object, seen },
            What::TurnEnded { turn: 1 },
            What::TurnCut { turn: 1 },
            What::TurnLost { turn: 1 },
            What::Claimed { actor: 1, host: 2, fence },
            What::Landed { actor: 1, fence },
            What::Owner { actor: 1, host: Some(2) },
            What::Owner { actor: 1, host: None },
            What::Sent { message: "o1:3:0".to_owned(), from: 1, to: 2 },
            What::Received { message: "o1:3:0".to_owned(), by: 2 },
            What::Unsound { why: "11 were sold of 10".to_owned() },
            What::Reminding { reminder: 1, first: time, every: Some(time), times: Some(3) },
            What::Reminding { reminder: 1, first: time, every: None, times: None },
            What::Reminded { reminder: 1, now: time },
            What::NotReminded { reminder: 1, why: "no answer".to_owned() },
            What::Dropping { reminder: 1 },
            What::Dropped { reminder: 1 },
            What::Ticked { reminder: 1, turn: 2, tick: 3, missed: 4, due: time, now: time },
            What::Timed { timer: 1, turn: 2, since: Some(time), due: time },
            What::Timed { timer: 1, turn: 2, since: None, due: time },
            What::Calendar { now: time },
            What::Troubled { id: 1, trouble: Trouble::Crash(2) },
            What::Troubled { id: 1, trouble: Trouble::Frozen(2) },
            What::Troubled { id: 1, trouble: Trouble::Host(2) },
            What::Troubled { id: 1, trouble: Trouble::Placement },
            What::Troubled { id: 1, trouble: Trouble::All },
            What::Calmed { id: 1 },
        ];
        for what in all {
            let event = Event { at: Duration::from_nanos(1_000_000_007), what };
            assert_eq!(read(&write(&event)).as_ref(), Some(&event), "{}", write(&event));
        }
    }

    #[test]
    fn what_is_no_line_is_not_read() {
        for line in ["", "7", "7 began 1 2 3", "x ended 1", "7 slept 1", "7 ended 1 2"] {
            assert_eq!(read(line), None, "{line:?}");
        }
    }
}
