//! A checkout: the way from a basket, or a list of goods, to an order.
//!
//! Several actors take part and any of them may be away, so each step is asked for until
//! it is answered, and what was reserved is given back when a later step is refused.
//! All that is asked for may be repeated: who was asked before answers the same.
//!
//! Begin -> Reserve -> Create -> Complete -> Done, or from any of them on a refusal
//! Reject -> Release -> Abort -> Done. The order is rejected before the units are given
//! back: an order that was created by a request whose answer got lost refuses that, and
//! keeps its units; and once it is rejected, no request that comes late creates it.
//! Invariant: a line is released unless its goods will refuse it for ever.

pub mod commands;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::commands::{Command, Reply, Source, Standing, StandingLine, Start, StartLine};
use crate::domain::answer::{Reason, Refusal};
use crate::domain::checkout::{Begin, End};
use crate::domain::checks::{self, LINES_MAX};
use crate::domain::effects::{Effect, Reminder};
use crate::domain::ids;
use crate::domain::order::{self, Consignee, PAY_WITHIN, PERSON_CHARS_MAX, Placed};
use crate::domain::reservation::commands::{OfOrder, Offer, Reserve};
use crate::domain::reservation::{HOLD, is_kept};
use crate::domain::time::Time;

/// How many goods are asked at once.
pub const AT_ONCE: usize = 4;

/// A checkout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Saga {
    /// The order that it is for.
    pub order_id: String,
    /// The buyer's request.
    pub request_id: String,
    /// Who orders.
    pub buyer_id: String,
    /// The name of who orders.
    pub buyer_name: String,
    /// Where the lines come from.
    pub source: Source,
    /// Who gets it.
    pub consignee: Consignee,
    /// What it must cost, in cents, if the buyer said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expect_total_cents: Option<u64>,
    /// Until when it can be paid.
    pub pay_before: Time,
    /// What it does next.
    pub step: Step,
    /// What to order.
    pub lines: Vec<SagaLine>,
    /// The order, once it is placed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub placed: Option<Placed>,
    /// Why it is undone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
    /// How it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<Outcome>,
}

/// What a checkout does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Step {
    /// Takes the lines from the basket.
    Begin,
    /// Reserves the goods.
    Reserve,
    /// Places the order.
    Create,
    /// Takes what was ordered out of the basket.
    Complete,
    /// Records that the order did not come about.
    Reject,
    /// Gives the goods back.
    Release,
    /// Leaves the basket as it is.
    Abort,
    /// Nothing.
    Done,
}

/// How a checkout ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// There is an order.
    Created,
    /// There is none.
    Refused,
}

/// A line of what to order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SagaLine {
    /// What was asked for.
    #[serde(flatten)]
    pub wanted: StartLine,
    /// What has become of it.
    pub status: LineStatus,
    /// The price of one, in cents; 0 while it is not known.
    pub unit_price_cents: u64,
    /// What was offered.
    #[serde(flatten)]
    pub offer: Option<Offer>,
}

/// What has become of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LineStatus {
    /// Not known: it may have been asked for.
    Waiting,
    /// Its units are reserved.
    Reserved,
    /// It was refused.
    Refused,
    /// Its units are given back, and will not be reserved any more.
    Released,
}

impl Saga {
    /// Starts a checkout, and says where it stands if it was started before.
    ///
    /// # Errors
    /// `invalid`.
    pub fn start(
        slot: &mut Option<Self>,
        order_id: &str,
        command: &Start,
        now: Time,
        effects: &mut Vec<Effect>,
    ) -> Result<Standing, Refusal> {
        if let Some(saga) = slot {
            return Ok(saga.standing());
        }
        check(order_id, command)?;
        let pay_before = pay_before(command, now)?;
        let lines = merged(&command.items)?;
        let step = match command.source {
            Source::Basket if lines.is_empty() => Step::Begin,
            Source::Basket => {
                return Err(
                    Refusal::invalid("items must be empty for a basket's checkout").at("items")
                );
            }
            Source::Direct if lines.is_empty() || lines.len() > LINES_MAX => {
                let message = format!("items must be 1 to {LINES_MAX}, not {}", lines.len());
                return Err(Refusal::invalid(message).at("items"));
            }
            Source::Direct => Step::Reserve,
        };
        effects.push(Effect::Remind(Reminder::Drive, now));
        let saga = slot.insert(Self {
            order_id: order_id.to_owned(),
            request_id: command.request_id.clone(),
            buyer_id: command.buyer_id.clone(),
            buyer_name: command.buyer_name.clone(),
            source: command.source,
            consignee: command.consignee.clone(),
            expect_total_cents: command.expect_total_cents,
            pay_before,
            step,
            lines,
            placed: None,
            refusal: None,
            result: None,
        });
        Ok(saga.standing())
    }

    /// What is to be asked now; all of it at once, nothing once it is done.
    #[must_use]
    pub fn next(&self) -> Vec<Command> {
        let end = || End { order_id: self.order_id.clone() };
        let buyer_id = || self.buyer_id.clone();
        match self.step {
            Step::Begin => {
                let begin = Begin { request_id: self.request_id.clone() };
                vec![Command::Begin(buyer_id(), begin)]
            }
            Step::Reserve => {
                let waiting = self.lines.iter().filter(|one| one.status == LineStatus::Waiting);
                waiting.take(AT_ONCE).map(|line| self.reserve(line)).collect()
            }
            Step::Create => vec![Command::Create(self.create())],
            Step::Complete => vec![Command::Complete(buyer_id(), end())],
            Step::Reject => vec![Command::Reject(order::Reject {
                user_id: buyer_id(),
                user_name: self.buyer_name.clone(),
                reason: self.refusal.as_ref().map_or_else(String::new, ToString::to_string),
            })],
            Step::Release => {
                let order_id = || self.order_id.clone();
                let release = |line: &SagaLine| {
                    Command::Release(line.wanted.goods_id.clone(), OfOrder { order_id: order_id() })
                };
                self.unreleased().take(AT_ONCE).map(release).collect()
            }
            Step::Abort => vec![Command::Abort(buyer_id(), end())],
            Step::Done => Vec::new(),
        }
    }

    /// Takes an answer. One that comes late, or again, changes nothing.
    pub fn take(&mut self, command: &Command, reply: Reply, now: Time, effects: &mut Vec<Effect>) {
        let before = self.step;
        match (self.step, command, reply) {
            (_, _, Reply::Unknown) => {}
            (_, Command::Reserve(goods_id, _), reply) => self.reserved(goods_id, reply),
            (Step::Begin, Command::Begin(..), Reply::Begun(begun)) => {
                self.lines = begun.items.iter().map(SagaLine::of_basket).collect();
                self.step = Step::Reserve;
            }
            // No order to reject; but a beginning that is still on its way must not begin.
            (Step::Begin, Command::Begin(..), Reply::Refused(refusal)) => {
                self.refusal = Some(refusal);
                self.step = Step::Abort;
            }
            (Step::Create, Command::Create(_), Reply::Placed(placed)) => {
                self.placed = Some(placed);
                self.complete();
            }
            (Step::Create, Command::Create(_), Reply::Refused(refusal)) => {
                // An order of this id that is not this one stays as it is.
                let is_another = refusal.reason == Reason::Conflict;
                self.refusal = Some(refusal);
                self.step = if is_another { Step::Release } else { Step::Reject };
            }
            (Step::Complete, Command::Complete(..), Reply::Done | Reply::Refused(_)) => {
                self.end(Outcome::Created);
            }
            (Step::Reject, Command::Reject(_), Reply::Done) => self.step = Step::Release,
            // The order was created after all, by a request whose answer got lost.
            (
                Step::Reject,
                Command::Reject(_),
                Reply::Refused(Refusal { reason: Reason::WrongState, .. }),
            ) => {
                self.refusal = None;
                self.complete();
            }
            (Step::Reject, Command::Reject(_), Reply::Refused(_)) => self.step = Step::Release,
            (Step::Release, Command::Release(goods_id, _), Reply::Done | Reply::Refused(_)) => {
                self.set_status(goods_id, LineStatus::Released);
            }
            (Step::Abort, Command::Abort(..), Reply::Done | Reply::Refused(_)) => {
                self.end(Outcome::Refused);
            }
            (_, _, _) => {}
        }
        if self.step == Step::Release && self.unreleased().next().is_none() {
            match self.source {
                Source::Basket => self.step = Step::Abort,
                Source::Direct => self.end(Outcome::Refused),
            }
        }
        match (before, self.step) {
            (Step::Done, _) => {}
            (_, Step::Done) => effects.push(Effect::Forget(Reminder::Drive)),
            (Step::Begin, Step::Reserve) => effects.push(Effect::Remind(Reminder::Drive, now)),
            (_, _) => {}
        }
    }

    /// Where it stands.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let placed = self.placed.as_ref();
        let lines = self.lines.iter().map(|line| StandingLine {
            goods_id: line.wanted.goods_id.clone(),
            count: line.wanted.count,
            status: line.status,
            unit_price_cents: line.unit_price_cents,
        });
        Standing {
            order_id: self.order_id.clone(),
            step: self.step,
            result: self.result,
            refusal: self.refusal.clone(),
            order_no: placed.map(|placed| placed.order_no.clone()),
            total_cents: placed.map(|placed| placed.total_cents),
            pay_before: self.pay_before,
            lines: lines.collect(),
            buyer_id: self.buyer_id.clone(),
        }
    }

    /// The goods have answered: Reserve -> Create once all are reserved, Reserve ->
    /// Reject once one is not.
    fn reserved(&mut self, goods_id: &str, reply: Reply) {
        let line = self.lines.iter_mut().find(|line| line.wanted.goods_id == goods_id);
        let Some(line) = line.filter(|line| line.status == LineStatus::Waiting) else { return };
        match reply {
            Reply::Reserved(reserved) => {
                line.status = LineStatus::Reserved;
                line.unit_price_cents = reserved.unit_price_cents;
                line.offer = reserved.offer;
            }
            Reply::Refused(refusal) => {
                // What may become possible later has to be released like what is not known.
                if is_kept(refusal.reason) {
                    line.status = LineStatus::Refused;
                }
                self.refusal.get_or_insert(refusal);
            }
            Reply::Begun(_) | Reply::Placed(_) | Reply::Done | Reply::Unknown => return,
        }
        if self.step != Step::Reserve {
            return;
        }
        if self.refusal.is_some() {
            self.step = Step::Reject;
        } else if self.lines.iter().all(|line| line.status == LineStatus::Reserved) {
            let total_cents = order::placing::total_cents(&self.create().items);
            let expected = self.expect_total_cents.unwrap_or(total_cents);
            if expected == total_cents {
                self.step = Step::Create;
            } else {
                let message = format!("the total is {total_cents} cents now");
                self.refusal = Some(Refusal {
                    price_cents: Some(total_cents),
                    ..Refusal::new(Reason::PriceChanged, message)
                });
                self.step = Step::Reject;
            }
        }
    }

    fn complete(&mut self) {
        match self.source {
            Source::Basket => self.step = Step::Complete,
            Source::Direct => self.end(Outcome::Created),
        }
    }

    fn end(&mut self, result: Outcome) {
        self.step = Step::Done;
        self.result = Some(result);
    }

    fn set_status(&mut self, goods_id: &str, status: LineStatus) {
        let mut lines = self.lines.iter_mut();
        if let Some(line) = lines.find(|line| line.wanted.goods_id == goods_id) {
            line.status = status;
        }
    }

    /// The lines of which units may be, or yet become, reserved.
    fn unreleased(&self) -> impl Iterator<Item = &SagaLine> {
        let is_open = |status| matches!(status, LineStatus::Waiting | LineStatus::Reserved);
        self.lines.iter().filter(move |line| is_open(line.status))
    }

    fn reserve(&self, line: &SagaLine) -> Command {
        // Two minutes more than there is to pay: the last second's payment has to settle.
        let settled = HOLD.saturating_sub(PAY_WITHIN);
        let command = Reserve {
            order_id: self.order_id.clone(),
            buyer_id: self.buyer_id.clone(),
            count: line.wanted.count,
            expect_price_cents: line.wanted.expect_price_cents,
            expires_at: Some(self.pay_before.after(settled)),
        };
        Command::Reserve(line.wanted.goods_id.clone(), command)
    }

    fn create(&self) -> order::Create {
        let items = self.lines.iter().map(|line| {
            let offer = line.offer.clone().unwrap_or_else(|| Offer {
                goods_name: line.wanted.goods_id.clone(),
                ..Offer::default()
            });
            order::Line {
                goods_id: line.wanted.goods_id.clone(),
                goods_name: offer.goods_name,
                goods_image: offer.goods_image,
                category_name: offer.category_name,
                original_price_cents: offer.original_price_cents,
                price_cents: line.unit_price_cents,
                count: line.wanted.count,
            }
        });
        order::Create {
            user_id: self.buyer_id.clone(),
            user_name: self.buyer_name.clone(),
            items: items.collect(),
            consignee: self.consignee.clone(),
            pay_before: Some(self.pay_before),
        }
    }
}

impl SagaLine {
    fn new(wanted: StartLine) -> Self {
        Self { wanted, status: LineStatus::Waiting, unit_price_cents: 0, offer: None }
    }

    fn of_basket(item: &crate::domain::basket::Item) -> Self {
        let (goods_id, count) = (item.goods_id.clone(), item.count);
        Self::new(StartLine { goods_id, count, ..StartLine::default() })
    }
}

fn check(order_id: &str, command: &Start) -> Result<(), Refusal> {
    checks::id("requestId", &command.request_id)?;
    checks::id("buyerId", &command.buyer_id)?;
    if order_id != ids::order(&command.buyer_id, &command.request_id) {
        let message = "the order's id must be the one that follows from buyerId and requestId";
        return Err(Refusal::invalid(message));
    }
    checks::name("buyerName", &command.buyer_name, PERSON_CHARS_MAX)?;
    order::placing::check_consignee(&command.consignee)
}

/// Until when the order can be paid: its goods are nobody else's for so long.
fn pay_before(command: &Start, now: Time) -> Result<Time, Refusal> {
    let most = PAY_WITHIN.as_secs();
    let within = match command.pay_within_seconds {
        None => PAY_WITHIN,
        Some(seconds) if (1..=most).contains(&seconds.into()) => {
            Duration::from_secs(seconds.into())
        }
        Some(seconds) => {
            let message = format!("payWithinSeconds must be 1 to {most}, not {seconds}");
            return Err(Refusal::invalid(message).at("payWithinSeconds"));
        }
    };
    let before = command.pay_before.unwrap_or_else(|| now.after(within));
    if before <= now || before > now.after(PAY_WITHIN) {
        let message = format!("payBefore must be in the future, within {most} seconds");
        return Err(Refusal::invalid(message).at("payBefore"));
    }
    Ok(before)
}

/// One line for each kind of goods, in the order in which they are first named.
fn merged(items: &[StartLine]) -> Result<Vec<SagaLine>, Refusal> {
    let mut lines: Vec<SagaLine> = Vec::new();
    for item in items {
        checks::id("goodsId", &item.goods_id)?;
        checks::count(item.count)?;
        match lines.iter_mut().find(|line| line.wanted.goods_id == item.goods_id) {
            Some(line) => {
                line.wanted.count += item.count;
                checks::count(line.wanted.count)?;
            }
            None => lines.push(SagaLine::new(item.clone())),
        }
    }
    Ok(lines)
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod world;
