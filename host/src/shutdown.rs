//! Taking a host apart, in the one order that loses nothing.
//!
//! Health says no; placement makes tables without us; running turns end within
//! their time, state is kept, the application is told; only then is ownership
//! released, and what another host can hold is closed, so that it goes on there. The doors
//! close after that, because an application that finishes a
//! turn still needs its state; then components, the last word to placement, the
//! way to and from other hosts, the data folder, and whatever task is left. All of it within one limit; what does
//! not end in time is named.

use std::fmt;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use odeon_base::Tasks;
use odeon_blocks::embedded::EmbeddedDb;
use odeon_runtime::Engine;
use odeon_runtime::store::StateStore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::api::Health;

/// How long a host that was told to stop at once waits for that answer to leave.
pub const FORCED_STOP_DELAY: Duration = Duration::from_millis(100);

/// What each step gets at least, when those before it have used up the limit.
const STEP_MIN: Duration = Duration::from_millis(250);

/// What health waits for from now on.
const STOPPING: &str = "stopping";

/// The stores that are open. Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stores(Arc<Open>);

#[derive(Debug, Default)]
struct Open {
    stores: Mutex<Vec<(Arc<dyn StateStore>, bool)>>,
    closing: CancellationToken,
}

impl Stores {
    /// A store was opened; `moves` tells one that another host opens when it is closed.
    /// `false` if none is wanted any more.
    pub(crate) fn add(&self, store: Arc<dyn StateStore>, moves: bool) -> bool {
        let mut stores = self.0.stores.lock().unwrap_or_else(PoisonError::into_inner);
        let is_wanted = !self.0.closing.is_cancelled();
        if is_wanted {
            stores.push((store, moves));
        }
        is_wanted
    }

    /// Waits until no more stores are wanted.
    pub(crate) async fn closing(&self) {
        self.0.closing.cancelled().await;
    }

    fn begin_closing(&self) {
        let _stores = self.0.stores.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.closing.cancel();
    }

    fn take(&self, which: impl Fn(bool) -> bool) -> Vec<Arc<dyn StateStore>> {
        let mut stores = self.0.stores.lock().unwrap_or_else(PoisonError::into_inner);
        stores.extract_if(.., |(_, moves)| which(*moves)).map(|(store, _)| store).collect()
    }

    async fn close(&self, which: impl Fn(bool) -> bool, until: Instant, left: &mut Vec<String>) {
        for store in self.take(which) {
            match tokio::time::timeout(rest(until), store.close()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => left.push(format!("a component did not close: {error}")),
                Err(_) => left.push("a component did not close".to_owned()),
            }
        }
    }
}

/// What is left of the time for stopping.
fn rest(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now()).max(STEP_MIN)
}

/// The parts of a host that runs, as far as stopping it concerns them.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) engine: Engine,
    pub(crate) health: Health,
    /// Listeners, connections and streams of workers.
    pub(crate) doors: Tasks,
    /// Calls to and from other hosts. They go on until the last word to placement: who was
    /// let go of is told where to call instead, and the application's last turns may call.
    pub(crate) peers: Tasks,
    /// The sockets to which other hosts connect: open until nothing runs here any more, or else
    /// as long as the process, which placement takes for granted (`odeon_placement::probe`).
    pub(crate) kept: Vec<OwnedFd>,
    /// Engine and placement.
    pub(crate) core: Tasks,
    pub(crate) stores: Stores,
    pub(crate) db: Option<EmbeddedDb>,
    pub(crate) has_placement: bool,
    pub(crate) limit: Duration,
}

/// What had not ended in time, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overrun {
    /// The limit.
    pub limit: Duration,
    /// One line for each that was left.
    pub left: Vec<String>,
}

impl fmt::Display for Overrun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not stopped within {:?}: {}", self.limit, self.left.join("; "))
    }
}

impl std::error::Error for Overrun {}

impl Running {
    /// Stops in order.
    ///
    /// # Errors
    /// [`Overrun`] with what had not ended in time; all steps were made nevertheless.
    pub(crate) async fn stop(self) -> Result<(), Overrun> {
        tracing::info!("Dapr is shutting down");
        self.health.down(STOPPING);
        let until = Instant::now() + self.limit;
        let rest = || rest(until);
        self.stores.begin_closing();
        let mut left = Vec::new();

        // Without placement no actor was ever active, and nobody would let us go.
        if self.has_placement
            && let Err(busy) = self.engine.leave(rest()).await
        {
            left.push(format!("actors: {busy}"));
        }
        // Actors that moved need the store where they are now, and those who still call here
        // reach it there as well.
        self.engine.release(rest()).await;
        self.stores.close(|moves| moves, until, &mut left).await;
        self.health.set_outbound(false);
        if let Err(running) = self.doors.stop(rest()).await {
            left.push(format!("front doors: {running}"));
        }
        self.stores.close(|_| true, until, &mut left).await;
        if self.has_placement {
            self.engine.farewell(rest()).await;
        }
        if let Err(running) = self.peers.stop(rest()).await {
            left.push(format!("calls of other hosts: {running}"));
        }
        if let Err(running) = self.core.stop(rest()).await {
            left.push(format!("engine and placement: {running}"));
        }
        let_go(self.kept, &left);
        if let Some(db) = &self.db {
            match tokio::time::timeout(rest(), db.close()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => left.push(format!("the data folder did not close: {error}")),
                Err(_) => left.push("the data folder did not close".to_owned()),
            }
        }
        tracing::info!("Dapr runtime stopped");
        if left.is_empty() { Ok(()) } else { Err(Overrun { limit: self.limit, left }) }
    }
}

/// Closes the sockets of a host that has ended. What did not end in time runs on in this
/// process, which may live long; then they say so for as long as it does.
fn let_go(kept: Vec<OwnedFd>, left: &[String]) {
    match left {
        [] => drop(kept),
        [_, ..] => std::mem::forget(kept),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn the_port_of_a_host_refuses_only_when_nothing_of_it_runs_any_more() {
        let left = "engine and placement: 1 detached turn".to_owned();
        for (left, accepts) in [(vec![], false), (vec![left], true)] {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let_go(vec![listener.into()], &left);
            assert_eq!(TcpStream::connect(address).is_ok(), accepts, "{left:?}");
        }
    }
}
