//! Where an order stands.
//!
//! A phase has a name and the number that the shop's pages have always shown:
//! -1 cancelled, 0 unpaid, 1 paid, 2 finished. The number follows from the phase;
//! a pair that does not belong together cannot be read back.

use serde::{Deserialize, Serialize};

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Marks", try_from = "Marks")]
pub enum Phase {
    /// Waits to be paid.
    Unpaid,
    /// The bank has been asked.
    Paying,
    /// Paid, and still in the house.
    Paid,
    /// On its way.
    Shipped,
    /// Received.
    Finished,
    /// Given up before it was paid.
    Cancelled,
    /// Given up after it was paid: the money is on its way back.
    Refunding,
    /// Paid after it was given up: the money is on its way back.
    RefundingLate,
    /// Given up, and the money is back.
    Refunded,
    /// Never came about.
    Refused,
}

const TABLE: [(Phase, &str, i8); 10] = [
    (Phase::Unpaid, "unpaid", 0),
    (Phase::Paying, "paying", 0),
    (Phase::Paid, "paid", 1),
    (Phase::Shipped, "shipped", 1),
    (Phase::Finished, "finished", 2),
    (Phase::Cancelled, "cancelled", -1),
    (Phase::Refunding, "refunding", 1),
    (Phase::RefundingLate, "refunding", -1),
    (Phase::Refunded, "refunded", -1),
    (Phase::Refused, "refused", -1),
];

/// A phase as it is written.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Marks {
    state: i8,
    phase: String,
}

/// The two marks do not belong together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no phase '{phase}' with state {state}")]
pub struct NoPhase {
    phase: String,
    state: i8,
}

impl Phase {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// Its number.
    #[must_use]
    pub fn state(self) -> i8 {
        self.row().2
    }

    fn row(self) -> (Self, &'static str, i8) {
        TABLE[self as usize]
    }
}

impl From<Phase> for Marks {
    fn from(phase: Phase) -> Self {
        Self { state: phase.state(), phase: phase.name().to_owned() }
    }
}

impl TryFrom<Marks> for Phase {
    type Error = NoPhase;

    fn try_from(Marks { state, phase }: Marks) -> Result<Self, NoPhase> {
        let row = TABLE.iter().find(|row| row.1 == phase && row.2 == state);
        row.map(|row| row.0).ok_or(NoPhase { phase, state })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_phase_stands_at_its_row_and_reads_back() {
        for (at, (phase, _, _)) in TABLE.into_iter().enumerate() {
            assert_eq!(phase as usize, at);
            let text = serde_json::to_string(&phase).unwrap();
            assert_eq!(serde_json::from_str::<Phase>(&text).unwrap(), phase, "{text}");
        }
        assert!(serde_json::from_str::<Phase>(r#"{"state":2,"phase":"paid"}"#).is_err());
    }
}
