//! The goods that the shop opens with: Harbour Kitchen's four categories.
//!
//! Each is created under a fixed id and a fixed command id, so opening the shop
//! again changes nothing: goods that are there stay as they are, sold or renamed.

use std::time::Duration;

use odeon_sdk::{Client, Error, Result};

use crate::domain::answer::Reason;
use crate::domain::categories;
use crate::domain::goods::commands::Create;
use crate::domain::handlers;
use crate::{CategoryActor, GoodsActor, register};

/// Units of each kind that the shop opens with.
pub const STOCK: u32 = 100;

/// How long one kind of goods may take to create; then it is tried again.
const CREATE_TIMEOUT: Duration = Duration::from_secs(10);

/// The categories, in the order in which they are shown: id, name.
pub const CATEGORIES: [(&str, &str); 4] = [
    ("hot", "Hot dishes"),
    ("cold", "Cold dishes"),
    ("snacks", "Snacks"),
    ("porridge", "Porridge"),
];

/// The goods: id, category, name, price in cents, description.
pub const GOODS: [(&str, &str, &str, u64, &str); 13] = [
    ("beef-noodles", "hot", "Beef noodles", 1_700, "Hand-pulled, in a broth of eight hours"),
    ("ginger-fish", "hot", "Ginger fish", 1_600, "The catch of the morning, steamed"),
    ("harbour-rice", "hot", "Harbour fried rice", 1_200, "With prawns, egg and spring onion"),
    ("cucumber", "cold", "Smashed cucumber", 600, "Garlic, vinegar and a little sugar"),
    ("sesame-tofu", "cold", "Sesame tofu", 800, "Silken, under dark sesame sauce"),
    ("pancake", "snacks", "Scallion pancake", 1_000, "Crisp outside, layered inside"),
    ("spring-roll", "snacks", "Spring rolls", 900, "Four of them, with plum sauce"),
    ("dumplings", "snacks", "Pork dumplings", 1_100, "A dozen, boiled or fried"),
    ("egg-tart", "snacks", "Egg tart", 500, "Warm from the oven"),
    ("plain-porridge", "porridge", "Plain porridge", 400, "Rice, water and time"),
    ("red-bean", "porridge", "Red bean porridge", 1_200, "Sweet, with dried orange peel"),
    ("pumpkin", "porridge", "Pumpkin porridge", 700, "Mild and golden"),
    ("century-egg", "porridge", "Century egg porridge", 1_300, "With lean pork and ginger"),
];

/// Creates the goods that are not there yet.
///
/// # Errors
/// When one of them cannot be created now. Those before it are; run it again.
pub async fn seed(client: &Client) -> Result<()> {
    let client = client.clone().with_timeout(CREATE_TIMEOUT);
    for (id, category_id, name, price_cents, description) in GOODS {
        let command = Create {
            cmd_id: "seed".to_owned(),
            category_id: category_id.to_owned(),
            name: name.to_owned(),
            image: format!("{id}.svg"),
            description: description.to_owned(),
            price_cents,
            stock: STOCK,
            shelf: true,
        };
        match client.actor::<GoodsActor>(id)?.create(command).await?.0 {
            Err(refusal) if refusal.reason != Reason::Duplicate => {
                return Err(Error::failed(format!("{id}: {refusal}")));
            }
            Ok(_) | Err(_) => enrol(&client, id).await?,
        }
    }
    Ok(())
}

/// Sees to it that goods have their name and their category, as they are now.
async fn enrol(client: &Client, goods_id: &str) -> Result<()> {
    let Some(meta) = register::known(client, goods_id).await? else { return Ok(()) };
    let mut categories = CATEGORIES.iter().zip(0..);
    if let Some(((id, name), sort)) = categories.find(|(one, _)| one.0 == meta.category_id) {
        let command = categories::Create {
            cmd_id: format!("seed-{id}"),
            id: (*id).to_owned(),
            category_name: (*name).to_owned(),
            sort,
        };
        // There already, or others are called so by now: the goods stay where they are.
        drop(client.actor::<CategoryActor>(handlers::CATEGORIES)?.create(command).await?);
    }
    register::enter(client, goods_id, &meta.category_id).await?;
    drop(register::claim(client, &meta.name, goods_id).await?);
    Ok(())
}
