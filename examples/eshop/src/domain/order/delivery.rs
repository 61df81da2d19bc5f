//! The parcel of an order: sent once, received once.
//!
//! Paid -> Shipped -> Finished. The receiver is the order's consignee; who sends is
//! told with the command, because the shop's address is not the order's business.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::answer::Refusal;
use crate::domain::checks::{self, TEXT_CHARS_MAX};
use crate::domain::effects::{Effect, Reminder};
use crate::domain::events::{Event, ParcelFacts};
use crate::domain::order::{Order, PERSON_CHARS_MAX, Phase, Standing};
use crate::domain::time::Time;

/// Who carries parcels, by number.
pub const CARRIERS: [&str; 6] = ["SF", "STO", "YTO", "ZTO", "Yunda", "EMS"];

/// How long after it was sent a parcel is taken as received.
pub const RECEIVED_WITHIN: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The parcel of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Logistics {
    /// Its id: that of its order, which has one parcel.
    pub id: String,
    /// Who carries it: an index into [`CARRIERS`].
    #[serde(rename = "type")]
    pub carrier: usize,
    /// The carrier's number of it.
    pub no: String,
    /// Who sent it.
    pub deliver_name: String,
    /// From where.
    pub deliver_address: String,
    /// When it was sent.
    #[serde(rename = "deliveTime")]
    pub deliver_time: Time,
    /// When it was received.
    pub receive_time: Option<Time>,
}

impl Logistics {
    /// When it is taken as received.
    fn due_at(&self) -> Time {
        self.deliver_time.after(RECEIVED_WITHIN)
    }
}

/// Sends the parcel.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Deliver {
    /// The command's id.
    pub cmd_id: String,
    /// The name of who says so.
    pub by: String,
    /// Who carries it: an index into [`CARRIERS`].
    pub logistics_type: usize,
    /// The carrier's number of it.
    pub logistics_no: String,
    /// Who sends it.
    pub deliver_name: String,
    /// From where.
    pub deliver_address: String,
    /// When it was sent. Default: now.
    #[serde(rename = "deliveTime")]
    pub deliver_time: Option<Time>,
}

/// Receives the parcel.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Receive {
    /// The command's id.
    pub cmd_id: String,
    /// The name of who says so.
    pub by: String,
    /// When it was received. Default: now.
    pub receive_time: Option<Time>,
}

impl Order {
    /// Paid -> Shipped.
    ///
    /// # Errors
    /// `invalid`; `wrong_state` when the order is not paid or was sent.
    pub fn deliver(
        &mut self,
        command: &Deliver,
        now: Time,
        effects: &mut Vec<Effect>,
    ) -> Result<Standing, Refusal> {
        let Some(carrier) = CARRIERS.get(command.logistics_type) else {
            let message = format!("logisticsType must be 0 to {}", CARRIERS.len() - 1);
            return Err(Refusal::invalid(message).at("logisticsType"));
        };
        checks::name("by", &command.by, PERSON_CHARS_MAX)?;
        checks::id("logisticsNo", &command.logistics_no)?;
        checks::name("deliverName", &command.deliver_name, PERSON_CHARS_MAX)?;
        checks::name("deliverAddress", &command.deliver_address, TEXT_CHARS_MAX)?;
        let deliver_time = not_in_the_future("deliveTime", command.deliver_time, now)?;
        if self.head.phase != Phase::Paid {
            return Err(self.wrong_state());
        }
        self.logistics = Some(Logistics {
            id: self.head.order_id.clone(),
            carrier: command.logistics_type,
            no: command.logistics_no.clone(),
            deliver_name: command.deliver_name.clone(),
            deliver_address: command.deliver_address.clone(),
            deliver_time,
            receive_time: None,
        });
        let due_at = deliver_time.after(RECEIVED_WITHIN);
        effects.push(Effect::Remind(Reminder::AutoReceive, due_at));
        effects.push(Effect::Publish(Event::LogisticsDeliverSucc(self.parcel_facts())));
        self.enter(Phase::Shipped, now, effects);
        let parcel = format!("parcel {} with {carrier}", command.logistics_no);
        self.note(&command.by, "shipped", &parcel, now);
        Ok(self.standing())
    }

    /// Shipped -> Finished.
    ///
    /// # Errors
    /// `invalid`; `wrong_state` when the order is not on its way.
    pub fn receive(
        &mut self,
        command: &Receive,
        now: Time,
        effects: &mut Vec<Effect>,
    ) -> Result<Standing, Refusal> {
        checks::name("by", &command.by, PERSON_CHARS_MAX)?;
        let receive_time = not_in_the_future("receiveTime", command.receive_time, now)?;
        self.finish(&command.by, receive_time, now, effects)
    }

    /// The parcel must be there: Shipped -> Finished. Called early, it changes nothing
    /// but asks to be called again at the right time.
    pub fn auto_receive(&mut self, now: Time, effects: &mut Vec<Effect>) {
        match (&self.logistics, self.head.phase) {
            (Some(logistics), Phase::Shipped) if now < logistics.due_at() => {
                effects.push(Effect::Remind(Reminder::AutoReceive, logistics.due_at()));
            }
            _ => {
                let _ = self.finish("system", now, now, effects);
            }
        }
    }

    /// Shipped -> Finished.
    fn finish(
        &mut self,
        by: &str,
        receive_time: Time,
        now: Time,
        effects: &mut Vec<Effect>,
    ) -> Result<Standing, Refusal> {
        let parcel = match (&mut self.logistics, self.head.phase) {
            (Some(logistics), Phase::Shipped) => {
                logistics.receive_time = Some(receive_time);
                format!("parcel {}", logistics.no)
            }
            _ => return Err(self.wrong_state()),
        };
        effects.push(Effect::Forget(Reminder::AutoReceive));
        effects.push(Effect::Publish(Event::LogisticsReceiveSucc(self.parcel_facts())));
        self.enter(Phase::Finished, now, effects);
        self.note(by, "received", &parcel, now);
        Ok(self.standing())
    }

    fn parcel_facts(&self) -> ParcelFacts {
        ParcelFacts {
            logistics_id: self.head.order_id.clone(),
            order_id: self.head.order_id.clone(),
            user_id: self.head.user_id.clone(),
            user_name: self.head.user_name.clone(),
        }
    }
}

fn not_in_the_future(field: &str, time: Option<Time>, now: Time) -> Result<Time, Refusal> {
    let time = time.unwrap_or(now);
    if time > now {
        return Err(Refusal::invalid(format!("{field} must not be in the future")).at(field));
    }
    Ok(time)
}
