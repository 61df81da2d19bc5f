//! A lock has one owner at a time, and its key is Dapr's.

use std::collections::BTreeMap;

use futures::future::join_all;
use odeon_base::Entropy;
use odeon_base::clock::TokioClock;
use proptest::prelude::*;

use super::*;
use crate::state::memory::MemoryStore;

fn component() -> Component {
    let clock = Arc::new(TokioClock::start());
    let store = Arc::new(MemoryStore::new(clock, Arc::new(Entropy::seeded(3))));
    Component { store, prefix: "lock||shop||".into() }
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[test]
fn each_prefix_is_as_dapr_s_locks_have_it() {
    let names = Names { app: "shop", namespace: Some("prod"), component: "locks" };
    for (written, expected) in [
        ("", "lock||shop||"),
        ("appid", "lock||shop||"),
        ("Name", "lock||locks||"),
        ("none", "lock||"),
        ("namespace", "lock||namespace||"),
        ("Team", "lock||team||"),
    ] {
        assert_eq!(prefix_of(written, names).as_deref(), Ok(expected), "{written}");
    }
    assert!(prefix_of("a||b", names).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_lock_is_one_owner_s_until_it_lets_go_or_time_is_over() {
    let locks = component();
    assert_eq!(locks.unlock("r", "a").await.unwrap(), Unlocked::DoesNotExist);
    assert!(locks.try_lock("r", "a", seconds(10)).await.unwrap());
    assert!(locks.store.get(&Key::Plain("lock||shop||r".into())).await.unwrap().is_some());
    assert!(!locks.try_lock("r", "b", seconds(10)).await.unwrap());
    assert!(!locks.try_lock("r", "a", seconds(99)).await.unwrap(), "not even for its owner");
    assert!(locks.try_lock("other", "b", seconds(10)).await.unwrap());
    assert_eq!(locks.unlock("r", "b").await.unwrap(), Unlocked::BelongsToOthers);
    tokio::time::advance(Duration::from_millis(9_999)).await;
    assert!(!locks.try_lock("r", "b", seconds(10)).await.unwrap());
    tokio::time::advance(Duration::from_millis(2)).await;
    assert_eq!(locks.unlock("r", "a").await.unwrap(), Unlocked::DoesNotExist);
    assert!(locks.try_lock("r", "b", seconds(10)).await.unwrap());
    assert_eq!(locks.unlock("r", "b").await.unwrap(), Unlocked::Success);
    assert!(locks.try_lock("r", "a", seconds(10)).await.unwrap());
    let error = locks.try_lock("a||b", "a", seconds(1)).await.unwrap_err();
    assert!(matches!(error, Error::Invalid { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn of_many_who_ask_at_once_one_gets_it() {
    let locks = component();
    let owners: Vec<_> = (0..50).map(|n| n.to_string()).collect();
    let asked = owners.iter().map(|owner| locks.try_lock("r", owner, seconds(5)));
    let got = join_all(asked).await.into_iter().filter(|got| *got.as_ref().unwrap()).count();
    assert_eq!(got, 1);
}

#[derive(Debug, Clone)]
enum Step {
    Take(u8, u8, u64),
    Give(u8, u8),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..2_u8, 0..3_u8, 1..4_u64)
            .prop_map(|(name, owner, lasts)| Step::Take(name, owner, lasts)),
        (0..2_u8, 0..3_u8).prop_map(|(name, owner)| Step::Give(name, owner)),
        (1..3_000_u64).prop_map(Step::Wait),
    ]
}

/// Against a table of who holds what until when.
async fn live(steps: Vec<Step>) {
    let locks = component();
    let (mut now, mut held) = (0_u64, BTreeMap::<u8, (u8, u64)>::new());
    for step in steps {
        held.retain(|_, (_, until)| *until > now);
        match step {
            Step::Take(name, owner, lasts) => {
                let (lock, who) = (name.to_string(), owner.to_string());
                let taken = locks.try_lock(&lock, &who, seconds(lasts));
                assert_eq!(taken.await.unwrap(), !held.contains_key(&name));
                held.entry(name).or_insert((owner, now + lasts * 1_000));
            }
            Step::Give(name, owner) => {
                let expected = match held.get(&name) {
                    None => Unlocked::DoesNotExist,
                    Some((holder, _)) if *holder != owner => Unlocked::BelongsToOthers,
                    Some(_) => Unlocked::Success,
                };
                let given = locks.unlock(&name.to_string(), &owner.to_string()).await.unwrap();
                assert_eq!(given, expected);
                if given == Unlocked::Success {
                    held.remove(&name);
                }
            }
            Step::Wait(millis) => {
                now += millis;
                tokio::time::advance(Duration::from_millis(millis)).await;
            }
        }
    }
}

proptest! {
    #[test]
    fn a_lock_has_at_most_one_owner(steps in proptest::collection::vec(step(), 0..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(live(steps));
    }
}
