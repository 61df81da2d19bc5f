//! The parcel of an order: sent once, received once.
//!
//! Paid -> Shipped -> Finished. The receiver is the order's consignee; who sends is
//! told with the command, because the shop's address is not the order's business.

use serde::{Deserialize, Serialize};

use crate::domain::answer::Refusal;
use crate::domain::checks::{self, TEXT_CHARS_MAX};
use crate::domain::ids;
use crate::domain::order::{Order, PERSON_CHARS_MAX, Phase, Standing};
use crate::domain::time::Time;

/// Who carries parcels, by number.
pub const CARRIERS: [&str; 6] = ["SF", "STO", "YTO", "ZTO", "Yunda", "EMS"];

/// The parcel of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Logistics {
    /// Its id.
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
    pub fn deliver(&mut self, command: &Deliver, now: Time) -> Result<Standing, Refusal> {
        let Some(carrier) = CARRIERS.get(command.logistics_type) else {
            let message = format!("logisticsType must be 0 to {}", CARRIERS.len() - 1);
            return Err(Refusal::invalid(message));
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
            id: ids::parcel(&self.head.order_id),
            carrier: command.logistics_type,
            no: command.logistics_no.clone(),
            deliver_name: command.deliver_name.clone(),
            deliver_address: command.deliver_address.clone(),
            deliver_time,
            receive_time: None,
        });
        self.enter(Phase::Shipped);
        let parcel = format!("parcel {} with {carrier}", command.logistics_no);
        self.note(&command.by, "shipped", &parcel, now);
        Ok(self.standing())
    }

    /// Shipped -> Finished.
    ///
    /// # Errors
    /// `invalid`; `wrong_state` when the order is not on its way.
    pub fn receive(&mut self, command: &Receive, now: Time) -> Result<Standing, Refusal> {
        checks::name("by", &command.by, PERSON_CHARS_MAX)?;
        let receive_time = not_in_the_future("receiveTime", command.receive_time, now)?;
        let parcel = match (&mut self.logistics, self.head.phase) {
            (Some(logistics), Phase::Shipped) => {
                logistics.receive_time = Some(receive_time);
                format!("parcel {}", logistics.no)
            }
            _ => return Err(self.wrong_state()),
        };
        self.enter(Phase::Finished);
        self.note(&command.by, "received", &parcel, now);
        Ok(self.standing())
    }
}

fn not_in_the_future(field: &str, time: Option<Time>, now: Time) -> Result<Time, Refusal> {
    let time = time.unwrap_or(now);
    if time > now {
        return Err(Refusal::invalid(format!("{field} must not be in the future")));
    }
    Ok(time)
}
