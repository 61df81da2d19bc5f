//! Categories by their rules, and whatever is asked of them.

use proptest::prelude::*;

use super::*;
use crate::domain::samples::reason;

fn create(id: &str, name: &str, sort: u32) -> Create {
    Create { cmd_id: "c".into(), id: id.into(), category_name: name.into(), sort }
}

fn join(goods_id: &str, category_id: &str) -> Join {
    Join { goods_id: goods_id.into(), category_id: category_id.into() }
}

fn delete(id: &str) -> Delete {
    Delete { cmd_id: "c".into(), id: id.into() }
}

fn names(categories: &Categories) -> Vec<String> {
    categories.list().categories.into_iter().map(|one| one.category_name).collect()
}

#[test]
fn they_are_shown_in_their_order_and_no_two_are_called_the_same() {
    let mut categories = Categories::default();
    categories.create(&create("b", "Cold", 1)).unwrap();
    categories.create(&create("a", "Snacks", 1)).unwrap();
    categories.create(&create("c", "Hot", 0)).unwrap();
    assert_eq!(names(&categories), ["Hot", "Snacks", "Cold"]);
    for (command, expected) in [
        (create("b", "Soup", 0), Reason::Duplicate),
        (create("d", "cOLD", 0), Reason::Duplicate),
        (create("d", "", 0), Reason::Invalid),
        (create("d", "Thirteen char", 0), Reason::Invalid),
        (create("d||e", "Soup", 0), Reason::Invalid),
    ] {
        assert_eq!(reason(categories.create(&command)), Some(expected), "{command:?}");
    }
    let rename = |id: &str, name: &str| Update {
        id: id.into(),
        category_name: Some(name.into()),
        ..Update::default()
    };
    assert_eq!(reason(categories.update(&rename("a", "HOT"))), Some(Reason::Duplicate));
    assert_eq!(reason(categories.update(&rename("x", "Soup"))), Some(Reason::NotFound));
    categories.update(&rename("c", "HOT")).unwrap();
    categories.update(&Update { id: "c".into(), sort: Some(9), ..Update::default() }).unwrap();
    assert_eq!(names(&categories), ["Snacks", "Cold", "HOT"]);
}

#[test]
fn there_are_not_too_many() {
    let mut categories = Categories::default();
    for n in 0..CATEGORIES_MAX {
        categories.create(&create(&format!("c{n}"), &format!("Dish {n}"), 0)).unwrap();
    }
    assert_eq!(reason(categories.create(&create("more", "More", 0))), Some(Reason::Conflict));
}

// F23.
#[test]
fn one_that_goods_use_is_not_deleted() {
    let mut categories = Categories::default();
    categories.create(&create("hot", "Hot", 0)).unwrap();
    categories.create(&create("cold", "Cold", 1)).unwrap();
    categories.join(&join("soup", "hot")).unwrap();
    categories.join(&join("soup", "hot")).unwrap();
    assert_eq!(reason(categories.join(&join("soup", "warm"))), Some(Reason::NotFound));
    assert_eq!(reason(categories.delete(&delete("hot"))), Some(Reason::Conflict));
    categories.join(&join("soup", "cold")).unwrap();
    categories.delete(&delete("hot")).unwrap();
    assert_eq!(reason(categories.delete(&delete("hot"))), Some(Reason::NotFound));
    categories.leave(&Leave { goods_id: "soup".into() });
    categories.delete(&delete("cold")).unwrap();
    assert_eq!(categories, Categories::default());
}

proptest! {
    /// Goods that have joined a category belong to that one, and it is there.
    #[test]
    fn goods_belong_to_the_one_that_they_joined_last(
        steps in proptest::collection::vec((0_u8..5, 0_u8..4, 0_u8..4), 1..80),
    ) {
        let mut categories = Categories::default();
        let mut expected: BTreeMap<String, String> = BTreeMap::new();
        for (what, id, goods) in steps {
            let (id, goods) = (format!("c{id}"), format!("g{goods}"));
            match what {
                0 => drop(categories.create(&create(&id, &id, 0))),
                1 => {
                    let is_used = expected.values().any(|used| *used == id);
                    let is_there = categories.all().contains_key(&id);
                    let told = categories.delete(&delete(&id));
                    prop_assert_eq!(told.is_ok(), is_there && !is_used);
                }
                2 => {
                    categories.leave(&Leave { goods_id: goods.clone() });
                    expected.remove(&goods);
                }
                _ => {
                    if categories.join(&join(&goods, &id)).is_ok() {
                        expected.insert(goods, id);
                    }
                }
            }
            let mut found = BTreeMap::new();
            for (id, category) in categories.all() {
                for goods in &category.goods_ids {
                    prop_assert!(found.insert(goods.clone(), id.clone()).is_none());
                }
            }
            prop_assert_eq!(&found, &expected);
        }
    }
}
