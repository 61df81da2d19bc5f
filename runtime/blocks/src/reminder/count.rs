//! That all hosts of a store agree on the number of its partitions.
//!
//! An actor's reminders and messages lie in the partition that follows from its id and that number:
//! with another number they would be looked for elsewhere, and never fire. So the first who needs it
//! writes it down, under an id of the type that is no partition's, and who comes with another is
//! refused before it has read or written anything.

use std::sync::Arc;

use odeon_runtime::store::{
    ActorScope, Condition, Error as StoreError, Expiry, Key, Op, StateStore, Transaction,
};
use odeon_runtime::{ActorRef, Error, Turn};

/// Under which id, and which key, it is kept.
const ID: &str = "partitions";
const NAME: &str = "count";

/// Looks whether the store of a partition has so many partitions; writes it down if nobody has.
///
/// # Errors
/// [`Error::Activation`] when it has another number, with both; what the store says.
///
/// # Cancel safety
/// It may be written down.
pub(super) async fn check(
    turn: &Turn,
    store: &dyn StateStore,
    prefix: &Arc<str>,
    partitions: u32,
) -> Result<(), Error> {
    let ActorRef { actor_type, id } = turn.actor();
    let scope = ActorScope {
        prefix: Arc::clone(prefix),
        actor_type: actor_type.as_str().into(),
        actor_id: ID.into(),
    };
    let key = Key::Actor(scope, NAME.into());
    let found = match store.get(&key).await? {
        Some(found) => found.value,
        None => match store.transact(first(&key, partitions)).await {
            Ok(()) => return Ok(()),
            // Somebody was first, or perhaps this was.
            Err(StoreError::ETagMismatch { .. } | StoreError::Unknown { .. }) => {
                let found = store.get(&key).await?;
                found.map(|found| found.value).unwrap_or_default()
            }
            Err(other) => return Err(other.into()),
        },
    };
    if found == partitions.to_string() {
        return Ok(());
    }
    let reason = format!(
        "reminders in this store lie in {} partitions, and this host is made for {partitions}: \
         they would not be found; run the release that wrote them, or another store",
        String::from_utf8_lossy(&found)
    );
    tracing::error!(actor_type = actor_type.as_str(), "{reason}");
    Err(Error::Activation { actor_type: actor_type.clone(), id: id.clone(), reason })
}

fn first(key: &Key, partitions: u32) -> Transaction {
    let (key, value) = (key.clone(), partitions.to_string().into());
    let op = Op::Upsert { key, value, condition: Condition::Absent, expiry: Expiry::Never };
    Transaction { fence: None, ops: vec![op] }
}
