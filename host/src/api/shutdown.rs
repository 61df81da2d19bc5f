//! A request to stop, on its way from a front door to the assembly.
//!
//! The doors ask; what stopping means (drain order, exit code) is the assembly's.
//! A later request can only be more urgent than an earlier one.

use std::sync::Arc;

use tokio::sync::watch;

/// How to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shutdown {
    /// Drain, then end with code 0.
    Graceful,
    /// End at once, with code 1.
    Force,
}

/// Carries the request. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct ShutdownHandle(Arc<watch::Sender<Option<Shutdown>>>);

impl Default for ShutdownHandle {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }
}

impl ShutdownHandle {
    /// Asks the host to stop; never takes an earlier, more urgent request back.
    pub fn request(&self, how: Shutdown) {
        self.0.send_if_modified(|asked| {
            let is_more = *asked < Some(how);
            if is_more {
                *asked = Some(how);
            }
            is_more
        });
    }

    /// Waits until somebody asks to stop.
    ///
    /// # Cancel safety
    /// Dropping it loses nothing: the next call answers at once.
    pub async fn requested(&self) -> Shutdown {
        self.at_least(Shutdown::Graceful).await
    }

    /// Waits until somebody asks to stop at once.
    ///
    /// # Cancel safety
    /// As [`ShutdownHandle::requested`].
    pub async fn forced(&self) {
        self.at_least(Shutdown::Force).await;
    }

    async fn at_least(&self, least: Shutdown) -> Shutdown {
        let mut asked = self.0.subscribe();
        match asked.wait_for(|asked| *asked >= Some(least)).await {
            Ok(asked) => asked.unwrap_or(least),
            // The sender lives as long as `self`, so this cannot be reached; stopping is the safe answer.
            Err(_) => least,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_request_is_remembered_and_only_grows() {
        let handle = ShutdownHandle::default();
        handle.request(Shutdown::Graceful);
        assert_eq!(handle.requested().await, Shutdown::Graceful);
        handle.request(Shutdown::Force);
        handle.forced().await;
        handle.request(Shutdown::Graceful);
        assert_eq!(handle.requested().await, Shutdown::Force);
    }
}
