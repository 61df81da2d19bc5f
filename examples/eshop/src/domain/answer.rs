//! What a command comes back with: yes and its data, or no and the reason.
//!
//! A refusal is an answer, not an error: errors are for technical
//! trouble, which a runtime may repeat, and repeating a refusal helps nobody.

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// Why a command was refused, as one word for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The input breaks a rule of its own, such as a count of 0.
    Invalid,
    /// Nothing of this name is here.
    NotFound,
    /// Fewer are available than asked for.
    OutOfStock,
    /// The goods are not for sale now.
    OffShelf,
    /// The price is not the expected one.
    PriceChanged,
    /// The sale has not as many left.
    QuotaExceeded,
    /// The sale has not as many left for this buyer.
    PerBuyerLimit,
    /// The order or reservation is in a state that does not allow this.
    WrongState,
    /// Another payment has paid the order.
    AlreadyPaid,
    /// Somebody else was first.
    Conflict,
    /// It exists already.
    Duplicate,
    /// Too late.
    Expired,
}

/// A no: the word for programs, a sentence for people, and the facts that hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{message}")]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    /// Why.
    pub reason: Reason,
    /// Why, in words.
    pub message: String,
    /// What of the input breaks a rule, if that is the trouble.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// How many could be had, if that is the trouble.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available: Option<u32>,
    /// The price that holds, if that is the trouble.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_cents: Option<u64>,
}

impl Refusal {
    /// A no for this reason, in these words.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { reason, message, field: None, available: None, price_cents: None }
    }

    /// The input breaks a rule.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Reason::Invalid, message)
    }

    /// The same, because of this field.
    #[must_use]
    pub fn at(self, field: &str) -> Self {
        Self { field: Some(field.to_owned()), ..self }
    }

    /// Only so many are available.
    #[must_use]
    pub fn out_of_stock(available: u32) -> Self {
        let message = format!("only {available} available");
        Self { available: Some(available), ..Self::new(Reason::OutOfStock, message) }
    }

    /// The price is another one, for this reason.
    #[must_use]
    pub fn other_price(reason: Reason, price_cents: u64) -> Self {
        let message = format!("the price is {price_cents} cents now");
        Self { price_cents: Some(price_cents), ..Self::new(reason, message) }
    }
}

/// What a method of the shop's actors returns.
///
/// Wire: `{"ok":true, ...data}` or `{"ok":false,"reason":"...","message":"..."}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<T>(pub Result<T, Refusal>);

#[derive(Serialize)]
struct Wire<'a, T> {
    ok: bool,
    #[serde(flatten)]
    rest: &'a T,
}

impl<T: Serialize> Serialize for Answer<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Ok(data) => Wire { ok: true, rest: data }.serialize(to),
            Err(refusal) => Wire { ok: false, rest: refusal }.serialize(to),
        }
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Answer<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(from)?;
        match value.get("ok").and_then(Value::as_bool) {
            Some(true) => T::deserialize(value).map(|data| Self(Ok(data))),
            Some(false) => Refusal::deserialize(value).map(|refusal| Self(Err(refusal))),
            None => return Err(D::Error::custom("an answer has a field `ok`")),
        }
        .map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Data {
        count: u32,
    }

    #[test]
    fn yes_carries_data_and_no_a_reason() {
        let rows = [
            (Ok(Data { count: 2 }), r#"{"ok":true,"count":2}"#),
            (
                Err(Refusal::out_of_stock(1)),
                r#"{"ok":false,"reason":"out_of_stock","message":"only 1 available","available":1}"#,
            ),
        ];
        for (result, json) in rows {
            let answer = Answer(result);
            assert_eq!(serde_json::to_string(&answer).unwrap(), json);
            assert_eq!(serde_json::from_str::<Answer<Data>>(json).unwrap(), answer);
        }
        assert!(serde_json::from_str::<Answer<Data>>("{}").is_err());
    }
}
