//! What is sent to the services, read with care.
//!
//! Names match whatever their case is, because there are clients that write `Items`; a name
//! that nothing knows is refused, and so is what cannot be read, with its place. Money comes
//! as a number with at most two decimals and is cents from then on.

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{DeserializeOwned, Error as _, IntoDeserializer, Visitor};
use serde::{Deserialize, Deserializer, forward_to_deserialize_any};
use serde_json::{Number, Value};

use crate::domain::answer::Refusal;

/// The command in a body; an empty one is a command without fields.
///
/// # Errors
/// `invalid`, with the field.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    let body = if body.is_empty() { b"{}" } else { body };
    let value: Value = serde_json::from_slice(body)
        .map_err(|error| Refusal::invalid(format!("the body is not JSON: {error}")))?;
    serde_path_to_error::deserialize(Loose(value)).map_err(|error| {
        let (path, told) = (error.path().to_string(), error.into_inner().to_string());
        // What is missing, or nobody knows, is named only there.
        let inner = ["missing field `", "unknown field `"]
            .iter()
            .find_map(|before| told.strip_prefix(before)?.split('`').next());
        let field = match (path.as_str(), inner) {
            (".", None) => return Refusal::invalid(told),
            (".", Some(inner)) => inner.to_owned(),
            (path, Some(inner)) if !path.ends_with(inner) => format!("{path}.{inner}"),
            (path, _) => path.to_owned(),
        };
        Refusal::invalid(format!("{field}: {told}")).at(&field)
    })
}

/// An amount of money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cents(pub(super) u64);

impl<'de> Deserialize<'de> for Cents {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let number = Number::deserialize(from)?;
        cents(&number.to_string()).map(Self).ok_or_else(|| {
            D::Error::custom(format!(
                "'{number}' is not an amount of money: expected one with at most two decimals"
            ))
        })
    }
}

/// Of a number as JSON writes it. One with a fraction is a double until here, whose shortest text
/// is what was sent if that has at most 15 digits: far more than the highest price has.
fn cents(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 2 {
        return None;
    }
    let fraction: u64 = format!("{fraction:0<2}").parse().ok()?;
    whole.parse::<u64>().ok()?.checked_mul(100)?.checked_add(fraction)
}

/// What is put on the shelf, or taken off it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Shelf {
    pub(super) id: String,
    pub(super) cmd_id: Option<String>,
    pub(super) shelf_state: bool,
}

/// What is meant.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Named {
    pub(super) id: String,
    pub(super) cmd_id: Option<String>,
}

/// A value whose names match whatever their case is.
struct Loose(Value);

impl<'de> IntoDeserializer<'de, serde_json::Error> for Loose {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Loose {
    type Error = serde_json::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self.0 {
            Value::Array(all) => {
                visitor.visit_seq(SeqDeserializer::new(all.into_iter().map(Loose)))
            }
            Value::Object(all) => visitor.visit_map(MapDeserializer::new(
                all.into_iter().map(|(key, one)| (key, Self(one))),
            )),
            other => other.deserialize_any(visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        let Value::Object(all) = self.0 else { return self.deserialize_any(visitor) };
        let known = |key: &String| fields.iter().find(|field| field.eq_ignore_ascii_case(key));
        let all = all.into_iter().map(|(key, one)| {
            let key = known(&key).map_or(key, |field| (*field).to_owned());
            (key, Self(one))
        });
        visitor.visit_map(MapDeserializer::new(all))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Line {
        goods_id: String,
        count: u32,
        price: Option<Cents>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Order {
        items: Vec<Line>,
        note: Option<String>,
    }

    #[test]
    fn names_match_whatever_their_case_is() {
        let order: Order =
            read(br#"{"Items":[{"GoodsId":"a","COUNT":2,"price":12.3}],"note":null}"#).unwrap();
        let line = Line { goods_id: "a".into(), count: 2, price: Some(Cents(1_230)) };
        assert_eq!(order, Order { items: vec![line], note: None });
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (text, field) in [
            (r#"{"items":[{"goodsId":"a","count":-1}]}"#, Some("items[0].count")),
            (r#"{"items":[{"goodsId":"a","count":"1"}]}"#, Some("items[0].count")),
            (r#"{"items":[{"goodsId":"a","count":1e9}]}"#, Some("items[0].count")),
            (r#"{"items":[{"goodsId":"a"}]}"#, Some("items[0].count")),
            (r#"{"items":[{"goodsId":"a","count":1,"price":1.999}]}"#, Some("items[0].price")),
            (r#"{"items":[{"goodsId":"a","count":1,"price":-1}]}"#, Some("items[0].price")),
            (r#"{"items":[],"nots":""}"#, Some("nots")),
            ("{}", Some("items")),
            ("", Some("items")),
            ("[]", None),
            ("nonsense", None),
        ] {
            let refused = read::<Order>(text.as_bytes()).unwrap_err();
            assert_eq!(refused.field.as_deref(), field, "{text}: {refused}");
        }
    }

    #[test]
    fn money_is_cents() {
        for (text, expected) in [
            ("4", Some(400)),
            ("4.5", Some(450)),
            ("4.05", Some(405)),
            ("17.00", Some(1_700)),
            ("1e3", Some(100_000)),
            ("1000000.01", Some(100_000_001)),
            ("1.001", None),
            ("-1", None),
            ("1e300", None),
            ("\"4\"", None),
        ] {
            let body = format!(r#"{{"goodsId":"a","count":1,"price":{text}}}"#);
            let read = read::<Line>(body.as_bytes()).ok();
            assert_eq!(read.and_then(|line| line.price).map(|price| price.0), expected, "{text}");
        }
    }
}
