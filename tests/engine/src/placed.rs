//! The placement of a release in place of the board: the service itself, in this process.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt;
use futures::future::{self, BoxFuture};
use odeon_base::Tasks;
use odeon_base::clock::TokioClock;
use odeon_placement::{Embedded, Handle, Ledger, LedgerError, Record};
use odeon_runtime::seams::{PlacementLink, PlacementStream};
use tokio::sync::OnceCell;

/// One placement for all hosts of a world; it starts when the first host comes.
pub struct Placed {
    tasks: Tasks,
    handle: OnceCell<Handle>,
}

impl fmt::Debug for Placed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Placed")
    }
}

impl Placed {
    /// A placement that nobody has joined.
    #[must_use]
    pub fn new(tasks: &Tasks) -> Arc<Self> {
        Arc::new(Self { tasks: tasks.clone(), handle: OnceCell::new() })
    }
}

impl PlacementLink for Placed {
    fn connect(&self) -> BoxFuture<'_, Result<PlacementStream, String>> {
        async {
            let start = || {
                // As a host does that embeds it: nobody was here before.
                let config = odeon_placement::Config {
                    former_hosts_gone: true,
                    ..odeon_placement::Config::default()
                };
                let (ledger, clock) = (Arc::<InMemory>::default(), Arc::new(TokioClock::start()));
                Embedded::start(config, ledger, clock, &self.tasks)
            };
            let handle = self.handle.get_or_try_init(start).await;
            let (to, from) = handle.map_err(|error| error.to_string())?.connect();
            Ok(PlacementStream { to, from })
        }
        .boxed()
    }
}

#[derive(Debug, Default)]
struct InMemory(Mutex<Option<Record>>);

impl Ledger for InMemory {
    fn load(&self) -> BoxFuture<'_, Result<Option<Record>, LedgerError>> {
        let record = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        future::ready(Ok(record)).boxed()
    }

    fn save(&self, record: Record) -> BoxFuture<'_, Result<(), LedgerError>> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(record);
        future::ready(Ok(())).boxed()
    }
}
