//! The list of all goods, as they last told about themselves.
//!
//! Goods that are gone for good stay on the list as such (`newest.rs`).

use serde::{Deserialize, Serialize};

use crate::domain::answer::Refusal;
use crate::domain::events::GoodsFacts;
use crate::domain::newest::{Newest, Told};
use crate::domain::pages::{LIMIT_MAX, Pages};
use crate::domain::time::Time;

/// The goods by their ids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalogue {
    goods: Newest<GoodsFacts>,
}

/// Asks for some of the goods.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Browse {
    /// Which of those that are found.
    #[serde(default)]
    pub pages: Pages,
    /// Those with one of these ids; all if there are none.
    #[serde(default)]
    pub ids: Vec<String>,
    /// Those of this category; of all if there is none.
    #[serde(default)]
    pub category_id: Option<String>,
    /// Part of their name, whatever its case.
    #[serde(default)]
    pub name: String,
    /// Those that are not for sale, too.
    #[serde(default)]
    pub hidden: bool,
    /// The ids of the categories in the order in which they are shown; others come after them.
    #[serde(default)]
    pub order: Vec<String>,
}

/// Some of the goods.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Browsed {
    /// Them, by category and name.
    pub goods: Vec<GoodsFacts>,
    /// How many there are on all pages.
    pub total: u64,
}

impl Told for GoodsFacts {
    fn id(&self) -> &str {
        &self.id
    }

    fn version(&self) -> u64 {
        self.version
    }
}

impl Catalogue {
    /// A list of what was told before.
    #[must_use]
    pub fn new(goods: impl IntoIterator<Item = GoodsFacts>) -> Self {
        Self { goods: goods.into_iter().collect() }
    }

    /// Takes note of what goods tell; whether that is news.
    pub fn put(&mut self, facts: &GoodsFacts) -> bool {
        self.goods.put(facts)
    }

    /// Some of the goods, at the prices of now.
    ///
    /// # Errors
    /// `invalid`.
    pub fn browse(&self, query: &Browse, now: Time) -> Result<Browsed, Refusal> {
        let range = query.pages.range()?;
        if query.ids.len() > LIMIT_MAX as usize {
            let ids = query.ids.len();
            let message = format!("ids must be at most {LIMIT_MAX}, not {ids}");
            return Err(Refusal::invalid(message).at("ids"));
        }
        let name = query.name.to_lowercase();
        let is_found = |facts: &&GoodsFacts| {
            !facts.deleted
                && (facts.shelf || query.hidden)
                && (query.ids.is_empty() || query.ids.contains(&facts.id))
                && query.category_id.as_ref().is_none_or(|id| *id == facts.category_id)
                && facts.name.to_lowercase().contains(&name)
        };
        let mut found: Vec<&GoodsFacts> = self.goods.all().filter(is_found).collect();
        let place = |category: &String| {
            query.order.iter().position(|id| id == category).unwrap_or(query.order.len())
        };
        found.sort_by_cached_key(|facts| {
            let name = facts.name.to_lowercase();
            (place(&facts.category_id), &facts.category_id, name, &facts.id)
        });
        let goods = found.iter().skip(range.start).take(range.len());
        let goods = goods.map(|facts| (*facts).clone().at(now)).collect();
        Ok(Browsed { goods, total: found.len() as u64 })
    }
}

impl GoodsFacts {
    /// The same later: a sale that has ended meanwhile is over.
    fn at(mut self, now: Time) -> Self {
        if let Some(ends_at) = self.sale_ends_at
            && ends_at <= now
        {
            self.price_cents = self.old_price_cents.take().unwrap_or(self.price_cents);
            self.sale_ends_at = None;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(id: &str, version: u64) -> GoodsFacts {
        GoodsFacts {
            id: id.into(),
            category_id: "hot".into(),
            name: format!("Noble {id}"),
            shelf: true,
            price_cents: 700,
            version,
            ..GoodsFacts::default()
        }
    }

    fn ids(catalogue: &Catalogue, query: &Browse) -> (Vec<String>, u64) {
        let browsed = catalogue.browse(query, Time::default()).unwrap();
        (browsed.goods.into_iter().map(|facts| facts.id).collect(), browsed.total)
    }

    #[test]
    fn what_comes_late_or_again_changes_nothing() {
        let mut catalogue = Catalogue::default();
        let gone = GoodsFacts { deleted: true, ..facts("soup", 3) };
        for (told, is_news) in [
            (facts("soup", 2), true),
            (facts("soup", 2), false),
            (gone, true),
            (facts("soup", 1), false),
        ] {
            assert_eq!(catalogue.put(&told), is_news, "{told:?}");
        }
        let all = Browse { hidden: true, ..Browse::default() };
        assert_eq!(ids(&catalogue, &all), (vec![], 0));
    }

    #[test]
    fn goods_are_found_by_a_part_of_their_name_page_by_page() {
        let hidden = GoodsFacts { shelf: false, ..facts("egg", 1) };
        let tart = GoodsFacts { category_id: "cold".into(), ..facts("tart", 1) };
        let catalogue = Catalogue::new([facts("soup", 1), facts("rice", 1), tart, hidden]);
        let page = |page, limit| Pages { page, limit };
        for (query, found, total) in [
            (Browse::default(), vec!["tart", "rice", "soup"], 3),
            (Browse { hidden: true, ..Browse::default() }, vec!["tart", "egg", "rice", "soup"], 4),
            (Browse { name: "BLE S".into(), ..Browse::default() }, vec!["soup"], 1),
            (
                Browse {
                    ids: vec!["rice".into(), "egg".into(), "none".into()],
                    ..Browse::default()
                },
                vec!["rice"],
                1,
            ),
            (Browse { category_id: Some("cold".into()), ..Browse::default() }, vec!["tart"], 1),
            (Browse { pages: page(2, 2), ..Browse::default() }, vec!["soup"], 3),
            (Browse { pages: page(3, 2), ..Browse::default() }, vec![], 3),
            (
                Browse { order: vec!["hot".into()], ..Browse::default() },
                vec!["rice", "soup", "tart"],
                3,
            ),
        ] {
            let found: Vec<String> = found.into_iter().map(str::to_owned).collect();
            assert_eq!(ids(&catalogue, &query), (found, total), "{query:?}");
        }
    }

    #[test]
    fn a_sale_that_has_ended_is_over_though_nobody_has_told() {
        let end = Time::from_millis(1_000);
        let sale =
            GoodsFacts { old_price_cents: Some(900), sale_ends_at: Some(end), ..facts("soup", 1) };
        let catalogue = Catalogue::new([sale]);
        for (millis, price, old) in [(999, 700, Some(900)), (1_000, 900, None)] {
            let browsed = catalogue.browse(&Browse::default(), Time::from_millis(millis)).unwrap();
            let facts = &browsed.goods[0];
            assert_eq!((facts.price_cents, facts.old_price_cents), (price, old));
        }
    }
}
