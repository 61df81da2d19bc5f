//! Free ports for processes that were given none, and whether given ones are free.
//!
//! Chosen ports stay reserved until all are chosen, so that no two are the same, and are
//! none of the written ones. They are none of those from which connections go out, either.

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, TcpListener};

/// Below, most services have their ports.
const FIRST: u16 = 20_000;
/// Ports between the places where two neighbouring processes begin to look.
const STEP: u32 = 101;

/// A port of a process, and where it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Port {
    pub(super) number: u16,
    /// `file:line: field`, if it was written.
    pub(super) place: Option<String>,
}

/// Reserves free ports for as long as it lives.
#[derive(Debug, Default)]
pub(super) struct Free {
    held: Vec<TcpListener>,
    written: BTreeSet<u16>,
    tried: u32,
}

impl Free {
    /// Free ports besides these, which nobody may listen at yet.
    pub(super) fn besides(written: BTreeSet<u16>) -> Self {
        Self { written, ..Self::default() }
    }

    pub(super) fn next(&mut self) -> io::Result<u16> {
        let room = quiet();
        while self.tried < room {
            let port = place(std::process::id(), self.tried, room);
            self.tried += 1;
            if !self.written.contains(&port)
                && let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            {
                self.held.push(listener);
                return Ok(port);
            }
        }
        loop {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            let port = listener.local_addr()?.port();
            self.held.push(listener);
            if !self.written.contains(&port) {
                return Ok(port);
            }
        }
    }
}

/// How many ports from [`FIRST`] on the system gives to nobody who does not ask for them.
///
/// The others it gives to outgoing connections: while a process is started again, its own
/// port would go to whoever calls somebody in that moment.
fn quiet() -> u32 {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range");
    let first = range.ok().and_then(|range| range.split_whitespace().next()?.parse::<u16>().ok());
    first.unwrap_or_default().saturating_sub(FIRST).into()
}

/// The port to try next. Each process begins elsewhere, so that two which look at once do
/// not meet.
fn place(process: u32, tried: u32, room: u32) -> u16 {
    let place = process.wrapping_mul(STEP).wrapping_add(tried) % room;
    u16::try_from(place).map_or(FIRST, |place| FIRST.saturating_add(place))
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
        let first = Free::default().next().unwrap();
        let mut free = Free::besides([first].into());
        let others: BTreeSet<_> = (0..3).map(|_| free.next().unwrap()).collect();
        assert_eq!((others.len(), others.contains(&first)), (3, false));
        let room = quiet();
        if room > 0 {
            let is_quiet = |port: u16| (0..room).contains(&(u32::from(port) - u32::from(FIRST)));
            assert!(others.into_iter().all(is_quiet));
        }
        assert_eq!(place(1, 0, 10_000) + 1, place(1, 1, 10_000));
        assert_eq!(place(1, 0, 10_000) + 101, place(2, 0, 10_000));
    }
}
