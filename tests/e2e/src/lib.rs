//! End-to-end tests: real processes, real ports.
//!
//! Here is the actor that the tests call; `counter_worker.rs` hosts it in a process
//! of its own, the tests are under `tests/`.

use std::path::Path;
use std::time::Duration;

use odeon_sdk::{Ctx, Result, actor};

/// How often a held turn looks whether it may go on.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Counts, durably.
#[derive(Debug, Default)]
pub struct Counter {
    count: i64,
}

#[actor]
impl Counter {
    async fn activate(&mut self, ctx: &mut Ctx) -> Result<()> {
        self.count = ctx.get("count").await?.unwrap_or_default();
        Ok(())
    }

    /// Adds, and answers the new count.
    async fn add(&mut self, ctx: &mut Ctx, by: i64) -> Result<i64> {
        self.count += by;
        ctx.set("count", &self.count)?;
        Ok(self.count)
    }

    /// The count.
    async fn value(&self) -> Result<i64> {
        Ok(self.count)
    }

    /// Writes the file `<path>.begun`, then stays in its turn until `path` is there,
    /// and counts one.
    async fn hold(&mut self, ctx: &mut Ctx, path: String) -> Result<i64> {
        // The test waits for the file; a failure shows as that wait's.
        let _ = std::fs::write(format!("{path}.begun"), "");
        let mut interval = tokio::time::interval(LOOK_EVERY);
        while !Path::new(&path).exists() {
            interval.tick().await;
        }
        self.count += 1;
        ctx.set("count", &self.count)?;
        Ok(self.count)
    }
}
