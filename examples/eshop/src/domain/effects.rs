//! What a command wants done beside its answer, as data.
//!
//! The domain asks, whoever keeps the value carries out: after its state is stored,
//! and at least once. So each effect is one that may be repeated.

use crate::domain::events::Event;
use crate::domain::time::Time;

/// Something to be done once the state is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// To be called back at this time, or later; takes the place of an earlier wish
    /// for the same reminder.
    Remind(Reminder, Time),
    /// Not to be called back.
    Forget(Reminder),
    /// To tell whoever is interested.
    Publish(Event),
}

/// What somebody wants to be called back for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reminder {
    /// Of an order: the time to pay is over.
    PayTimeout,
    /// Of an order: the buyer has not said that the parcel is there, but it must be.
    AutoReceive,
    /// Of a checkout: it is not finished.
    Drive,
    /// Of goods: somebody may hold units for too long.
    Holds,
    /// Of a basket: nobody touches it.
    Abandon,
    /// Of a sale: it begins.
    Start,
    /// Of a sale: it is over.
    End,
    /// Of a payment: the slow bank answers.
    Answer,
}

impl Reminder {
    /// The method that it calls, which is its name, too.
    #[must_use]
    pub fn method(self) -> &'static str {
        match self {
            Self::PayTimeout => "PayTimeout",
            Self::AutoReceive => "AutoReceive",
            Self::Drive => "Drive",
            Self::Holds => "Holds",
            Self::Abandon => "Abandon",
            Self::Start => "Start",
            Self::End => "End",
            Self::Answer => "Answer",
        }
    }
}
