//! What works for a partition between its turns has in common: whom it asks, and when it ends.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use odeon_base::backoff::Backoff;
use odeon_base::{Entropy, TaskKind, Tasks};
use odeon_runtime::{ActorRef, Error, Invocation, WeakEngine};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::partition::Shared;
use crate::json;

/// Between two deliveries that came to nothing, and two tries to write down what became of one.
const AGAIN: Backoff = Backoff { first: Duration::from_millis(100), max: Duration::from_secs(5) };

/// The longest sleep of who is told when there is something to do: as good as for ever.
pub(super) const FAR: Duration = Duration::from_secs(24 * 3_600);

/// The work of one activation of a partition.
#[derive(Debug, Clone)]
pub(super) struct Rounds {
    pub(super) engine: WeakEngine,
    pub(super) partition: ActorRef,
    pub(super) shared: Arc<Shared>,
    pub(super) tasks: Tasks,
    pub(super) entropy: Arc<Entropy>,
    /// When the activation ends.
    pub(super) end: CancellationToken,
}

impl Rounds {
    /// A turn of the own partition, wherever it is; its answer.
    pub(super) async fn ask(&self, method: &str, form: &impl Serialize) -> Result<Bytes, Error> {
        let Some(engine) = self.engine.upgrade() else { return Err(Error::Closed) };
        let call = Invocation::new(self.partition.clone(), method, json::bytes(form)?);
        let reply = engine.call(call).await?;
        Ok(reply.body)
    }

    /// Starts work that ends when the host stops.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let stopping = self.tasks.stopping().clone();
        self.tasks.spawn(TaskKind::Reminders, async move {
            tokio::select! {
                biased;
                () = stopping.cancelled() => {}
                () = work => {}
            }
        });
    }

    /// For how long to wait after so many failures.
    pub(super) fn wait(&self, failures: u32) -> Duration {
        AGAIN.wait(failures, self.entropy.fraction())
    }
}
