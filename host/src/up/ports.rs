//! Free ports for processes that were given none, and whether given ones are free.
//!
//! Chosen ports stay reserved until all are chosen, so that no two are the same, and are
//! none of the written ones. They are none of those from which connections go out, either;
//! tests, which start processes too, choose theirs in the same way ([`Candidates`]).

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;

/// Below, most services have their ports.
const RANGE: Range<u16> = 20_000..u16::MAX;
/// Ports between the places where two neighbouring processes begin to look.
const STEP: u32 = 101;

/// A port of a process, and where it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Port {
    pub(super) number: u16,
    /// `file:line: field`, if it was written.
    pub(super) place: Option<String>,
}

/// Ports of the loopback address to try in turn: none twice, and those first that the system
/// gives to nobody who does not ask for them.
///
/// The others it gives to outgoing connections: while a process is started again, its own
/// port would go to whoever calls somebody in that moment.
#[derive(Debug)]
pub struct Candidates {
    first: u16,
    room: u32,
    process: u32,
    tried: u32,
}

impl Candidates {
    /// Those of a range; where the system gives all of them away, whichever it gives. Each
    /// process begins elsewhere, so that two which look at once do not meet.
    #[must_use]
    pub fn within(range: Range<u16>) -> Self {
        let end = given_away().min(range.end);
        let room = end.saturating_sub(range.start).into();
        Self { first: range.start, room, process: std::process::id(), tried: 0 }
    }

    /// A socket that listens at the next one that is free.
    ///
    /// # Errors
    /// When the system has none left, either.
    pub fn listen(&mut self) -> io::Result<TcpListener> {
        while self.tried < self.room {
            if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, self.next())) {
                return Ok(listener);
            }
        }
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
    }

    fn next(&mut self) -> u16 {
        let place = self.process.wrapping_mul(STEP).wrapping_add(self.tried) % self.room.max(1);
        self.tried += 1;
        u16::try_from(place).map_or(self.first, |place| self.first.saturating_add(place))
    }
}

/// From which port on the system gives them to outgoing connections.
fn given_away() -> u16 {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range");
    let first = range.ok().and_then(|range| range.split_whitespace().next()?.parse().ok());
    first.unwrap_or_default()
}

/// Reserves free ports for as long as it lives.
#[derive(Debug)]
pub(super) struct Free {
    held: Vec<TcpListener>,
    written: BTreeSet<u16>,
    candidates: Candidates,
}

impl Free {
    /// Free ports besides these, which nobody may listen at yet.
    pub(super) fn besides(written: BTreeSet<u16>) -> Self {
        Self { held: Vec::new(), written, candidates: Candidates::within(RANGE) }
    }

    pub(super) fn next(&mut self) -> io::Result<u16> {
        loop {
            let listener = self.candidates.listen()?;
            let port = listener.local_addr()?.port();
            self.held.push(listener);
            if !self.written.contains(&port) {
                return Ok(port);
            }
        }
    }
}

/// One line for each written port that another process uses.
pub(super) fn in_use<'a>(ports: impl IntoIterator<Item = &'a Port>) -> Vec<String> {
    ports
        .into_iter()
        .filter_map(|port| {
            let place = port.place.as_ref()?;
            let error = TcpListener::bind((Ipv4Addr::LOCALHOST, port.number)).err()?;
            Some(match error.kind() {
                io::ErrorKind::AddrInUse => format!(
                    "{place}: port {} is in use by another process; stop that one, or write another port there",
                    port.number
                ),
                _ => format!("{place}: port {} cannot be used: {error}", port.number),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chosen_ports_are_none_that_the_system_gives_away() {
        let first = Free::besides(BTreeSet::new()).next().unwrap();
        let mut free = Free::besides([first].into());
        let others: BTreeSet<_> = (0..3).map(|_| free.next().unwrap()).collect();
        assert_eq!((others.len(), others.contains(&first)), (3, false));
        let quiet = RANGE.start..given_away();
        if !quiet.is_empty() {
            assert!(others.iter().all(|port| quiet.contains(port)), "{others:?}");
        }
        let of = |process| Candidates { first: 20_000, room: 10_000, process, tried: 0 };
        let (mut one, mut other) = (of(1), of(2));
        let ports = [one.next(), one.next()];
        assert_eq!(ports, [20_101, 20_102]);
        assert_eq!(other.next(), 20_202);
    }

    #[test]
    fn a_range_that_is_used_up_or_given_away_leaves_what_the_system_gives() {
        for range in [u16::MAX..u16::MAX, 0..0] {
            let mut candidates = Candidates::within(range);
            let listeners = [(); 3].map(|()| candidates.listen().unwrap());
            let ports = listeners.each_ref().map(|one| one.local_addr().unwrap().port());
            assert!(ports.iter().all(|port| *port > 0), "{ports:?}");
        }
    }
}
