//! How a worker says that a request was refused before its turn began.
//!
//! Wire: Dapr's `request_failed` has a code and a text, and a method's own failure may
//! carry any code; only 5 has a meaning of its own (grpc-api.md 4). So a worker that
//! keeps some codes for what it refused lists them when it opens its stream, in the
//! metadata `odeon-refusal-codes`. One that says nothing has run what it failed.

use std::collections::BTreeSet;

/// gRPC's InvalidArgument, ResourceExhausted and Unavailable.
const ARGUMENTS: u32 = 3;
const BUSY: u32 = 8;
const STOPPING: u32 = 14;

/// Why a worker did not begin a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The arguments do not fit the method; sent again, they would not either.
    Arguments,
    /// It runs as much as it may.
    Busy,
    /// It is about to leave, and takes nothing new.
    Stopping,
}

/// The codes that a worker keeps for refusals.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refusals(BTreeSet<u32>);

impl Refusals {
    /// Reads the list of numbers; what is not a number that has a meaning is left out.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let numbers = text.split(',').filter_map(|number| number.trim().parse().ok());
        Self(numbers.filter(|number| [ARGUMENTS, BUSY, STOPPING].contains(number)).collect())
    }

    /// What the code of a failed request says, if the worker keeps it for that.
    pub(super) fn of(&self, code: u32) -> Option<Refusal> {
        if !self.0.contains(&code) {
            return None;
        }
        match code {
            ARGUMENTS => Some(Refusal::Arguments),
            BUSY => Some(Refusal::Busy),
            STOPPING => Some(Refusal::Stopping),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_a_refusal_only_if_the_worker_keeps_it_for_that() {
        let refusals = Refusals::parse("14, 3,x,13,,99999999999");
        assert_eq!(refusals.of(14), Some(Refusal::Stopping));
        assert_eq!(refusals.of(3), Some(Refusal::Arguments));
        assert_eq!((refusals.of(8), refusals.of(13)), (None, None));
        assert_eq!(Refusals::parse("8").of(8), Some(Refusal::Busy));
        assert_eq!(Refusals::default().of(14), None, "a stranger's method may answer anything");
    }
}
