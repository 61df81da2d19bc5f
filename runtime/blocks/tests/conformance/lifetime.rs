//! Expiry, closing, and what is left after a restart.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

pub(crate) async fn a_value_vanishes_when_its_time_is_up(bench: &mut Bench) {
    use odeon_base::WallClock;

    let (short, long, large) = (plain("short"), actor("a", "long"), plain("large"));
    let due = bench.clock.now() + 10 * SECOND;
    let ops = vec![
        upsert_for(&short, "s", 10 * SECOND),
        upsert_for(&long, "l", 3_600 * SECOND),
        upsert_for(&large, vec![1; 300_000], 10 * SECOND),
    ];
    bench.apply(ops).await.unwrap();
    assert_eq!(bench.get(&short).await.unwrap().expires_at, Some(due));
    bench.clock.advance(10 * SECOND - Duration::from_millis(1));
    assert_eq!(bench.value(&short).await.unwrap(), "s", "to the last moment");
    assert_eq!(bench.value(&large).await.unwrap().len(), 300_000);
    bench.clock.advance(Duration::from_millis(1));
    assert_eq!(bench.get(&short).await, None, "and not a moment longer");
    assert_eq!(bench.get(&large).await, None);
    let found = bench.store.bulk_get(&[short.clone(), long.clone()]).await.unwrap();
    assert_eq!(found.iter().map(Option::is_some).collect::<Vec<_>>(), [false, true]);
    // Far beyond any calendar: as good as for ever.
    bench.apply(vec![upsert_for(&short, "s", Duration::MAX)]).await.unwrap();
    assert_eq!(bench.value(&short).await.unwrap(), "s");
}

pub(crate) async fn a_write_without_expiry_clears_it(bench: &mut Bench) {
    let key = plain("k");
    bench.apply(vec![upsert_for(&key, "1", SECOND)]).await.unwrap();
    bench.put(&key, "2").await;
    assert_eq!(bench.get(&key).await.unwrap().expires_at, None);
    bench.apply(vec![upsert_for(&key, "3", 100 * SECOND)]).await.unwrap();
    bench.apply(vec![upsert_for(&key, "4", 200 * SECOND)]).await.unwrap();
    bench.clock.advance(150 * SECOND);
    bench.put(&plain("other"), "makes expired rows go").await;
    assert_eq!(bench.value(&key).await.unwrap(), "4", "an older expiry is forgotten");
}

pub(crate) async fn an_expired_value_is_absent_for_conditions(bench: &mut Bench) {
    let key = plain("k");
    bench.apply(vec![upsert_for(&key, "1", SECOND)]).await.unwrap();
    let etag = bench.get(&key).await.unwrap().etag;
    bench.clock.advance(SECOND);
    let with_etag = Condition::ETag(etag);
    assert!(is_mismatch(&bench.apply(vec![upsert_if(&key, "x", with_etag.clone())]).await));
    let removal = Op::Delete { key: key.clone(), condition: with_etag };
    assert!(is_mismatch(&bench.apply(vec![removal]).await));
    bench.apply(vec![upsert_if(&key, "2", Condition::Absent)]).await.unwrap();
    assert_eq!(bench.value(&key).await.unwrap(), "2");
    bench.clock.advance(100 * SECOND);
    bench.put(&plain("other"), "makes expired rows go").await;
    assert_eq!(bench.value(&key).await.unwrap(), "2", "the new value is not the old one's");
}

pub(crate) async fn expired_values_are_not_listed(bench: &mut Bench) {
    for i in 0..10_u32 {
        let op = upsert_for(&actor("a", &format!("{i}")), "v", (1 + i % 2) * SECOND);
        bench.apply(vec![op]).await.unwrap();
    }
    bench.clock.advance(SECOND);
    let names = scans::all(bench, "a", "", 3).await;
    assert_eq!(names, ["1", "3", "5", "7", "9"]);
}

pub(crate) async fn many_expired_values_do_not_hurt_live_ones(bench: &mut Bench) {
    for chunk in 0..5_u32 {
        let ops = (0..200).map(|i| {
            let key = actor("a", &format!("{chunk}/{i}"));
            upsert_for(&key, vec![1; if i % 50 == 0 { 9_000 } else { 9 }], (1 + i % 2) * SECOND)
        });
        bench.apply(ops.collect()).await.unwrap();
    }
    // More writes than it takes to remove them all, each removing a few.
    for i in 0..40 {
        bench.clock.advance(Duration::from_millis(100));
        bench.put(&plain(&format!("{i}")), "v").await;
        if i == 10 {
            assert_eq!(scans::all(bench, "a", "", 1_000).await.len(), 500);
            // Written anew while the removal is under way.
            bench.put(&actor("a", "0/0"), "new").await;
        }
    }
    assert_eq!(scans::all(bench, "a", "", 1_000).await, ["0/0"]);
    assert_eq!(bench.value(&actor("a", "0/0")).await.unwrap(), "new");
}

pub(crate) async fn what_is_durable_survives_a_restart(bench: &mut Bench) {
    if !bench.store.capabilities().durable {
        return;
    }
    let (key, large, gone) = (plain("k"), actor("a", "large"), plain("gone"));
    let value: Bytes = (0..=255).cycle().take(1_000_000).collect();
    for round in 0..3 {
        bench.put(&key, format!("{round}")).await;
        bench.put(&large, value.clone()).await;
        bench.put(&gone, "x").await;
        bench.apply(vec![delete(&gone)]).await.unwrap();
        bench.apply(vec![upsert_for(&plain("short"), "s", 5 * SECOND)]).await.unwrap();
        bench.store.claim(scope("a"), fence(1, 1, round)).await.unwrap();
        let etag = bench.get(&key).await.unwrap().etag;

        bench.restart().await;

        let item = bench.get(&key).await.unwrap();
        assert_eq!((item.value, item.etag), (format!("{round}").into(), etag));
        assert_eq!(bench.value(&large).await, Some(value.clone()));
        assert_eq!(bench.get(&gone).await, None);
        assert!(bench.get(&plain("short")).await.is_some());
        bench.clock.advance(5 * SECOND);
        assert_eq!(bench.get(&plain("short")).await, None);
        bench.apply_fenced(scope("a"), fence(1, 1, round), vec![]).await.unwrap();
    }
}

pub(crate) async fn a_closed_store_refuses(bench: &mut Bench) {
    bench.put(&plain("k"), "v").await;
    bench.store.close().await.unwrap();
    bench.store.close().await.unwrap();
    let refused = |result: Option<Error>| {
        assert!(matches!(result, Some(Error::Unavailable { .. })), "{result:?}");
    };
    refused(bench.store.get(&plain("k")).await.err());
    refused(bench.store.bulk_get(&[plain("k")]).await.err());
    refused(bench.apply(vec![upsert(&plain("k"), "v")]).await.err());
    refused(bench.store.claim(scope("a"), fence(1, 1, 1)).await.err());
    refused(bench.store.scan(scans::scan("a", "", 1)).await.err());
}
