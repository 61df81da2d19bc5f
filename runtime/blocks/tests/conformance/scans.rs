//! Lists of an actor's keys.

use odeon_runtime::store::Scan;

use super::*;

pub(crate) fn scan(id: &str, starts_with: &str, limit: usize) -> Scan {
    Scan { scope: scope(id), starts_with: starts_with.into(), after: None, limit }
}

/// The names of all keys, fetched in pages.
pub(crate) async fn all(bench: &Bench, id: &str, starts_with: &str, limit: usize) -> Vec<String> {
    let mut scan = scan(id, starts_with, limit);
    let mut names = Vec::new();
    loop {
        let page = bench.store.scan(scan.clone()).await.unwrap();
        assert!(page.items.len() <= limit);
        assert!(page.next.is_none() || page.items.len() == limit, "only the last page is short");
        names.extend(page.items.iter().map(|(key, _)| key.name().to_owned()));
        match page.next {
            None => return names,
            next => scan.after = next,
        }
    }
}

async fn fill(bench: &Bench, id: &str, names: &[&str]) {
    let ops = names.iter().map(|name| upsert(&actor(id, name), (*name).to_owned()));
    bench.apply(ops.collect()).await.unwrap();
}

const NAMES: [&str; 12] =
    ["", "\0", "\0\0", " ", "1", "10", "2", "a", "a\0", "aa", "ä", "\u{10ffff}"];

pub(crate) async fn keys_are_listed_in_byte_order(bench: &mut Bench) {
    fill(bench, "a", &["2", "ä", "a\0", "10", "", "\u{10ffff}", "a", " ", "\0\0", "1", "aa", "\0"])
        .await;
    assert_eq!(all(bench, "a", "", 1_000).await, NAMES);
    let page = bench.store.scan(scan("a", "", 5)).await.unwrap();
    for (key, item) in page.items {
        assert_eq!(item.value, key.name());
        assert_eq!(bench.get(&key).await, Some(item));
    }
}

pub(crate) async fn pages_follow_each_other_without_gap_or_double(bench: &mut Bench) {
    fill(bench, "a", &NAMES).await;
    for limit in 1..=NAMES.len() + 1 {
        assert_eq!(all(bench, "a", "", limit).await, NAMES, "pages of {limit}");
    }
    // A key that is gone still marks the place.
    let mut second = scan("a", "", 5);
    second.after = bench.store.scan(second.clone()).await.unwrap().next;
    bench.apply(vec![delete(second.after.as_ref().unwrap())]).await.unwrap();
    let page = bench.store.scan(second).await.unwrap();
    assert_eq!(page.items[0].0.name(), NAMES[5]);
}

pub(crate) async fn only_keys_with_the_prefix_are_listed(bench: &mut Bench) {
    fill(bench, "a", &["a", "ab", "abc", "abd", "ac", "b", "AB", "ab\u{10ffff}"]).await;
    for limit in [1, 2, 10] {
        assert_eq!(all(bench, "a", "ab", limit).await, ["ab", "abc", "abd", "ab\u{10ffff}"]);
        assert_eq!(all(bench, "a", "abc", limit).await, ["abc"]);
        assert_eq!(all(bench, "a", "x", limit).await, Vec::<String>::new());
    }
    let from = |name: &str| Scan { after: Some(actor("a", name)), ..scan("a", "ab", 1) };
    let first = |page: odeon_runtime::store::Page| page.items[0].0.name().to_owned();
    assert_eq!(first(bench.store.scan(from("a")).await.unwrap()), "ab", "before the prefix");
    assert_eq!(first(bench.store.scan(from("abca")).await.unwrap()), "abd", "between keys");
    assert!(bench.store.scan(from("b")).await.unwrap().items.is_empty(), "behind the prefix");
}

pub(crate) async fn only_keys_of_the_actor_are_listed(bench: &mut Bench) {
    for id in ["a", "b", "", "a\0", "a||a"] {
        fill(bench, id, &["k", "l"]).await;
    }
    fill(bench, "aa", &["m"]).await;
    bench.put(&plain("k"), "x").await;
    for id in ["a", "b", "", "a\0", "a||a"] {
        assert_eq!(all(bench, id, "", 10).await, ["k", "l"], "{id:?}");
    }
    assert_eq!(all(bench, "c", "", 10).await, Vec::<String>::new());
}

pub(crate) async fn wrong_scans_are_refused(bench: &mut Bench) {
    let foreign = Scan { after: Some(actor("b", "k")), ..scan("a", "", 1) };
    let no_actor = Scan { after: Some(plain("k")), ..scan("a", "", 1) };
    for scan in [scan("a", "", 0), scan("a", "", 1_001), foreign, no_actor] {
        let refused = bench.store.scan(scan).await;
        assert!(matches!(refused, Err(Error::Invalid { .. })), "{refused:?}");
    }
}

pub(crate) async fn values_of_every_size_are_listed(bench: &mut Bench) {
    for size in [0, 1, 5_000, 700_000] {
        bench.put(&actor("a", &format!("{size:07}")), vec![9; size]).await;
    }
    let page = bench.store.scan(scan("a", "", 10)).await.unwrap();
    let sizes: Vec<_> = page.items.iter().map(|(_, item)| item.value.len()).collect();
    assert_eq!(sizes, [0, 1, 5_000, 700_000]);
}
