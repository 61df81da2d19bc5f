//! The shop's actors: the values of `domain`, each with a place to live.
//!
//! All read their state when they are activated, let the domain decide, and set what
//! has changed; the runtime keeps it in one transaction before the answer leaves, with the
//! reminders that it needs and the calls that follow from it (`post`). Only checkouts and
//! sales wait for others, and none of those waits for anybody, so no two wait for each other.

mod basket;
mod catalog_index;
mod category;
mod checkout;
mod flash_sale;
mod goods;
mod goods_name;
mod kept;
mod order;
mod order_index;
mod payment;
mod post;
mod sale_index;

pub use basket::{BasketActor, BasketActorClient};
pub use catalog_index::{CatalogIndexActor, CatalogIndexActorClient};
pub use category::{CategoryActor, CategoryActorClient};
pub use checkout::{CheckoutActor, CheckoutActorClient};
pub use flash_sale::{FlashSaleActor, FlashSaleActorClient};
pub use goods::{GoodsActor, GoodsActorClient};
pub use goods_name::{GoodsNameActor, GoodsNameActorClient};
pub use order::{OrderActor, OrderActorClient};
pub use order_index::{OrderIndexActor, OrderIndexActorClient};
pub use payment::{PaymentActor, PaymentActorClient};
pub use sale_index::{SaleIndexActor, SaleIndexActorClient};
