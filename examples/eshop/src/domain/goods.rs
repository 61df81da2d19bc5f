//! One kind of goods: what it is, what it costs, how many there are.
//!
//! Nobody else writes stock: two writers would overwrite each other. What is held
//! for whom is in `reservation.rs`, what one costs in `selling.rs`, what can be asked in
//! `commands.rs`; this file has the description and the count.
//! Invariant: `held <= on_hand <= 100_000`, after every command.

pub mod commands;
pub mod selling;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::commands::{
    Changed, Classify, Create, Deduct, SetShelf, SetStock, Sold, SoldSince, StockView, UpdateMeta,
    View,
};
use crate::domain::answer::{Reason, Refusal};
use crate::domain::categories;
use crate::domain::checks::{self, TEXT_CHARS_MAX};
use crate::domain::days::Days;
use crate::domain::effects::{Effect, Reminder};
use crate::domain::events::{Event, GoodsFacts, StockLow};
use crate::domain::sale::Sale;
use crate::domain::time::Time;

/// Most units of one kind of goods.
pub const ON_HAND_MAX: u32 = 100_000;
/// Longest name of goods, in characters.
pub const NAME_CHARS_MAX: usize = 20;
/// Fewer than this are few.
pub const FEW: u32 = 10;
/// How often it is looked for units that are held for too long.
pub const LOOK_AFTER_HOLDS: Duration = Duration::from_secs(60);

/// One kind of goods.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Goods {
    /// What it is; `None` until it has been created.
    pub meta: Option<Meta>,
    /// How many there are.
    pub stock: Stock,
    /// The sale that they are in.
    pub sale: Option<Sale>,
    /// How many were sold lately.
    pub days: Days,
}

/// Where goods stood before a command, to see what it has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The version of the description.
    pub meta: u64,
    /// The version of the count.
    pub stock: u64,
    /// Units in the house.
    pub on_hand: u32,
    /// Units promised.
    pub held: u32,
    /// Units sold.
    pub sold_total: u64,
    /// Units sold or held in the sale, if there is one.
    pub in_sale: Option<u32>,
}

/// What the goods are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Meta {
    /// The id of the goods.
    pub goods_id: String,
    /// The id of their category.
    pub category_id: String,
    /// What that is called.
    #[serde(default)]
    pub category_name: String,
    /// What they are called.
    pub name: String,
    /// Where their picture is.
    pub image: String,
    /// What there is to say about them.
    pub description: String,
    /// The price of one, in cents.
    pub price_cents: u64,
    /// Whether they are for sale.
    pub shelf: bool,
    /// Whether they have been deleted; the id is not used again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
    /// Counts the changes, those of the sale among them.
    pub version: u64,
}

/// How many there are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stock {
    /// Units in the house.
    pub on_hand: u32,
    /// Of these, promised to orders.
    pub held: u32,
    /// Units sold and not returned, ever.
    pub sold_total: u64,
    /// Counts the changes.
    pub version: u64,
}

impl Stock {
    /// Units that are not promised to anybody.
    #[must_use]
    pub fn available(&self) -> u32 {
        self.on_hand - self.held
    }

    /// How many there are, as the outside sees it.
    #[must_use]
    pub fn view(&self) -> StockView {
        StockView { available: self.available(), stock: self.clone() }
    }
}

impl Goods {
    /// Creates them.
    ///
    /// # Errors
    /// `invalid`; `duplicate` when the id is or was in use.
    pub fn create(&mut self, goods_id: &str, command: &Create) -> Result<Changed, Refusal> {
        checks::id("goodsId", goods_id)?;
        on_hand(command.stock)?;
        if self.meta.is_some() {
            return Err(Refusal::new(Reason::Duplicate, format!("goods {goods_id} exist already")));
        }
        let meta = Meta {
            goods_id: goods_id.to_owned(),
            category_id: command.category_id.clone(),
            category_name: String::new(),
            name: command.name.clone(),
            image: command.image.clone(),
            description: command.description.clone(),
            price_cents: command.price_cents,
            shelf: command.shelf,
            deleted: false,
            version: 0,
        };
        let changed = self.put(meta)?;
        self.stock = Stock { on_hand: command.stock, version: 1, ..Stock::default() };
        Ok(changed)
    }

    /// Changes what is said about them.
    ///
    /// # Errors
    /// `invalid`, `not_found`.
    pub fn update_meta(&mut self, command: &UpdateMeta) -> Result<Changed, Refusal> {
        let mut meta = self.meta()?.clone();
        if command.category_id.as_ref().is_some_and(|id| *id != meta.category_id) {
            meta.category_name.clear();
        }
        let texts = [
            (&mut meta.category_id, &command.category_id),
            (&mut meta.name, &command.name),
            (&mut meta.image, &command.image),
            (&mut meta.description, &command.description),
        ];
        for (field, new) in texts {
            if let Some(new) = new {
                field.clone_from(new);
            }
        }
        meta.price_cents = command.price_cents.unwrap_or(meta.price_cents);
        self.put(meta)
    }

    /// Notes what their category is called; nothing about another one, where they may have
    /// been before.
    ///
    /// # Errors
    /// `invalid`, `not_found`.
    pub fn classify(&mut self, command: &Classify) -> Result<Changed, Refusal> {
        let meta = self.meta()?.clone();
        if meta.category_id != command.category_id || meta.category_name == command.category_name {
            return Ok(Changed { goods_id: meta.goods_id, version: meta.version });
        }
        checks::name("categoryName", &command.category_name, categories::NAME_CHARS_MAX)?;
        self.put(Meta { category_name: command.category_name.clone(), ..meta })
    }

    /// Puts them on the shelf or takes them off; what is held stays held.
    ///
    /// # Errors
    /// `not_found`.
    pub fn set_shelf(&mut self, command: &SetShelf) -> Result<Changed, Refusal> {
        let meta = self.meta()?.clone();
        self.put(Meta { shelf: command.shelf, ..meta })
    }

    /// Says how many are in the house.
    ///
    /// # Errors
    /// `invalid`, `not_found`; `conflict` when more than that are promised to orders.
    pub fn set_stock(&mut self, command: &SetStock) -> Result<StockView, Refusal> {
        self.meta()?;
        on_hand(command.on_hand)?;
        let held = self.stock.held;
        if command.on_hand < held {
            let message = format!("{held} are promised to orders");
            return Err(Refusal::new(Reason::Conflict, message));
        }
        self.stock.on_hand = command.on_hand;
        self.stock.version += 1;
        Ok(self.stock.view())
    }

    /// Takes units out of the house that nobody bought.
    ///
    /// # Errors
    /// `invalid`, `not_found`; `conflict` when fewer would be left than are promised.
    pub fn deduct(&mut self, command: &Deduct) -> Result<StockView, Refusal> {
        self.meta()?;
        if command.count == 0 {
            return Err(Refusal::invalid("count must be at least 1, not 0").at("count"));
        }
        let available = self.stock.available();
        if command.count > available {
            let message = format!("only {available} are neither gone nor promised to orders");
            return Err(Refusal::new(Reason::Conflict, message));
        }
        self.stock.on_hand -= command.count;
        self.stock.version += 1;
        Ok(self.stock.view())
    }

    /// Deletes them.
    ///
    /// # Errors
    /// `not_found`; `conflict` while they are for sale or promised to orders.
    pub fn delete(&mut self) -> Result<Changed, Refusal> {
        let meta = self.meta()?.clone();
        if meta.shelf || self.stock.held > 0 {
            let message = "take the goods off the shelf and wait until none are held";
            return Err(Refusal::new(Reason::Conflict, message));
        }
        self.put(Meta { deleted: true, ..meta })
    }

    /// The goods, as the outside sees them.
    ///
    /// # Errors
    /// `not_found`.
    pub fn view(&self, now: Time) -> Result<View, Refusal> {
        Ok(View {
            meta: self.meta()?.clone(),
            stock: self.stock.view(),
            sale: self.sale.clone(),
            sell_count: self.days.sum(now),
        })
    }

    /// How many were sold lately.
    ///
    /// # Errors
    /// `not_found`.
    pub fn sold(&self, query: SoldSince, now: Time) -> Result<Sold, Refusal> {
        self.meta()?;
        Ok(Sold { count: self.days.since(query.since, now) })
    }

    /// Where they stand.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark {
            meta: self.meta.as_ref().map_or(0, |meta| meta.version),
            stock: self.stock.version,
            on_hand: self.stock.on_hand,
            held: self.stock.held,
            sold_total: self.stock.sold_total,
            in_sale: self.sale.as_ref().map(|sale| sale.sold),
        }
    }

    /// What is to be done about what has changed since then.
    #[must_use]
    pub fn effects(&self, since: Mark, now: Time) -> Vec<Effect> {
        let after = self.mark();
        let mut effects = Vec::new();
        if after.held > 0 && since.held == 0 {
            effects.push(Effect::Remind(Reminder::Holds, now.after(LOOK_AFTER_HOLDS)));
        } else if after.held == 0 && since.held > 0 {
            effects.push(Effect::Forget(Reminder::Holds));
        }
        // What a reservation changes is not told: it may be undone, and there are many.
        if after.meta != since.meta || after.on_hand != since.on_hand {
            effects.extend(self.facts(now).map(Event::GoodsChanged).map(Effect::Publish));
        }
        effects
    }

    /// What is to be told while the goods are asked for: that few are left.
    #[must_use]
    pub fn hot(&self) -> Option<Event> {
        let (meta, available) = (self.meta().ok()?, self.stock.available());
        let goods_id = meta.goods_id.clone();
        self.is_hot().then_some(Event::GoodsStockLow(StockLow { goods_id, available }))
    }

    /// Whether few are left of what is in the house.
    #[must_use]
    pub fn is_hot(&self) -> bool {
        self.stock.on_hand > 0 && self.stock.available() < FEW
    }

    /// The goods, as a catalogue shows them.
    fn facts(&self, now: Time) -> Option<GoodsFacts> {
        let meta = self.meta.as_ref()?;
        let sale = self.sale_at(now);
        Some(GoodsFacts {
            id: meta.goods_id.clone(),
            deleted: meta.deleted,
            category_id: meta.category_id.clone(),
            name: meta.name.clone(),
            image: meta.image.clone(),
            description: meta.description.clone(),
            shelf: meta.shelf,
            price_cents: sale.map_or(meta.price_cents, |sale| sale.price_cents),
            old_price_cents: sale.map(|_| meta.price_cents),
            sale_ends_at: sale.map(|sale| sale.end_at),
            available: self.stock.available(),
            sell_count: self.days.sum(now),
            version: meta.version + self.stock.version,
        })
    }

    /// What they are.
    ///
    /// # Errors
    /// `not_found` before they are created and after they are deleted.
    pub fn meta(&self) -> Result<&Meta, Refusal> {
        let meta = self.meta.as_ref().filter(|meta| !meta.deleted);
        meta.ok_or_else(|| Refusal::new(Reason::NotFound, "there are no such goods"))
    }

    fn put(&mut self, meta: Meta) -> Result<Changed, Refusal> {
        checks::id("categoryId", &meta.category_id)?;
        checks::name("name", &meta.name, NAME_CHARS_MAX)?;
        checks::text("image", &meta.image, TEXT_CHARS_MAX)?;
        checks::text("description", &meta.description, TEXT_CHARS_MAX)?;
        checks::price(meta.price_cents)?;
        let meta = self.meta.insert(Meta { version: meta.version + 1, ..meta });
        Ok(Changed { goods_id: meta.goods_id.clone(), version: meta.version })
    }
}

fn on_hand(value: u32) -> Result<(), Refusal> {
    if value <= ON_HAND_MAX {
        return Ok(());
    }
    let message = format!("stock must be at most {ON_HAND_MAX}, not {value}");
    Err(Refusal::invalid(message).at("stock"))
}
