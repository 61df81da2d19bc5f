//! Single keys: what is written is what is read.

use std::collections::HashSet;

use super::*;

pub(crate) async fn a_value_comes_back_as_it_was_written(bench: &mut Bench) {
    for key in [plain("app||one"), actor("a", "one"), actor("a", ""), plain("")] {
        for value in [Bytes::from_static(b"hello"), Bytes::new(), Bytes::from_static(b"\0\xff\xfe")]
        {
            bench.put(&key, value.clone()).await;
            let item = bench.get(&key).await.unwrap();
            assert_eq!((item.value, item.expires_at), (value, None));
        }
        bench.apply(vec![delete(&key)]).await.unwrap();
        assert_eq!(bench.get(&key).await, None);
    }
}

pub(crate) async fn nothing_is_there_before_it_is_written(bench: &mut Bench) {
    assert_eq!(bench.get(&plain("k")).await, None);
    assert_eq!(bench.get(&actor("a", "k")).await, None);
    // Removing nothing succeeds.
    bench.apply(vec![delete(&plain("k")), delete(&actor("a", "k"))]).await.unwrap();
}

pub(crate) async fn large_values_come_back_whole(bench: &mut Bench) {
    let key = actor("a", "large");
    let kib = 1_024;
    for size in [
        1,
        4 * kib - 1,
        4 * kib,
        4 * kib + 1,
        64 * kib,
        64 * kib + 1,
        256 * kib + 1,
        5 * kib * kib,
        100_000,
        10,
        128 * kib,
    ] {
        // Each overwrites one of another size.
        let value: Bytes = (0..size).map(|i| u8::try_from(i * 31 % 251).unwrap()).collect();
        bench.put(&key, value.clone()).await;
        assert!(bench.value(&key).await == Some(value), "{size} bytes");
    }
    bench.apply(vec![delete(&key)]).await.unwrap();
    assert_eq!(bench.get(&key).await, None);
}

pub(crate) async fn odd_keys_are_all_different(bench: &mut Bench) {
    let texts = [
        "",
        " ",
        "a",
        "A",
        "ä",
        "a\u{308}",
        "日本",
        "😀",
        "a||b",
        "a|",
        "||",
        "\0",
        "\0\0",
        "a\0",
        "\u{1}",
        "\u{7f}",
        "\u{10ffff}",
        "../x",
        "a/b",
        "%2F",
        "\n",
        "{}",
        "'",
        "\"",
        "\\",
        "__fence_",
        "_fence",
    ];
    let mut keys: Vec<Key> = texts.iter().map(|text| plain(text)).collect();
    for one in texts {
        for two in texts {
            let scope =
                ActorScope { prefix: two.into(), actor_type: one.into(), actor_id: two.into() };
            keys.push(Key::Actor(scope, one.into()));
            keys.push(actor(one, two));
        }
    }
    keys.sort();
    keys.dedup();
    for chunk in keys.chunks(500) {
        let ops = chunk.iter().map(|key| upsert(key, format!("{key:?}"))).collect();
        bench.apply(ops).await.unwrap();
    }
    for (key, item) in keys.iter().zip(bench.store.bulk_get(&keys).await.unwrap()) {
        assert_eq!(item.unwrap().value, format!("{key:?}"));
    }
}

pub(crate) async fn plain_and_actor_keys_never_meet(bench: &mut Bench) {
    bench.put(&actor("a", "k"), "actor").await;
    for name in ["app||Cart||a||k", "k", "\0\0\0\u{3}app\0\0\0\u{4}Cart\0\0\0\u{1}a\u{1}k"] {
        assert_eq!(bench.get(&plain(name)).await, None);
        bench.put(&plain(name), "plain").await;
    }
    assert_eq!(bench.value(&actor("a", "k")).await.unwrap(), "actor");
}

pub(crate) async fn several_keys_are_answered_in_order(bench: &mut Bench) {
    for count in [1_usize, 5, 200] {
        let keys: Vec<Key> = (0..count).rev().map(|i| plain(&format!("{count}/{i}"))).collect();
        let odd = keys.iter().skip(1).step_by(2);
        bench.apply(odd.map(|key| upsert(key, key.name().to_owned())).collect()).await.unwrap();
        let asked = [keys.as_slice(), &keys[..1]].concat();
        let found = bench.store.bulk_get(&asked).await.unwrap();
        assert_eq!(found.len(), count + 1);
        for (index, (key, item)) in asked.iter().zip(found).enumerate() {
            let expected = (index < count && index % 2 == 1).then(|| key.name().to_owned());
            assert_eq!(item.map(|item| item.value), expected.map(Bytes::from), "{key:?}");
        }
    }
    assert_eq!(bench.store.bulk_get(&[]).await.unwrap(), vec![]);
}

pub(crate) async fn every_write_gives_a_new_etag(bench: &mut Bench) {
    let key = plain("k");
    let mut seen = HashSet::new();
    for _ in 0..50 {
        bench.put(&key, "same").await;
        let item = bench.get(&key).await.unwrap();
        assert!(!item.etag.is_empty());
        assert_eq!(bench.get(&key).await.unwrap().etag, item.etag, "reading changes nothing");
        assert!(seen.insert(item.etag), "each ETag is given once");
    }
}

pub(crate) async fn the_reserved_key_and_endless_keys_are_refused(bench: &mut Bench) {
    let long = "k".repeat(100_000);
    for key in [actor("a", "__fence"), plain(&long), actor("a", &long), actor(&long, "k")] {
        let refused = |result: Option<Error>| {
            assert!(matches!(result, Some(Error::Invalid { .. })), "{result:?}");
        };
        let other = plain("other");
        refused(bench.store.get(&key).await.err());
        refused(bench.store.bulk_get(&[other.clone(), key.clone()]).await.err());
        refused(bench.apply(vec![upsert(&other, "x"), upsert(&key, "x")]).await.err());
        refused(bench.apply(vec![delete(&key)]).await.err());
        assert_eq!(bench.get(&other).await, None, "nothing else was written");
    }
    assert!(bench.store.claim(scope(&long), fence(1, 0, 0)).await.is_err());
    // The longest names that an actor can have are welcome.
    let scope = ActorScope {
        prefix: "p".repeat(256).into(),
        actor_type: "t".repeat(256).into(),
        actor_id: "i".repeat(2_048).into(),
    };
    for i in 0..40 {
        bench
            .put(&Key::Actor(scope.clone(), format!("{i}{}", "n".repeat(1_024)).into()), "x")
            .await;
    }
}
