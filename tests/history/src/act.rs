//! What a call asks of an actor that keeps a register and a counter, and how both say it.
//!
//! A call's body tells its number, so that turns and answers can be laid beside each other.
//! Simulated actors and those of real workers speak the same.

use std::str::SplitWhitespace;

use crate::event::{Call, Object, Op, Seen};

/// What an actor is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Tell an object's content.
    Read(Object),
    /// Write an object: add this; wait so many milliseconds between reading and writing.
    Write(Object, i64, u64),
    /// Write a note, or remove it.
    Note(bool),
    /// Do nothing for so many milliseconds.
    Linger(u64),
    /// Call that actor and have it do this.
    Relay(u32, Box<Self>),
    /// Tell that actor that its time has come.
    Ring(u32),
}

impl Act {
    /// What the history is told of it.
    #[must_use]
    pub fn op(&self) -> Op {
        match self {
            Self::Read(object) => Op::Read(*object),
            Self::Write(object, adds, _) => Op::Write(*object, *adds),
            Self::Note(_) | Self::Linger(_) | Self::Relay(..) | Self::Ring(_) => Op::Other,
        }
    }

    fn write(&self, out: &mut String) {
        use std::fmt::Write as _;
        let object = Object::number;
        // Writing to a string cannot fail.
        let _ = match self {
            Self::Read(of) => write!(out, " r {}", object(*of)),
            Self::Write(of, adds, wait) => write!(out, " w {} {adds} {wait}", object(*of)),
            Self::Note(there) => write!(out, " n {}", u8::from(*there)),
            Self::Linger(wait) => write!(out, " l {wait}"),
            Self::Relay(actor, _) => write!(out, " c {actor}"),
            Self::Ring(actor) => write!(out, " b {actor}"),
        };
        if let Self::Relay(_, act) = self {
            act.write(out);
        }
    }

    fn read(words: &mut SplitWhitespace<'_>) -> Option<Self> {
        let kind = words.next()?;
        let mut number = || words.next()?.parse::<u64>().ok();
        let object = Object::of_number;
        Some(match kind {
            "r" => Self::Read(object(number()?)?),
            "w" => Self::Write(object(number()?)?, i64::try_from(number()?).ok()?, number()?),
            "n" => Self::Note(number()? == 1),
            "l" => Self::Linger(number()?),
            "b" => Self::Ring(u32::try_from(number()?).ok()?),
            "c" => Self::Relay(u32::try_from(number()?).ok()?, Box::new(Self::read(words)?)),
            _ => return None,
        })
    }
}

/// The body of a call.
#[must_use]
pub fn to_body(call: Call, act: &Act) -> String {
    let mut body = call.to_string();
    act.write(&mut body);
    body
}

/// Reads a call's body.
#[must_use]
pub fn from_body(body: &[u8]) -> Option<(Call, Act)> {
    let mut words = std::str::from_utf8(body).ok()?.split_whitespace();
    let call = words.next()?.parse().ok()?;
    Some((call, Act::read(&mut words)?))
}

/// An object's content, as answered and as stored.
#[must_use]
pub fn to_bytes(seen: Seen) -> String {
    format!("{} {} {}", seen.version, seen.by, seen.sum)
}

/// Reads an object's content.
#[must_use]
pub fn from_bytes(bytes: &[u8]) -> Option<Seen> {
    let mut words = std::str::from_utf8(bytes).ok()?.split_whitespace();
    Some(Seen {
        version: words.next()?.parse().ok()?,
        by: words.next()?.parse().ok()?,
        sum: words.next()?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_read_as_they_were_written() {
        let acts = [
            Act::Read(Object::Counter),
            Act::Write(Object::Register, 7, 20),
            Act::Note(true),
            Act::Relay(3, Box::new(Act::Relay(4, Box::new(Act::Linger(5))))),
            Act::Relay(3, Box::new(Act::Ring(4))),
        ];
        for act in acts {
            assert_eq!(from_body(to_body(9, &act).as_bytes()), Some((9, act)));
        }
        let seen = Seen { version: 3, by: 2, sum: -1 };
        assert_eq!(from_bytes(to_bytes(seen).as_bytes()), Some(seen));
    }
}
