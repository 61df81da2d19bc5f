//! Orders in a list, newest first.

use serde::{Deserialize, Serialize};

use crate::domain::events::OrderStep;

/// Some of the orders of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Listed {
    /// Them, newest first.
    pub order_ids: Vec<String>,
    /// How many there are on all pages.
    pub total: u64,
}

/// Where an order that began with this step stands among others, in the order of text.
#[must_use]
pub fn place(first: &OrderStep) -> String {
    format!("{}:{}", first.at.newest_first(), first.order_id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Time;

    #[test]
    fn what_is_newer_comes_first() {
        let step = |millis, id: &str| OrderStep {
            order_id: id.into(),
            at: Time::from_millis(millis),
            ..OrderStep::default()
        };
        let mut places: Vec<String> =
            [(1_000, "a"), (1_800_000_000_000, "b"), (999_999_999_999, "c"), (1_000, "d")]
                .map(|(millis, id)| place(&step(millis, id)))
                .into();
        places.sort();
        let ids: Vec<&str> = places.iter().filter_map(|place| place.split(':').nth(1)).collect();
        assert_eq!(ids, ["b", "c", "a", "d"]);
    }
}
