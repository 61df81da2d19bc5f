//! Free ports for processes that were given none, and whether given ones are free.
//!
//! Chosen ports stay reserved until all are chosen, so that no two are the same, and are
//! none of the written ones.

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, TcpListener};

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
}

impl Free {
    /// Free ports besides these, which nobody may listen at yet.
    pub(super) fn besides(written: BTreeSet<u16>) -> Self {
        Self { held: Vec::new(), written }
    }

    pub(super) fn next(&mut self) -> io::Result<u16> {
        loop {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            let port = listener.local_addr()?.port();
            // Held in any case: the system does not offer it again meanwhile.
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
