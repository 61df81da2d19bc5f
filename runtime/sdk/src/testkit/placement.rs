//! The smallest placement there can be: one host, which gets what it asks for.
//!
//! Grants leases that outlast any test and publishes tables with the one host in
//! them. It keeps no promise that takes a second host; those are proved elsewhere,
//! with the real service.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use odeon_base::{Epoch, Namespace, TaskKind, Tasks};
use odeon_ring::change::Update;
use odeon_ring::rings::content_hash;
use odeon_ring::{Member, Pins, Policy, TableData, ToHost, ToPlacement, TypeKey, TypeOffer};
use odeon_runtime::seams::{PlacementLink, PlacementStream};
use tokio::sync::mpsc;

/// Longer than any test, so that time may be moved at will.
const LEASE: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
const DRAIN_LIMIT: Duration = Duration::from_secs(60);
/// Messages in flight; a host sends a handful at a time.
const QUEUE: usize = 64;

/// Placement for one engine.
#[derive(Debug)]
pub struct Placement {
    term: u64,
    tables: Arc<AtomicU64>,
    tasks: Tasks,
}

impl Placement {
    /// A placement whose tables are named after `term`, which has to be higher than
    /// that of any earlier one over the same store.
    #[must_use]
    pub fn new(term: u64, tasks: &Tasks) -> Self {
        Self { term, tables: Arc::default(), tasks: tasks.clone() }
    }
}

impl PlacementLink for Placement {
    fn connect(&self) -> BoxFuture<'_, Result<PlacementStream, String>> {
        let (to, mut received) = mpsc::channel(QUEUE);
        let (answers, from) = mpsc::channel(QUEUE);
        let mut session = Session {
            term: self.term,
            tables: Arc::clone(&self.tables),
            host: None,
            offered: BTreeSet::new(),
        };
        let stop = self.tasks.stopping().clone();
        self.tasks.spawn(TaskKind::Stream, async move {
            loop {
                let message = tokio::select! {
                    biased;
                    () = stop.cancelled() => return,
                    message = received.recv() => message,
                };
                let Some(message) = message else { return };
                for answer in session.answer(message) {
                    if answers.send(answer).await.is_err() {
                        return;
                    }
                }
            }
        });
        async move { Ok(PlacementStream { to, from }) }.boxed()
    }
}

/// What is known of the host at the other end.
#[derive(Debug)]
struct Session {
    term: u64,
    tables: Arc<AtomicU64>,
    host: Option<(Member, Namespace)>,
    offered: BTreeSet<TypeKey>,
}

impl Session {
    fn answer(&mut self, message: ToPlacement) -> Vec<ToHost> {
        match message {
            ToPlacement::Join(join) => {
                let incarnation = join.member.incarnation;
                self.host = Some((join.member, join.namespace));
                let mut answers = vec![self.lease(incarnation, 0)];
                answers.extend(self.offer(&join.types));
                answers
            }
            ToPlacement::Renew { incarnation, seq } => vec![self.lease(incarnation, seq)],
            ToPlacement::Offer { types, .. } => self.offer(&types),
            ToPlacement::Leave { .. } => self.offer(&[]),
            ToPlacement::Report { .. }
            | ToPlacement::Released { .. }
            | ToPlacement::Farewell { .. }
            | ToPlacement::FenceAhead { .. }
            | ToPlacement::Move { .. }
            | ToPlacement::Resync { .. } => Vec::new(),
        }
    }

    fn lease(&self, incarnation: odeon_base::Incarnation, seq: u64) -> ToHost {
        let (duration, drain_limit) = (LEASE, DRAIN_LIMIT);
        ToHost::Lease { term: self.term, incarnation, seq, duration, drain_limit }
    }

    /// Tables for what came and what went.
    fn offer(&mut self, types: &[TypeOffer]) -> Vec<ToHost> {
        let Some((member, namespace)) = self.host.clone() else { return Vec::new() };
        let offered: BTreeSet<TypeKey> = types
            .iter()
            .filter(|offer| offer.policy != Policy::Local)
            .map(|offer| TypeKey {
                namespace: namespace.clone(),
                actor_type: offer.actor_type.clone(),
            })
            .collect();
        let came = offered.difference(&self.offered).map(|key| (key, vec![member.clone()]));
        let went = self.offered.difference(&offered).map(|key| (key, Vec::new()));
        let tables = came.chain(went).map(|(key, members)| self.table(key, members)).collect();
        self.offered = offered;
        tables
    }

    fn table(&self, key: &TypeKey, members: Vec<Member>) -> ToHost {
        let n = self.tables.fetch_add(1, Ordering::Relaxed) + 1;
        let epoch = Epoch { term: self.term, n };
        let shared: Vec<Arc<Member>> = members.iter().cloned().map(Arc::new).collect();
        let hash = content_hash(&shared);
        let tables = vec![TableData { epoch, members, pins: Pins::new() }];
        let update = Update::Chain { tables, marks: std::collections::BTreeMap::new() };
        ToHost::Prepare { key: key.clone(), epoch, update, hash }
    }
}
