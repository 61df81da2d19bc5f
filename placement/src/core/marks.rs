//! Marks that grew and were not passed on yet.
//!
//! A change makes everybody release at about the same time; passed on one by one that is a
//! message from each host to each other. So the first goes on at once, and what comes within
//! the marks' window after it goes together. What marks do to a chain is in `lines`.

use std::collections::BTreeMap;
use std::time::Duration;

use odeon_base::{Incarnation, Namespace};
use odeon_ring::{Mark, Marks, TypeKey, raise};

/// Marks that wait, by namespace.
#[derive(Debug, Clone, Default)]
pub(crate) struct Waiting {
    by_namespace: BTreeMap<Namespace, Pending>,
}

#[derive(Debug, Clone, Default)]
struct Pending {
    marks: BTreeMap<TypeKey, Marks>,
    /// Until when the next ones wait.
    until: Duration,
}

impl Waiting {
    /// Takes in a mark that is news.
    pub(crate) fn add(&mut self, key: TypeKey, incarnation: Incarnation, mark: Mark) {
        let pending = self.by_namespace.entry(key.namespace.clone()).or_default();
        raise(pending.marks.entry(key).or_default(), incarnation, mark);
    }

    /// What waits in a namespace; what comes now waits for a window.
    pub(crate) fn take(
        &mut self,
        namespace: &Namespace,
        now: Duration,
        window: Duration,
    ) -> BTreeMap<TypeKey, Marks> {
        let Some(pending) = self.by_namespace.get_mut(namespace) else { return BTreeMap::new() };
        if !pending.marks.is_empty() {
            pending.until = now + window;
        }
        std::mem::take(&mut pending.marks)
    }

    /// The namespaces whose marks have waited long enough.
    pub(crate) fn due(&self, now: Duration) -> Vec<Namespace> {
        let is_due = |(_, pending): &(&Namespace, &Pending)| {
            !pending.marks.is_empty() && pending.until <= now
        };
        self.by_namespace.iter().filter(is_due).map(|(namespace, _)| namespace.clone()).collect()
    }

    /// When the next marks are due.
    pub(crate) fn next_due(&self) -> Option<Duration> {
        let waiting = self.by_namespace.values().filter(|pending| !pending.marks.is_empty());
        waiting.map(|pending| pending.until).min()
    }
}
