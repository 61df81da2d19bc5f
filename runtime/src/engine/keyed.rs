//! Sends a call with an idempotency key again, also where it may have run (RT-3, RT-4).
//!
//! Whoever runs it finds what became of it before. What is the application's own word, or
//! would end the same way again, is the answer.

use odeon_base::{Execution, Kind};
use tokio::time::Instant;

use super::Engine;
use crate::error::Error;
use crate::invocation::{Invocation, Reply};
use crate::router;

impl Engine {
    /// Has the call run, by whoever owns the actor in the end.
    pub(super) async fn only_once(&self, call: Invocation) -> Result<Reply, Error> {
        let core = &self.inner.core;
        let mut attempt = 0;
        loop {
            let error = match self.call_one_time(call.clone()).await {
                Err(error) if may_be_sent_again(&error) => error,
                answered => return answered,
            };
            let wait = router::retry_wait(core, attempt);
            let is_late = call.deadline.is_some_and(|deadline| Instant::now() + wait >= deadline);
            if attempt >= core.config.attempts_max || is_late {
                return Err(error);
            }
            tokio::time::sleep(wait).await;
            attempt += 1;
        }
    }
}

/// Whether a host, a store or the way between failed while the call was there.
fn may_be_sent_again(error: &Error) -> bool {
    error.execution() == Execution::Maybe
        && matches!(error.kind(), Kind::Unavailable | Kind::Conflict)
}
