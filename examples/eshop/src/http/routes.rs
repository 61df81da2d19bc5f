//! Every path of the services, who may ask there, and who answers.
//!
//! Paths are `/{service}/{group}/{method}`, in lower case; some are spelt oddly, and clients
//! rely on that.

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::desk::{Ask, Desk};
use super::reply::Outcome;
use super::{basket, catalogue, categories, goods, listed, logistics, orders, payments, sales};

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// Anybody.
    Anyone,
    /// Who has an account, or a guest's name.
    Guest,
    /// Who has an account.
    Buyer,
    /// Who belongs to the shop.
    Staff,
}

/// What answers.
type Run = for<'a> fn(&'a Desk, Ask) -> BoxFuture<'a, Outcome>;

/// One path.
#[derive(Debug, Clone, Copy)]
pub(super) struct Route {
    pub(super) path: &'static str,
    pub(super) level: Level,
    pub(super) run: Run,
}

macro_rules! routes {
    ($($path:literal $level:ident $run:path;)*) => {
        &[$(Route { path: $path, level: Level::$level, run: |desk, ask| $run(desk, ask).boxed() }),*]
    };
}

/// All of them.
pub(super) const ROUTES: &[Route] = routes! {
    "/goodsservice/goodsquery/getgoods" Anyone goods::get;
    "/goodsservice/goodsquery/getesgoods" Anyone catalogue::shelf;
    "/goodsservice/goodsquery/getgoodslistbygoodsname" Anyone catalogue::by_name;
    "/goodsservice/goodsquery/getgoodslistbyids" Staff catalogue::by_ids;
    "/goodsservice/goodsquery/getgoodslist" Staff catalogue::all;
    "/goodsservice/goodsusecase/creategoods" Staff goods::create;
    "/goodsservice/goodsusecase/updategoods" Staff goods::update;
    "/goodsservice/goodsusecase/upordownshelfgoods" Staff goods::shelve;
    "/goodsservice/goodsusecase/deletegoods" Staff goods::delete;
    "/goodsservice/goodsusecase/updategoodsstock" Staff goods::set_stock;
    "/goodsservice/goodsusecase/deductiongoodsstock" Staff goods::deduct;
    "/goodsservice/categoryquery/getallcategorylist" Anyone categories::all;
    "/goodsservice/categoryquery/getcategorylist" Staff categories::some;
    "/goodsservice/categoryusecase/createcategory" Staff categories::create;
    "/goodsservice/categoryusecase/updatecategory" Staff categories::update;
    "/goodsservice/categoryusecase/deletecategory" Staff categories::delete;
    "/goodsservice/activitiquery/getlimitedtimeactivitie" Anyone sales::get;
    "/goodsservice/activitiquery/getlimitedtimeactivitielist" Staff sales::list;
    "/goodsservice/activitiusecase/createlimitedtimeactivitie" Staff sales::create;
    "/goodsservice/activitiusecase/updatelimitedtimeactivitie" Staff sales::update;
    "/goodsservice/activitiusecase/deletelimitedtimeactivitie" Staff sales::delete;
    "/goodsservice/activitiusecase/upordownshelfactivitie" Staff sales::shelve;
    "/basketservice/basket/get" Guest basket::get;
    "/basketservice/basket/setitem" Guest basket::set_item;
    "/basketservice/basket/add" Guest basket::add;
    "/basketservice/basket/clear" Guest basket::clear;
    "/basketservice/basket/merge" Buyer basket::merge;
    "/basketservice/basket/checkout" Buyer basket::check_out;
    "/tradeservice/orderusecase/createorder" Buyer orders::create;
    "/tradeservice/orderusecase/createorderbysaga" Buyer orders::create_later;
    "/tradeservice/orderusecase/orderpay" Buyer orders::pay;
    "/tradeservice/orderusecase/ordercancel" Buyer orders::cancel;
    "/tradeservice/orderquery/getcheckout" Buyer orders::get_checkout;
    "/tradeservice/orderquery/getorder" Buyer orders::get;
    "/tradeservice/orderquery/getordersellcountbygoodsid" Staff goods::sold;
    "/tradeservice/orderquery/myorders" Buyer listed::mine;
    "/tradeservice/orderquery/getorderlist" Staff listed::all;
    "/tradeservice/logisticsquery/getlogisticslist" Staff listed::parcels;
    "/tradeservice/tradelogquery/gettradeloglistbyorderid" Buyer orders::log;
    "/tradeservice/logisticsusecase/deliver" Staff logistics::deliver;
    "/tradeservice/logisticsusecase/receive" Buyer logistics::receive;
    "/paymentservice/paymentquery/getpayment" Staff payments::get;
};

/// What answers under this path.
pub(super) fn find(path: &str) -> Option<&'static Route> {
    ROUTES.iter().find(|route| route.path.eq_ignore_ascii_case(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readme_lists_every_path_and_who_may_ask_there() {
        let told = ROUTES.iter().map(|route| {
            let who = match route.level {
                Level::Anyone => "anybody",
                Level::Guest => "a guest or a buyer",
                Level::Buyer => "a buyer",
                Level::Staff => "the staff",
            };
            format!("| `{}` | {who} |", route.path)
        });
        let readme = include_str!("../../README.md");
        let lines = readme.lines().filter(|line| line.starts_with("| `/")).map(str::to_owned);
        assert_eq!(lines.collect::<Vec<_>>(), told.collect::<Vec<_>>());
    }
}
