//! Tells all who listen that something happened; whoever is busy hears of it afterwards.
//!
//! As a `tokio::sync::watch` would, but for the order in which it wakes them, which there is
//! random: a life that is simulated from its seed must be the same each time.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

#[derive(Debug, Default)]
struct Inner {
    count: AtomicU64,
    rung: Notify,
}

/// What is rung. Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub(super) struct Bell(Arc<Inner>);

/// Who listens to a bell, from when it was made.
#[derive(Debug, Clone)]
pub(super) struct Listener {
    bell: Bell,
    heard: u64,
}

impl Bell {
    pub(super) fn ring(&self) {
        self.0.count.fetch_add(1, Ordering::Release);
        self.0.rung.notify_waiters();
    }

    pub(super) fn listen(&self) -> Listener {
        Listener { bell: self.clone(), heard: self.count() }
    }

    fn count(&self) -> u64 {
        self.0.count.load(Ordering::Acquire)
    }
}

impl Listener {
    /// Waits until it has rung since this was last heard.
    ///
    /// # Cancel safety
    /// What rang meanwhile is heard the next time.
    pub(super) async fn rung(&mut self) {
        loop {
            let mut rung = pin!(self.bell.0.rung.notified());
            rung.as_mut().enable();
            let count = self.bell.count();
            if count != self.heard {
                self.heard = count;
                return;
            }
            rung.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn who_was_busy_hears_of_it_once() {
        let bell = Bell::default();
        let mut early = bell.listen();
        assert_eq!(early.rung().now_or_never(), None);
        bell.ring();
        bell.ring();
        assert_eq!(early.rung().now_or_never(), Some(()));
        assert_eq!(early.rung().now_or_never(), None);
        assert_eq!(bell.listen().rung().now_or_never(), None, "what was before is not heard");
    }
}
