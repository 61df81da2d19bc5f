//! What is up and what is still awaited, as the health endpoints tell it.
//!
//! The assembly names what it waits for and ticks it off; the doors only ask. A
//! host is outbound-ready before it is ready: an application that calls its host
//! while starting would otherwise wait for itself.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use odeon_base::ActorType;
use tokio::sync::Notify;

/// Readiness of this host. Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub struct Health(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    awaited: Mutex<BTreeSet<&'static str>>,
    /// Told when something came up, or the application said what it hosts.
    changed: Notify,
    outbound: AtomicBool,
    /// The types that the application has ever said it hosts; `None` before it said anything.
    hosting: Mutex<Option<BTreeSet<ActorType>>>,
}

impl Health {
    /// A host that is not ready until each of these has been reported by [`Health::up`].
    #[must_use]
    pub fn awaiting(targets: &[&'static str]) -> Self {
        let health = Self::default();
        for target in targets {
            health.down(target);
        }
        health
    }

    /// A part came up.
    pub fn up(&self, target: &'static str) {
        self.0.awaited.lock().unwrap_or_else(PoisonError::into_inner).remove(target);
        self.0.changed.notify_waiters();
    }

    /// Waits until nothing is awaited.
    ///
    /// # Cancel safety
    /// Can be dropped at will.
    pub async fn ready(&self) {
        self.until(|| self.awaited().is_empty()).await;
    }

    /// A part went down, or is awaited from now on.
    pub fn down(&self, target: &'static str) {
        self.0.awaited.lock().unwrap_or_else(PoisonError::into_inner).insert(target);
    }

    /// What is not up, in order of name; empty when the host is ready.
    #[must_use]
    pub fn awaited(&self) -> Vec<&'static str> {
        self.0.awaited.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }

    /// Components are loaded and the doors listen: an application may use its host.
    pub fn set_outbound(&self, is_ready: bool) {
        self.0.outbound.store(is_ready, Ordering::Release);
    }

    /// Whether an application may use its host.
    #[must_use]
    pub fn is_outbound(&self) -> bool {
        self.0.outbound.load(Ordering::Acquire)
    }

    /// The application has said which actor types it hosts, perhaps none: called before
    /// they are.
    pub fn hosting_known<'a>(&self, types: impl IntoIterator<Item = &'a ActorType>) {
        let mut hosting = self.0.hosting.lock().unwrap_or_else(PoisonError::into_inner);
        hosting.get_or_insert_default().extend(types.into_iter().cloned());
        drop(hosting);
        self.0.changed.notify_waiters();
    }

    /// Whether it is known which actor types the application hosts.
    #[must_use]
    pub fn is_hosting_known(&self) -> bool {
        self.0.hosting.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Waits until the application has said which types it hosts, and not this one.
    ///
    /// # Cancel safety
    /// Can be dropped at will.
    pub async fn ruled_out(&self, actor_type: &ActorType) {
        self.until(|| {
            let hosting = self.0.hosting.lock().unwrap_or_else(PoisonError::into_inner);
            hosting.as_ref().is_some_and(|types| !types.contains(actor_type))
        })
        .await;
    }

    async fn until(&self, is_so: impl Fn() -> bool) {
        loop {
            let mut changed = std::pin::pin!(self.0.changed.notified());
            changed.as_mut().enable();
            if is_so() {
                return;
            }
            changed.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_means_that_nothing_is_awaited() {
        let health = Health::awaiting(&["placement", "app"]);
        assert_eq!(health.awaited(), ["app", "placement"]);
        health.up("app");
        health.up("placement");
        assert!(health.awaited().is_empty());
        let other = health.clone();
        other.down("app");
        assert_eq!(health.awaited(), ["app"]);
    }

    #[tokio::test]
    async fn what_the_application_did_not_name_is_ruled_out_once_it_has_spoken() {
        let health = Health::default();
        let [order, basket] = ["Order", "Basket"].map(|name| ActorType::parse(name).unwrap());
        let mut waiting = std::pin::pin!(health.ruled_out(&basket));
        assert!(futures::poll!(waiting.as_mut()).is_pending() && !health.is_hosting_known());
        health.hosting_known([&order]);
        assert!(futures::poll!(waiting.as_mut()).is_ready() && health.is_hosting_known());
        assert!(futures::poll!(std::pin::pin!(health.ruled_out(&order))).is_pending());
    }
}
