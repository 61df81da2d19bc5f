//! What can be asked of goods, and what comes back: the wire of `GoodsActor`.
//!
//! Reservations have their own in `reservation/commands.rs`. A field that a command
//! does not know is refused by name, so a slip of the pen is not silently ignored.

use serde::{Deserialize, Serialize};

use crate::domain::goods::{Meta, Stock};
use crate::domain::sale::Sale;
use crate::domain::time::Time;

/// Creates goods.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Create {
    /// The command's id.
    pub cmd_id: String,
    /// The id of the category.
    pub category_id: String,
    /// The name.
    pub name: String,
    /// Where the picture is.
    #[serde(default)]
    pub image: String,
    /// What there is to say.
    #[serde(default)]
    pub description: String,
    /// The price of one, in cents.
    pub price_cents: u64,
    /// Units in the house.
    pub stock: u32,
    /// Whether they are for sale at once.
    #[serde(default)]
    pub shelf: bool,
}

/// Changes what is said about goods; what is left out stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateMeta {
    /// The command's id.
    pub cmd_id: String,
    /// The id of the category.
    pub category_id: Option<String>,
    /// The name.
    pub name: Option<String>,
    /// Where the picture is.
    pub image: Option<String>,
    /// What there is to say.
    pub description: Option<String>,
    /// The price of one, in cents. Reservations keep the price they were made at.
    pub price_cents: Option<u64>,
}

/// Tells goods what their category is called.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Classify {
    /// The id of the category.
    pub category_id: String,
    /// Its name.
    pub category_name: String,
}

/// Asks how many were sold since the beginning of a day in UTC; no further back than the sales
/// of each day are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SoldSince {
    /// A time on that day.
    pub since: Time,
}

/// How many were sold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sold {
    /// Units, without those that came back.
    pub count: u32,
}

/// Puts goods on the shelf or takes them off.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetShelf {
    /// The command's id.
    pub cmd_id: String,
    /// Whether they are for sale.
    pub shelf: bool,
}

/// Says how many units are in the house.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetStock {
    /// The command's id.
    pub cmd_id: String,
    /// The new number.
    pub on_hand: u32,
}

/// Takes units out of the house that nobody bought: they are spoilt, or lost.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Deduct {
    /// The command's id.
    pub cmd_id: String,
    /// How many.
    pub count: u32,
}

/// Deletes goods.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Delete {
    /// The command's id.
    pub cmd_id: String,
}

/// Asks for the price.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Quote {
    /// Who asks.
    pub buyer_id: String,
}

/// What changed: the answer of commands about the description.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Changed {
    /// The id of the goods.
    pub goods_id: String,
    /// The version of the description now.
    pub version: u64,
}

/// How many there are, as the outside sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StockView {
    /// Units that an order can still have.
    pub available: u32,
    /// The rest.
    #[serde(flatten)]
    pub stock: Stock,
}

/// The goods, as the outside sees them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct View {
    /// What they are.
    #[serde(flatten)]
    pub meta: Meta,
    /// How many there are.
    pub stock: StockView,
    /// The sale that they are in, be it running or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sale: Option<Sale>,
    /// How many were sold within a month.
    pub sell_count: u32,
}

/// The price and how many one order may have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Quoted {
    /// The id of the goods.
    pub goods_id: String,
    /// The price of one, in cents.
    pub price_cents: u64,
    /// Units that an order can still have.
    pub available: u32,
    /// Most units in one order now, at this price; 0 when they are not for sale.
    pub count_max: u32,
    /// Whether they are not for sale at all.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub off_shelf: bool,
    /// The price of one without the sale, in cents, if this is the sale's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original_price_cents: Option<u64>,
    /// When the sale ends, if this is its price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sale_ends_at: Option<Time>,
}
