//! Random histories: what a store answers is what a plain map would.
//!
//! The map here is written from the port's words alone. A failure prints the seed.

use std::collections::BTreeMap;

use super::*;

#[derive(Default)]
struct Model {
    rows: BTreeMap<Key, (Bytes, Arc<str>)>,
    fences: BTreeMap<ActorScope, Fence>,
}

const STEPS: usize = 600;

pub(crate) async fn what_any_store_answers_is_what_a_plain_map_answers(bench: &mut Bench) {
    let seed = Entropy::from_os().unwrap().u64();
    let dice = Entropy::seeded(seed);
    let mut model = Model::default();
    for step in 0..STEPS {
        let context = format!("seed {seed}, step {step}");
        let scope = scope(["a", "b"][pick(&dice, 2)]);
        if pick(&dice, 6) == 0 {
            let shown = fence(1, 0, dice.u64() % 5);
            let allowed = model.fences.get(&scope) <= Some(&shown);
            let claimed = bench.store.claim(scope.clone(), shown).await;
            assert_eq!(claimed.is_ok(), allowed, "{context}: {claimed:?}");
            if allowed {
                model.fences.insert(scope, shown);
            }
            continue;
        }
        let shown = (pick(&dice, 2) == 0).then(|| (scope.clone(), fence(1, 0, dice.u64() % 5)));
        let ops: Vec<Op> = (0..1 + pick(&dice, 5)).map(|_| op(&dice, &model)).collect();
        let allowed = model.allows(shown.as_ref(), &ops);
        let outcome = bench.store.transact(Transaction { fence: shown, ops: ops.clone() }).await;
        assert_eq!(outcome.is_ok(), allowed, "{context}: {outcome:?} of {ops:?}");
        if allowed {
            model.write(&ops);
        }
        model.compare(bench, &context).await;
        if step % 200 == 199 && bench.store.capabilities().durable {
            bench.restart().await;
        }
    }
}

fn pick(dice: &Entropy, of: u64) -> usize {
    usize::try_from(dice.u64() % of).unwrap()
}

fn keys() -> Vec<Key> {
    let mut keys = vec![plain("x"), plain("y")];
    for id in ["a", "b"] {
        keys.extend(["1", "2", "3"].map(|name| actor(id, name)));
    }
    keys
}

fn op(dice: &Entropy, model: &Model) -> Op {
    let key = keys()[pick(dice, 8)].clone();
    let stored = model.rows.get(&key).map(|(_, etag)| Arc::clone(etag));
    let condition = match (pick(dice, 8), stored) {
        (0, _) => Condition::Absent,
        (1, _) => Condition::ETag("stale".into()),
        (2..=4, Some(etag)) => Condition::ETag(etag),
        _ => Condition::None,
    };
    if pick(dice, 4) == 0 {
        return Op::Delete { key, condition };
    }
    let size = [0, 3, 300, 5_000, 20_000][pick(dice, 5)];
    let fill = u8::try_from(dice.u64() % 256).unwrap();
    upsert_if(&key, vec![fill; size], condition)
}

impl Model {
    fn allows(&self, shown: Option<&(ActorScope, Fence)>, ops: &[Op]) -> bool {
        let is_owner = shown.is_none_or(|(scope, fence)| self.fences.get(scope) == Some(fence));
        is_owner
            && ops.iter().all(|op| {
                let stored = self.rows.get(op.key());
                match op {
                    Op::Upsert { condition, .. } | Op::Delete { condition, .. } => {
                        match condition {
                            Condition::None => true,
                            Condition::Absent => {
                                stored.is_none() || matches!(op, Op::Delete { .. })
                            }
                            Condition::ETag(etag) => stored.is_some_and(|(_, held)| held == etag),
                        }
                    }
                }
            })
    }

    fn write(&mut self, ops: &[Op]) {
        for op in ops {
            match op {
                // The ETag is learnt when the row is compared.
                Op::Upsert { key, value, .. } => {
                    self.rows.insert(key.clone(), (value.clone(), "".into()));
                }
                Op::Delete { key, .. } => {
                    self.rows.remove(key);
                }
            }
        }
    }

    async fn compare(&mut self, bench: &Bench, context: &str) {
        let keys = keys();
        let found = bench.store.bulk_get(&keys).await.unwrap();
        for (key, item) in keys.iter().zip(found) {
            match (self.rows.get_mut(key), item) {
                (None, None) => {}
                (Some((value, etag)), Some(item)) => {
                    assert!(*value == item.value, "{context}: {key:?}");
                    assert!(etag.is_empty() || *etag == item.etag, "{context}: ETag of {key:?}");
                    *etag = item.etag;
                }
                (expected, found) => panic!("{context}: {key:?}: {expected:?}, {found:?}"),
            }
        }
    }
}
