//! Fences: who may commit (`design/ownership.md`, "Epoch, lease, fence").

use futures::future::join_all;

use super::*;

fn held(result: Result<(), Error>) -> Option<Fence> {
    match result {
        Err(Error::Fenced { held, .. }) => held,
        other => panic!("expected a refusal by the fence, got {other:?}"),
    }
}

pub(crate) async fn a_claim_is_passed_by_equal_and_higher_only(bench: &mut Bench) {
    let claim = |fence| bench.store.claim(scope("a"), fence);
    claim(fence(2, 5, 5)).await.unwrap();
    claim(fence(2, 5, 5)).await.unwrap();
    for lower in [fence(2, 5, 4), fence(2, 4, 9), fence(1, 9, 9), fence(0, 0, 0)] {
        assert_eq!(held(claim(lower).await), Some(fence(2, 5, 5)));
    }
    for higher in [fence(2, 5, 6), fence(2, 6, 0), fence(3, 0, 0), fence(u64::MAX, 1, 1)] {
        claim(higher).await.unwrap();
        assert_eq!(held(claim(fence(2, 5, 5)).await), Some(higher));
    }
}

pub(crate) async fn a_commit_needs_the_very_fence(bench: &mut Bench) {
    let key = actor("a", "k");
    let commit = |fence, value: &'static str| {
        bench.apply_fenced(scope("a"), fence, vec![upsert(&actor("a", "k"), value)])
    };
    bench.store.claim(scope("a"), fence(1, 2, 3)).await.unwrap();
    commit(fence(1, 2, 3), "one").await.unwrap();
    for other in [fence(1, 2, 2), fence(1, 2, 4), fence(9, 9, 9), fence(0, 0, 0)] {
        assert_eq!(held(commit(other, "x").await), Some(fence(1, 2, 3)), "higher ones too");
    }
    bench.store.claim(scope("a"), fence(1, 3, 0)).await.unwrap();
    let late = commit(fence(1, 2, 3), "late").await;
    assert_eq!(held(late), Some(fence(1, 3, 0)), "an earlier activation commits never again");
    assert_eq!(bench.value(&key).await.unwrap(), "one");
    commit(fence(1, 3, 0), "two").await.unwrap();
    assert_eq!(bench.value(&key).await.unwrap(), "two");
}

pub(crate) async fn an_unclaimed_actor_refuses_commits(bench: &mut Bench) {
    for shown in [fence(1, 1, 1), fence(0, 0, 0)] {
        let refused = bench.apply_fenced(scope("a"), shown, vec![upsert(&actor("a", "k"), "x")]);
        assert_eq!(held(refused.await), None);
    }
    assert_eq!(bench.get(&actor("a", "k")).await, None);
}

pub(crate) async fn deletion_keeps_the_fence(bench: &mut Bench) {
    let (keys, now) = ([actor("a", "one"), actor("a", "two")], fence(4, 4, 4));
    bench.store.claim(scope("a"), now).await.unwrap();
    bench
        .apply_fenced(scope("a"), now, keys.iter().map(|key| upsert(key, "v")).collect())
        .await
        .unwrap();
    bench.apply_fenced(scope("a"), now, keys.iter().map(delete).collect()).await.unwrap();
    assert_eq!(held(bench.store.claim(scope("a"), fence(4, 4, 3)).await), Some(now));
    let late = bench.apply_fenced(scope("a"), fence(4, 4, 3), vec![upsert(&keys[0], "x")]).await;
    assert_eq!(held(late), Some(now));
}

pub(crate) async fn fences_of_actors_are_apart(bench: &mut Bench) {
    let mut others = vec![scope("b"), scope(""), scope("a\0"), scope("a||b")];
    for (prefix, actor_type) in [("other", "Cart"), ("", "Cart"), ("app", "Car"), ("appC", "art")] {
        let (prefix, actor_type) = (prefix.into(), actor_type.into());
        others.push(ActorScope { prefix, actor_type, actor_id: "a".into() });
    }
    bench.store.claim(scope("a"), fence(9, 9, 9)).await.unwrap();
    for other in &others {
        bench.store.claim(other.clone(), fence(1, 1, 1)).await.unwrap();
    }
    bench.apply_fenced(scope("a"), fence(9, 9, 9), vec![]).await.unwrap();
}

pub(crate) async fn a_fence_is_invisible(bench: &mut Bench) {
    bench.store.claim(scope("a"), fence(1, 1, 1)).await.unwrap();
    assert_eq!(scans::all(bench, "a", "", 10).await, Vec::<String>::new());
    assert_eq!(scans::all(bench, "a", "__", 10).await, Vec::<String>::new());
    for name in ["", "\0", "__fence ", "fence"] {
        assert_eq!(bench.get(&actor("a", name)).await, None);
        bench.apply(vec![delete(&actor("a", name))]).await.unwrap();
    }
    bench.apply_fenced(scope("a"), fence(1, 1, 1), vec![]).await.unwrap();
}

pub(crate) async fn of_concurrent_claims_the_highest_stays(bench: &mut Bench) {
    for round in 0..20 {
        let id = format!("{round}");
        let claims = (0..16_u64).map(|i| {
            // Each takes over and writes at once, as an activation does.
            let (mine, id, bench) = (fence(1, 1, i * 7 % 16), &id, &*bench);
            async move {
                let claimed = bench.store.claim(scope(id), mine).await;
                let ops = vec![upsert(&actor(id, "who"), format!("{}", mine.seq))];
                let wrote = bench.apply_fenced(scope(id), mine, ops).await;
                (mine, claimed.is_ok(), wrote.is_ok())
            }
        });
        let outcomes = join_all(claims).await;
        for (mine, claimed, wrote) in outcomes {
            assert!(claimed || !wrote, "{mine} wrote without its claim");
            assert!(mine.seq != 15 || wrote, "the highest is refused by nobody");
        }
        assert_eq!(
            bench.value(&actor(&id, "who")).await.unwrap(),
            "15",
            "and overwritten by nobody"
        );
    }
}

pub(crate) async fn a_refused_commit_writes_nothing(bench: &mut Bench) {
    bench.store.claim(scope("a"), fence(2, 0, 0)).await.unwrap();
    let ops = || vec![upsert(&plain("p"), "x"), upsert(&actor("a", "k"), vec![1; 10_000])];
    held(bench.apply_fenced(scope("a"), fence(1, 0, 0), ops()).await);
    assert_eq!(bench.get(&plain("p")).await, None);
    assert_eq!(bench.get(&actor("a", "k")).await, None);
}

pub(crate) async fn a_commit_may_write_to_another_actor_too(bench: &mut Bench) {
    let (own, other) = (actor("a", "k"), actor("inbox", "out/1"));
    let both = |value: &'static str| vec![upsert(&own, value), upsert(&other, value)];
    bench.store.claim(scope("a"), fence(1, 1, 1)).await.unwrap();
    // Whoever has the other, and with which fence, is not asked.
    bench.store.claim(scope("inbox"), fence(9, 9, 9)).await.unwrap();
    bench.apply_fenced(scope("a"), fence(1, 1, 1), both("one")).await.unwrap();
    assert_eq!(
        (bench.value(&own).await.unwrap(), bench.value(&other).await.unwrap()),
        ("one".into(), "one".into())
    );
    bench.store.claim(scope("a"), fence(1, 1, 2)).await.unwrap();
    let late = bench.apply_fenced(scope("a"), fence(1, 1, 1), both("late")).await;
    assert_eq!(held(late), Some(fence(1, 1, 2)));
    assert_eq!(bench.value(&other).await.unwrap(), "one", "both or neither");
    // And the other removes what came to it behind its own fence.
    bench.apply_fenced(scope("inbox"), fence(9, 9, 9), vec![delete(&other)]).await.unwrap();
    assert_eq!(bench.value(&other).await, None);
}
