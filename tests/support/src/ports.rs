//! Free ports for processes that a test starts.
//!
//! They are none that the system gives to outgoing connections, which could take one between
//! the lives of its process, and none that `odeon up` looks at.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::ops::Range;
use std::sync::{LazyLock, Mutex, PoisonError};

use odeon_host::up::ports::Candidates;

const RANGE: Range<u16> = 10_000..20_000;

static GIVEN: LazyLock<Mutex<(Candidates, BTreeSet<u16>)>> =
    LazyLock::new(|| Mutex::new((Candidates::within(RANGE), BTreeSet::new())));

/// A port that nobody uses now and that this process has not given out before.
///
/// # Panics
/// When the machine has none left.
#[must_use]
pub fn free() -> u16 {
    port_of(&listener())
}

/// A socket that listens at such a port of the loopback address.
///
/// # Panics
/// When the machine has none left.
#[must_use]
pub fn listener() -> TcpListener {
    let mut all = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    let (candidates, given) = &mut *all;
    // Held until one is found, so that the system does not offer the same again.
    let mut passed_over = Vec::new();
    loop {
        let listener = candidates.listen().expect("a free port");
        if given.insert(port_of(&listener)) {
            return listener;
        }
        passed_over.push(listener);
    }
}

fn port_of(listener: &TcpListener) -> u16 {
    listener.local_addr().expect("a bound listener has an address").port()
}
