//! Several keys at once, and conditions.

use futures::future::join_all;

use super::*;

fn with(etag: &Arc<str>) -> Condition {
    Condition::ETag(Arc::clone(etag))
}

pub(crate) async fn a_write_needs_the_etag_that_is_stored(bench: &mut Bench) {
    let key = plain("k");
    let unknown: Arc<str> = "5e3f0a52-9c1e-4bb4-8f40-3b1a1c9c4f00".into();
    assert!(is_mismatch(&bench.apply(vec![upsert_if(&key, "x", with(&unknown))]).await));
    bench.put(&key, "one").await;
    let first = bench.get(&key).await.unwrap().etag;
    for wrong in [&*unknown, "", "1", "not-an-etag", &first.to_uppercase(), &format!("{first} ")] {
        let op = upsert_if(&key, "x", Condition::ETag(wrong.into()));
        if *wrong != *first {
            assert!(is_mismatch(&bench.apply(vec![op]).await), "{wrong:?}");
        }
    }
    bench.apply(vec![upsert_if(&key, "two", with(&first))]).await.unwrap();
    let again = bench.apply(vec![upsert_if(&key, "three", with(&first))]).await;
    assert!(is_mismatch(&again), "the ETag of an older value is worth nothing");
    assert_eq!(again.unwrap_err().to_string(), "possible etag mismatch for key 'k'");
    assert_eq!(bench.value(&key).await.unwrap(), "two");
}

pub(crate) async fn the_first_write_wins(bench: &mut Bench) {
    let key = actor("a", "k");
    let first = |value: &'static str| vec![upsert_if(&key, value, Condition::Absent)];
    bench.apply(first("one")).await.unwrap();
    assert!(is_mismatch(&bench.apply(first("two")).await));
    assert_eq!(bench.value(&key).await.unwrap(), "one");
    bench.apply(vec![delete(&key)]).await.unwrap();
    bench.apply(first("three")).await.unwrap();
    // Of many at once exactly one wins.
    let key = plain("race");
    let tries =
        (0..32).map(|i| bench.apply(vec![upsert_if(&key, format!("{i}"), Condition::Absent)]));
    let outcomes = join_all(tries).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    let winner = outcomes.iter().position(Result::is_ok).unwrap();
    assert_eq!(bench.value(&key).await.unwrap(), format!("{winner}"));
}

pub(crate) async fn a_delete_needs_the_etag_that_is_stored(bench: &mut Bench) {
    let key = plain("k");
    let delete_if = |condition| vec![Op::Delete { key: key.clone(), condition }];
    let gone: Arc<str> = "5e3f0a52-9c1e-4bb4-8f40-3b1a1c9c4f00".into();
    assert!(is_mismatch(&bench.apply(delete_if(with(&gone))).await), "an absent key has no ETag");
    bench.put(&key, "one").await;
    assert!(is_mismatch(&bench.apply(delete_if(with(&gone))).await));
    let etag = bench.get(&key).await.unwrap().etag;
    bench.apply(delete_if(with(&etag))).await.unwrap();
    assert_eq!(bench.get(&key).await, None);
    bench.put(&key, "two").await;
    // Does not apply to a delete.
    bench.apply(delete_if(Condition::Absent)).await.unwrap();
    assert_eq!(bench.get(&key).await, None);
}

pub(crate) async fn all_or_nothing_is_written(bench: &mut Bench) {
    let (one, two, three) = (plain("one"), actor("a", "two"), actor("b", "three"));
    bench.put(&two, "old").await;
    for wrong in [
        upsert_if(&three, "x", Condition::ETag("nonsense".into())),
        Op::Delete { key: three.clone(), condition: Condition::ETag("nonsense".into()) },
        upsert_if(&two, "x", Condition::Absent),
    ] {
        for at in 0..3 {
            let mut ops = vec![upsert(&one, vec![1; 100_000]), delete(&two)];
            ops.insert(at, wrong.clone());
            assert!(is_mismatch(&bench.apply(ops).await));
            assert_eq!(bench.get(&one).await, None);
            assert_eq!(bench.value(&two).await.unwrap(), "old");
        }
    }
    bench.apply(vec![upsert(&one, "new"), delete(&two), upsert(&three, "new")]).await.unwrap();
    assert_eq!(bench.value(&one).await.unwrap(), "new");
    assert_eq!(bench.get(&two).await, None);
    assert_eq!(bench.value(&three).await.unwrap(), "new");
}

pub(crate) async fn of_several_writes_of_a_key_the_last_wins(bench: &mut Bench) {
    let (key, large) = (plain("k"), Bytes::from(vec![7; 50_000]));
    bench
        .apply(vec![upsert(&key, "1"), upsert(&key, large.clone()), upsert(&key, "3")])
        .await
        .unwrap();
    assert_eq!(bench.value(&key).await.unwrap(), "3");
    bench.apply(vec![upsert(&key, "4"), delete(&key)]).await.unwrap();
    assert_eq!(bench.get(&key).await, None);
    bench.apply(vec![delete(&key), upsert(&key, "5"), upsert(&key, large.clone())]).await.unwrap();
    assert_eq!(bench.value(&key).await.unwrap(), large);
    bench.apply(vec![delete(&key), upsert(&key, "6")]).await.unwrap();
    assert_eq!(bench.value(&key).await.unwrap(), "6");
}

pub(crate) async fn conditions_look_at_the_state_before(bench: &mut Bench) {
    let key = plain("k");
    let first = || upsert_if(&key, "1", Condition::Absent);
    bench.apply(vec![first(), upsert_if(&key, "2", Condition::Absent)]).await.unwrap();
    assert_eq!(bench.value(&key).await.unwrap(), "2");
    assert!(is_mismatch(&bench.apply(vec![delete(&key), first()]).await));
    let etag = bench.get(&key).await.unwrap().etag;
    let ops = vec![upsert_if(&key, "3", with(&etag)), upsert_if(&key, "4", with(&etag))];
    bench.apply(ops).await.unwrap();
    assert_eq!(bench.value(&key).await.unwrap(), "4");
    let overwritten = vec![upsert_if(&key, "x", with(&etag)), upsert(&key, "y")];
    assert!(
        is_mismatch(&bench.apply(overwritten).await),
        "an overwritten write's condition counts"
    );
}

pub(crate) async fn concurrent_increments_are_all_counted(bench: &mut Bench) {
    let key = actor("a", "counter");
    bench.put(&key, "0").await;
    let increment = || async {
        let mut refused = 0_u32;
        for _ in 0..20 {
            loop {
                let item = bench.get(&key).await.unwrap();
                let number: u32 = std::str::from_utf8(&item.value).unwrap().parse().unwrap();
                let next = upsert_if(&key, format!("{}", number + 1), with(&item.etag));
                match bench.apply(vec![next]).await {
                    Ok(()) => break,
                    Err(Error::ETagMismatch { .. }) => refused += 1,
                    Err(error) => panic!("{error}"),
                }
                tokio::task::yield_now().await;
            }
        }
        refused
    };
    join_all((0..8).map(|_| increment())).await;
    assert_eq!(bench.value(&key).await.unwrap(), "160");
}

pub(crate) async fn an_empty_transaction_changes_nothing(bench: &mut Bench) {
    bench.apply(vec![]).await.unwrap();
    bench.store.claim(scope("a"), fence(1, 1, 1)).await.unwrap();
    bench.apply_fenced(scope("a"), fence(1, 1, 1), vec![]).await.unwrap();
    let refused = bench.apply_fenced(scope("a"), fence(1, 1, 0), vec![]).await;
    assert!(matches!(refused, Err(Error::Fenced { .. })));
}

pub(crate) async fn what_a_dropped_call_did_is_all_or_nothing(bench: &mut Bench) {
    use futures::FutureExt;

    let (one, two) = (plain("one"), plain("two"));
    for i in 0..20_u8 {
        let ops = vec![upsert(&one, vec![i; 9_000]), upsert(&two, vec![i; 10])];
        // Polled once, then dropped: under way, perhaps.
        let _ = bench.apply(ops).now_or_never();
        // Comes after it, whatever became of it.
        bench.apply(vec![upsert(&plain("other"), "x")]).await.unwrap();
        let (one, two) = (bench.value(&one).await, bench.value(&two).await);
        assert_eq!(one.map(|value| value[0]), two.map(|value| value[0]));
    }
}
