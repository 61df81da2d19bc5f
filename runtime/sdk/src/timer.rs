//! Timers of an actor, as its code says them.
//!
//! A timer lasts as long as the actor is in memory. When it fires, it calls a method of the
//! actor, in a turn of its own.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use odeon_runtime::schedule::{TimerSpec, go_text};
use serde::Serialize;

use crate::error::Result;
use crate::wire;

/// When a timer fires, and what it then calls.
///
/// ```
/// # use std::time::Duration;
/// # use odeon_sdk::{Ctx, Result, Timer};
/// async fn open(ctx: &mut Ctx<'_>) -> Result<()> {
///     // Calls the method `look` with 7 in ten seconds, and then every minute.
///     let timer = Timer::after(Duration::from_secs(10)).every(Duration::from_secs(60));
///     ctx.set_timer("look", timer.with(&7)?);
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use = "it is set by `Ctx::set_timer`"]
pub struct Timer {
    pub(crate) spec: TimerSpec,
    pub(crate) data: Bytes,
}

impl Timer {
    /// Fires once, so long after it was set; with no time, as soon as the actor is free.
    pub fn after(due: Duration) -> Self {
        Self::default().changed(|spec| spec.due_time = go_text(due))
    }

    /// Fires again and again; what comes late goes back to the grid, and nothing is made up
    /// for. A millisecond at least.
    pub fn every(self, period: Duration) -> Self {
        self.changed(|spec| spec.period = go_text(period))
    }

    /// Ends so long after it was set.
    pub fn until(self, ttl: Duration) -> Self {
        self.changed(|spec| spec.ttl = go_text(ttl))
    }

    /// Calls the method of this name, in place of the one of the timer's own.
    pub fn calls(self, method: &str) -> Self {
        self.changed(|spec| method.clone_into(&mut spec.callback))
    }

    /// Its ticks do not keep an idle actor in memory. A worker's host does not know this.
    pub fn without_keeping_alive(self) -> Self {
        self.changed(|spec| spec.keep_alive = false)
    }

    /// Calls the method with this argument; with an object, if it takes several.
    ///
    /// # Errors
    /// [`Error::Value`](crate::Error::Value) when it cannot be written as JSON.
    pub fn with<T: Serialize + ?Sized>(self, argument: &T) -> Result<Self> {
        Ok(Self { data: wire::argument("a timer's argument", argument)?, ..self })
    }

    fn changed(mut self, change: impl FnOnce(&mut TimerSpec)) -> Self {
        change(&mut self.spec);
        self
    }
}

/// What a turn wants of the actor's timers, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wish {
    Set { name: Arc<str>, spec: Arc<TimerSpec>, data: Bytes },
    Drop { name: Arc<str> },
}
