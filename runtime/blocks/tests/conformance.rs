//! One suite for all state stores: every promise of the port, tried on every
//! component of the list.
//!
//! A new component is tested by being in the list. One that needs a server is
//! reported as skipped where there is none. Each promise is a function in
//! `conformance/`; here is only what they share and the walk. How long things
//! take, and what a crash leaves, is proved elsewhere (`kill.rs`, `syscalls.rs`).

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

#[path = "conformance/fences.rs"]
mod fences;
#[path = "conformance/in_bytes.rs"]
mod in_bytes;
#[path = "conformance/lifetime.rs"]
mod lifetime;
#[path = "conformance/model.rs"]
mod model;
#[path = "conformance/rows.rs"]
mod rows;
#[path = "conformance/scans.rs"]
mod scans;
#[path = "conformance/transactions.rs"]
mod transactions;

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use in_bytes::InBytes;
use odeon_base::clock::ManualClock;
use odeon_base::{Entropy, Epoch, Fence};
use odeon_blocks::embedded::Taken;
use odeon_blocks::state::{Context, FACTORIES, Factory, open};
use odeon_runtime::store::{
    ActorScope, Condition, Error, Expiry, Item, Key, Op, StateStore, Transaction,
};

/// How the store is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// As it is.
    Direct,
    /// In bytes and back, as another host asks it.
    InBytes,
}

/// A store under test, with its clock.
struct Bench {
    factory: &'static Factory,
    way: Way,
    store: Arc<dyn StateStore>,
    clock: Arc<ManualClock>,
    folder: tempfile::TempDir,
}

impl Bench {
    async fn start(factory: &'static Factory, way: Way) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(Duration::from_secs(1_000_000_000)));
        let store = start(factory, way, &folder, &clock).await;
        Self { factory, way, store, clock, folder }
    }

    /// Closes the store and opens it anew.
    async fn restart(&mut self) {
        self.store.close().await.unwrap();
        self.store = start(self.factory, self.way, &self.folder, &self.clock).await;
    }

    async fn put(&self, key: &Key, value: impl Into<Bytes>) {
        self.apply(vec![upsert(key, value)]).await.unwrap();
    }

    async fn apply(&self, ops: Vec<Op>) -> Result<(), Error> {
        self.store.transact(Transaction { fence: None, ops }).await
    }

    async fn apply_fenced(
        &self,
        scope: ActorScope,
        fence: Fence,
        ops: Vec<Op>,
    ) -> Result<(), Error> {
        self.store.transact(Transaction { fence: Some((scope, fence)), ops }).await
    }

    async fn get(&self, key: &Key) -> Option<Item> {
        self.store.get(key).await.unwrap()
    }

    async fn value(&self, key: &Key) -> Option<Bytes> {
        self.get(key).await.map(|item| item.value)
    }
}

async fn start(
    factory: &Factory,
    way: Way,
    folder: &tempfile::TempDir,
    clock: &Arc<ManualClock>,
) -> Arc<dyn StateStore> {
    let context = Context {
        name: "statestore".to_owned(),
        data: folder.path().to_path_buf(),
        clock: Arc::<ManualClock>::clone(clock),
        entropy: Arc::new(Entropy::from_os().unwrap()),
        taken: Taken::Refuse,
    };
    let opened = open(factory.type_name, "", &[], context).await.unwrap();
    assert_eq!(opened.set_aside, None);
    assert_eq!(opened.store.capabilities(), factory.capabilities);
    match way {
        Way::Direct => opened.store,
        Way::InBytes => Arc::new(InBytes(opened.store)),
    }
}

fn plain(name: &str) -> Key {
    Key::Plain(name.into())
}

fn scope(id: &str) -> ActorScope {
    ActorScope { prefix: "app".into(), actor_type: "Cart".into(), actor_id: id.into() }
}

fn actor(id: &str, name: &str) -> Key {
    Key::Actor(scope(id), name.into())
}

fn fence(term: u64, n: u64, seq: u64) -> Fence {
    Fence { epoch: Epoch { term, n }, seq }
}

fn upsert(key: &Key, value: impl Into<Bytes>) -> Op {
    upsert_if(key, value, Condition::None)
}

fn upsert_if(key: &Key, value: impl Into<Bytes>, condition: Condition) -> Op {
    Op::Upsert { key: key.clone(), value: value.into(), condition, expiry: Expiry::Never }
}

fn upsert_for(key: &Key, value: impl Into<Bytes>, time: Duration) -> Op {
    Op::Upsert {
        key: key.clone(),
        value: value.into(),
        condition: Condition::None,
        expiry: Expiry::After(time),
    }
}

fn delete(key: &Key) -> Op {
    Op::Delete { key: key.clone(), condition: Condition::None }
}

fn is_mismatch(result: &Result<(), Error>) -> bool {
    matches!(result, Err(Error::ETagMismatch { .. }))
}

/// Runs a promise against every component that can be had here.
async fn each<F>(promise: F)
where
    F: for<'a> Fn(&'a mut Bench) -> BoxFuture<'a, ()>,
{
    for factory in FACTORIES {
        if let Some(server) = factory.server {
            // A skipped test must be seen to be skipped.
            let _ = writeln!(std::io::stderr(), "SKIPPED {}: it needs {server}", factory.type_name);
            continue;
        }
        for way in [Way::Direct, Way::InBytes] {
            let _ = writeln!(std::io::stderr(), "component {} {way:?}", factory.type_name);
            let mut bench = Bench::start(factory, way).await;
            promise(&mut bench).await;
            bench.store.close().await.unwrap();
        }
    }
}

macro_rules! promises {
    ($($module:ident: $($name:ident),+;)+) => {$($(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            each(|bench| Box::pin($module::$name(bench))).await;
        }
    )+)+};
}

promises! {
    rows: a_value_comes_back_as_it_was_written, nothing_is_there_before_it_is_written,
        large_values_come_back_whole, odd_keys_are_all_different, plain_and_actor_keys_never_meet,
        several_keys_are_answered_in_order, every_write_gives_a_new_etag,
        the_reserved_key_and_endless_keys_are_refused;
    transactions: a_write_needs_the_etag_that_is_stored, the_first_write_wins,
        a_delete_needs_the_etag_that_is_stored, all_or_nothing_is_written,
        of_several_writes_of_a_key_the_last_wins, conditions_look_at_the_state_before,
        concurrent_increments_are_all_counted, an_empty_transaction_changes_nothing,
        what_a_dropped_call_did_is_all_or_nothing;
    lifetime: a_value_vanishes_when_its_time_is_up, a_write_without_expiry_clears_it,
        an_expired_value_is_absent_for_conditions, expired_values_are_not_listed,
        many_expired_values_do_not_hurt_live_ones, what_is_durable_survives_a_restart,
        a_closed_store_refuses;
    fences: a_claim_is_passed_by_equal_and_higher_only, a_commit_needs_the_very_fence,
        an_unclaimed_actor_refuses_commits, deletion_keeps_the_fence, fences_of_actors_are_apart,
        a_fence_is_invisible, of_concurrent_claims_the_highest_stays,
        a_refused_commit_writes_nothing, a_commit_may_write_to_another_actor_too;
    scans: keys_are_listed_in_byte_order, pages_follow_each_other_without_gap_or_double,
        only_keys_with_the_prefix_are_listed, only_keys_of_the_actor_are_listed,
        wrong_scans_are_refused, values_of_every_size_are_listed;
    model: what_any_store_answers_is_what_a_plain_map_answers;
}
